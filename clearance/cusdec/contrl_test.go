package cusdec_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/clearance/cusdec"
)

var answered = time.Date(2026, time.November, 29, 18, 30, 0, 0, time.FixedZone("KST", 9*3600))

// answer is the report about an interchange of which nothing was refused for what it says.
func answer(t testing.TB, data []byte) string {
	t.Helper()
	interchange, messages := read(t, data, cusdec.Limits{})
	var outcomes []cusdec.Outcome
	for _, m := range messages {
		outcomes = append(outcomes, cusdec.Outcome{Message: m})
	}
	return string(cusdec.Report(interchange, outcomes, "A1", answered))
}

func TestReportAnswersInTheSyntaxOfTheInterchange(t *testing.T) {
	for name, want := range map[string]string{
		"plain": "UNB+UNOA:3+TWCUSTOMS:ZZ+TWBROKER1:ZZ+261129:0930+A1'UNH+1+CONTRL:D:3:UN'UCI+ICR0001+TWBROKER1:ZZ+TWCUSTOMS:ZZ+7'" +
			"UCM+1+CUSDEC:D:96B:UN:TWI01+7'UNT+4+1'UNZ+1+A1'",
		"version4": "UNB+UNOY:4+TWCUSTOMS:ZZ+TWBROKER1:ZZ+20261129:0930+A1'UNH+1+CONTRL:4:1:UN'UCI+ICR0003+TWBROKER1:ZZ+TWCUSTOMS:ZZ+7'" +
			"UCM+M1+CUSDEC:D:20A:UN+7'UNT+4+1'UNZ+1+A1'",
		"accents": "UNB+UNOC:3+NOCUSTOMS:ZZ+BR\xd6KER:ZZ+261129:0930+A1'UNH+1+CONTRL:D:3:UN'UCI+ICR0004+BR\xd6KER:ZZ+NOCUSTOMS:ZZ+7'" +
			"UCM+7+CUSDEC:D:99B:UN+7'UNT+4+1'UNZ+1+A1'",
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile("../../testdata/declarations/" + name + ".edi")
			if err != nil {
				t.Fatal(err)
			}
			if found := answer(t, data); found != want {
				t.Errorf("answered\n%s\nwant\n%s", found, want)
			}
		})
	}
}

// What is repeated may hold service characters; what the character set lacks becomes a full stop.
func TestReportReleasesWhatItRepeats(t *testing.T) {
	const data = "UNB+UNOY:4+A?+B?:?'??:Z?*Z+泰+20261129:0915+R?+1'UNH+M?:1+CUSDEC:D:96B:UN'BGM+929+X+9'UNT+3+M?:1'UNZ+1+R?+1'"
	if found := answer(t, []byte(data)); !strings.Contains(found, "'UCI+R?+1+A?+B?:?'??:Z?*Z+泰+7'UCM+M?:1+CUSDEC:D:96B:UN+4'") {
		t.Errorf("answered %s", found)
	}
	latin := strings.Replace(strings.Replace(data, "UNOY:4", "UNOC:3", 1), "泰", "\xe9\x85", 1)
	if found := answer(t, []byte(latin)); !strings.Contains(found, "+\xe9.+4+21+UNB+4:1'") {
		t.Errorf("answered %q", found)
	}
}

func TestReportRejectsWhatWasRefusedForWhatItSays(t *testing.T) {
	interchange, messages := read(t, written(style{version: 3}, declared()), cusdec.Limits{})
	found := string(cusdec.Report(interchange, []cusdec.Outcome{{Message: messages[0], Refused: true}}, "A1", answered))
	if !strings.Contains(found, "'UCI+I1+A+B+7'UCM+M1+CUSDEC:D:96B:UN+4+18'UNT+") {
		t.Errorf("answered %s", found)
	}
}
