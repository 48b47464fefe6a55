package clearance

import (
	"encoding/json"
	"fmt"
	"time"
)

// Kind says what a docket is about.
type Kind string

// Docket is one record that clearance keeps: a value of its kind, the terms that it is found by, and when somebody has to look at it.
type Docket struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"` // unique in its kind, not empty
	// Revision is that of the docket which this one takes the place of, 0 for a new one. The store counts it up: what it returns has
	// the number to file the next version under.
	Revision uint64 `json:"revision"`
	// Terms are what it is found by beside its ID, at most MaxTerms. None is empty.
	Terms []string `json:"terms,omitempty"`
	// Due is when it is to be looked at; zero for never.
	Due time.Time `json:"due,omitzero"`
	// Filed is a number that the store gives it with its first version, rising in the order of filing.
	Filed uint64          `json:"filed"`
	Value json.RawMessage `json:"value"`
}

// MaxTerms bounds the terms of a docket.
const MaxTerms = 10_000

// DocketName names a version of a docket.
type DocketName struct {
	Kind     Kind
	ID       string
	Revision uint64
}

// Name is that of the docket as it was read.
func (d Docket) Name() DocketName { return DocketName{d.Kind, d.ID, d.Revision} }

// DocketQuery selects dockets of a kind; zero fields do not restrict, but Kind is required.
type DocketQuery struct {
	Kind Kind
	ID   string
	Term string
	// DueBy selects those with a Due that is not after it.
	DueBy time.Time
	// After returns only those with a greater Filed, for paging; not with DueBy. Limit defaults to 100.
	After uint64
	Limit int
}

// With is the next version of d, with another value. Its Terms and Due stay as they are.
func (d Docket) With(value any) (Docket, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return Docket{}, fmt.Errorf("%s %q: %w", d.Kind, d.ID, err)
	}
	d.Value = data
	return d, nil
}

// Into reads the value of d.
func (d Docket) Into(value any) error {
	if err := json.Unmarshal(d.Value, value); err != nil {
		return fmt.Errorf("%s %q: %w", d.Kind, d.ID, err)
	}
	return nil
}
