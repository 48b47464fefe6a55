package exchange_test

import (
	"testing"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/exchange"
)

// A re-issue and a certified true copy travel as certificates do, and arrive as what they are.
func TestReissueAndTrueCopyTravel(t *testing.T) {
	t.Parallel()
	for status, relation := range map[eco.DocumentStatus]eco.Relation{
		eco.StatusReissue: eco.RelationReplaces, eco.StatusTrueCopy: eco.RelationTrueCopyOf,
	} {
		t.Run(string(status), func(t *testing.T) {
			bubble(t, setup{}, func(w *world) {
				w.arrived()
				c := replacement(t, "001-26-0912399")
				c.Status = status
				c.Related[len(c.Related)-1].Relation = relation
				m := w.settled(w.submit(c).Message.MessageID)
				if m.State != exchange.StateDelivered {
					t.Fatalf("%s %+v", m.State, m.Reason)
				}
				for _, s := range []*side{w.KR, w.TW} {
					if all := s.certificates(w); len(all) != 2 || all[0].Data.Status != status {
						t.Errorf("%s: %d certificates, the newest is %s", s.id, len(all), all[0].Data.Status)
					}
				}
			})
		})
	}
}
