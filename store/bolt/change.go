package bolt

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ecogate/ecogate/exchange"
)

// cloneChanges copies changes into memory that the store owns.
func cloneChanges(changes []exchange.Change) ([]exchange.Change, error) {
	own := slices.Clone(changes)
	for i := range own {
		data, err := json.Marshal(&own[i].Dealings)
		if err != nil {
			return nil, fmt.Errorf("change of certificate %d: %w", own[i].Seq, err)
		}
		own[i].Dealings = exchange.Dealings{}
		if err := json.Unmarshal(data, &own[i].Dealings); err != nil {
			return nil, fmt.Errorf("change of certificate %d: %w", own[i].Seq, err)
		}
	}
	return own, nil
}

// fit reports whether every change was made of the record as it is now.
func (t *transaction) fit(changes []exchange.Change) (bool, error) {
	for _, c := range changes {
		if t.tx.Bucket([]byte(bucketCertificates)).Get(number(c.Seq)) == nil {
			return false, nil
		}
		var record certificateRecord
		if err := load(t.tx, bucketCertificates, c.Seq, &record); err != nil {
			return false, err
		}
		if record.Revision != c.Revision || record.State != c.Was {
			return false, nil
		}
	}
	return true, nil
}

// change makes changes that fit.
func (t *transaction) change(changes []exchange.Change) error {
	for _, c := range changes {
		var record certificateRecord
		if err := load(t.tx, bucketCertificates, c.Seq, &record); err != nil {
			return err
		}
		before := certificateEntries(&record.Certificate)
		record.State, record.Dealings = c.State, c.Dealings
		record.Revision++
		if err := t.writeCertificate(&record); err != nil {
			return err
		}
		if err := t.reindex(before, certificateEntries(&record.Certificate)); err != nil {
			return err
		}
	}
	return nil
}

// replaces reports whether changes replace the certificate with that number.
func replaces(changes []exchange.Change, seq uint64) bool {
	return slices.ContainsFunc(changes, func(c exchange.Change) bool { return c.Seq == seq && c.State == exchange.CertificateReplaced })
}
