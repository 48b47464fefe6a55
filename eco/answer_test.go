package eco_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/eco/ecotest"
)

func TestHostileAnswersAreFound(t *testing.T) {
	for _, file := range ecotest.Files(t, "hostile/answers/*.txt") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			h := readHostile(t, file)
			base, err := json.Marshal(ecotest.LoadAnswer(t, h.base))
			if err != nil {
				t.Fatal(err)
			}
			var a eco.Answer
			if err := json.Unmarshal(h.changed(t, base), &a); err != nil {
				t.Fatal(err)
			}
			h.check(t, eco.ValidateAnswer(a, eco.DefaultForms()))
		})
	}
}

func TestAnswersOfTestdataHaveNoFindings(t *testing.T) {
	for _, name := range ecotest.AnswerNames(t) {
		if findings := eco.ValidateAnswer(ecotest.LoadAnswer(t, name), eco.DefaultForms()); findings != nil {
			t.Errorf("%s: %+v", name, findings)
		}
	}
}

func TestGeneratedAnswersHaveNoErrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if findings := eco.ValidateAnswer(ecotest.Answer().Draw(t, "answer"), eco.DefaultForms()); eco.HasErrors(findings) {
			t.Fatal(findings)
		}
	})
}

func TestEmptyAnswerLacksEverythingButReasonsAndNote(t *testing.T) {
	lacking := map[string]bool{}
	for _, f := range eco.ValidateAnswer(eco.Answer{}, eco.DefaultForms()) {
		lacking[f.Path] = true
	}
	for _, path := range []string{
		"id", "issue_time", "kind", "certificate.issuing_country", "certificate.form", "certificate.reference",
		"certificate.issuing_body", "authority.name", "authority.country",
	} {
		if !lacking[path] {
			t.Errorf("nothing found about %s", path)
		}
		delete(lacking, path)
	}
	if len(lacking) > 0 {
		t.Errorf("found more: %v", lacking)
	}
}

func TestReasonsOfAnAnswerAreBounded(t *testing.T) {
	a := ecotest.LoadAnswer(t, "rejected")
	for _, tt := range []struct {
		reasons int
		errors  bool
	}{{eco.MaxReasons, false}, {eco.MaxReasons + 1, true}} {
		a.Reasons = nil
		for range tt.reasons {
			a.Reasons = append(a.Reasons, eco.Reason{Code: eco.CodeHS, Text: "no such heading"})
		}
		if findings := eco.ValidateAnswer(a, eco.DefaultForms()); eco.HasErrors(findings) != tt.errors {
			t.Errorf("%d reasons: %+v", tt.reasons, findings)
		}
	}
}

func TestAnswerIsTheSameOnAnyClock(t *testing.T) {
	a := ecotest.LoadAnswer(t, "accepted")
	for _, tt := range []struct {
		name string
		time time.Time
		want int
	}{
		{"a zone with words of its own", a.IssueTime.In(time.FixedZone(" \x00 ", 7*3600)), 0},
		{"the last year in UTC, the next in Seoul", time.Date(10000, 1, 1, 8, 59, 59, 0, time.FixedZone("KST", 9*3600)), 0},
		{"year 10000", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.IssueTime = tt.time
			if findings := eco.ValidateAnswer(a, eco.DefaultForms()); len(findings) != tt.want {
				t.Errorf("%+v, want %d", findings, tt.want)
			}
		})
	}
}
