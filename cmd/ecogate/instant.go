package main

import (
	"errors"
	"time"
)

// instantFlag is a flag with an instant as in the configuration: RFC 3339, or a day, which means its beginning in UTC.
type instantFlag time.Time

func (f *instantFlag) String() string {
	if time.Time(*f).IsZero() {
		return ""
	}
	return instant(time.Time(*f))
}

func (f *instantFlag) Type() string { return "instant" }

// Set takes an instant to the second.
func (f *instantFlag) Set(text string) error {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		at, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		return errors.New("want a day or an instant, such as 2027-01-01 or 2027-01-01T09:00:00Z")
	}
	*f = instantFlag(at.UTC().Truncate(time.Second))
	return nil
}
