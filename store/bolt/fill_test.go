package bolt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ecogate/ecogate/exchange"
)

// keys are entries of an index that were collected, one behind the other: the length of key and value in two octets each, then these.
type keys struct {
	octets []byte
	places []int
}

func (k *keys) add(e entry) {
	k.places = append(k.places, len(k.octets))
	k.octets = append(k.octets, byte(len(e.key)>>8), byte(len(e.key)), byte(len(e.value)>>8), byte(len(e.value)))
	k.octets = append(append(k.octets, e.key...), e.value...)
}

func (k *keys) at(place int) (key, value []byte) {
	b := k.octets[place:]
	n, m := int(b[0])<<8|int(b[1]), int(b[2])<<8|int(b[3])
	return b[4 : 4+n], b[4+n : 4+n+m]
}

// fillStep is how many entries one transaction of Fill writes.
const fillStep = 200_000

// Fill writes imported certificates with their index entries, and nothing else that comes with them, into an empty store: much faster than Accept, because each bucket is
// written in the order of its keys.
func Fill(s *Store, n int, make func(i int) exchange.Certificate, progress func(string)) error {
	collected := map[string]*keys{}
	step := func(write func(t *transaction) error) error {
		t, err := s.begin()
		if err != nil {
			return err
		}
		defer t.rollback()
		if err := write(t); err != nil {
			return err
		}
		return t.tx.Commit()
	}
	for from := 0; from < n; from += fillStep / 10 {
		err := step(func(t *transaction) error {
			for i := from; i < min(n, from+fillStep/10); i++ {
				c := make(i)
				seq, err := t.next(bucketCertificates)
				if err != nil {
					return err
				}
				c.Seq = seq
				record, err := json.Marshal(&c)
				if err != nil {
					return err
				}
				if err := t.put(bucketCertificates, seq, record); err != nil {
					return err
				}
				for _, e := range append(certificateEntries(&c), dataEntries(&c)...) {
					kind := e.bucket
					if e.bucket == bucketFound {
						kind += " " + string(e.key[0])
					}
					if collected[kind] == nil {
						collected[kind] = new(keys)
					}
					collected[kind].add(e)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if done := from + fillStep/10; done%1_000_000 == 0 {
			progress(fmt.Sprintf("%d records", done))
		}
	}
	var kinds []string
	for kind := range collected {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		k := collected[kind]
		slices.SortFunc(k.places, func(a, b int) int {
			x, _ := k.at(a)
			y, _ := k.at(b)
			return bytes.Compare(x, y)
		})
		bucket, _, _ := bytes.Cut([]byte(kind), []byte(" "))
		for places := range slices.Chunk(k.places, fillStep) {
			err := step(func(t *transaction) error {
				b := t.tx.Bucket(bucket)
				b.FillPercent = 0.7 // about that of pages that were filled in any order
				for _, place := range places {
					key, value := k.at(place)
					if err := b.Put(key, value); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		progress("index " + kind)
		delete(collected, kind)
	}
	return nil
}
