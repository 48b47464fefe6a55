package ebms

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is as long as a partner can make us wait. A partner that means longer says so by other means.
const maxRetryAfter = 24 * time.Hour

// parseRetryAfter reads a Retry-After header: seconds, or a date that is compared with now. It returns zero for what is
// neither, lies in the past, or is absent; at most a day. RFC 9110 §10.2.3.
func parseRetryAfter(value string, now func() time.Time) time.Duration {
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.Atoi(value)
		if err != nil || seconds > int(maxRetryAfter/time.Second) { // err: out of range
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil || now == nil {
		return 0
	}
	return min(max(at.Sub(now()), 0), maxRetryAfter)
}

// formatRetryAfter writes a duration as whole seconds, rounded up so that nobody comes back early.
func formatRetryAfter(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
