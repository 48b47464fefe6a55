package handover

import (
	"net/http"
	"time"
)

// Judge is what a response to a parcel says.
func Judge(p Parcel, status int, contentType string, body []byte, later string, now time.Time) (Confirmation, error) {
	push := &Push{PushOptions: PushOptions{Now: func() time.Time { return now }}}
	header := http.Header{"Content-Type": {contentType}, "Retry-After": {later}}
	return push.judge(p, &http.Response{StatusCode: status, Header: header}, body)
}
