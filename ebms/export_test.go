package ebms

import "time"

// ParseRetryAfter lets tests read headers that a server would not send.
func ParseRetryAfter(value string, now func() time.Time) time.Duration {
	return parseRetryAfter(value, now)
}
