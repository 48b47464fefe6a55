package cpa

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// duration is an xsd:duration that is not negative.
type duration struct {
	// months has no fixed length: a month has 28 to 31 days.
	months int64
	rest   time.Duration
}

var durationForm = regexp.MustCompile(`^P(?:(\d{1,6})Y)?(?:(\d{1,6})M)?(?:(\d{1,6})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,8})M)?(?:(\d{1,9})(?:\.(\d{1,9}))?S)?)?$`)

// maxDuration is more than an agreement could mean, and less than a time.Duration holds.
const maxDuration = 100 * 365 * 24 * time.Hour

// parseDuration reads an xsd:duration; fractions of a second are dropped.
func parseDuration(value string) (duration, error) {
	m := durationForm.FindStringSubmatch(value)
	if m == nil || value == "P" || strings.HasSuffix(value, "T") {
		return duration{}, fmt.Errorf("want a duration such as PT30M or P7D that is not negative, found %.200q", value)
	}
	var n [7]int64
	for i := range n {
		n[i], _ = strconv.ParseInt(m[i+1], 10, 64) // digits or nothing, few enough
	}
	seconds := ((n[2]*24+n[3])*60+n[4])*60 + n[5]
	if n[0] > 100 || n[1] > 1200 || seconds > int64(maxDuration/time.Second) {
		return duration{}, fmt.Errorf("want a duration of at most 100 years, found %.200q", value)
	}
	return duration{months: n[0]*12 + n[1], rest: time.Duration(seconds) * time.Second}, nil
}

// writeDuration writes whole seconds as an xsd:duration.
func writeDuration(d time.Duration) string {
	seconds := int64(d / time.Second)
	days, hours, minutes := seconds/86400, seconds/3600%24, seconds/60%60
	seconds %= 60
	text := "P"
	if days > 0 {
		text += strconv.FormatInt(days, 10) + "D"
	}
	clock := ""
	for _, part := range []struct {
		n    int64
		unit string
	}{{hours, "H"}, {minutes, "M"}, {seconds, "S"}} {
		if part.n > 0 {
			clock += strconv.FormatInt(part.n, 10) + part.unit
		}
	}
	switch {
	case clock != "":
		text += "T" + clock
	case days == 0:
		text += "T0S"
	}
	return text
}
