package docs_test

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ecogate/ecogate/ebms"
	"github.com/ecogate/ecogate/internal/config"
	"github.com/ecogate/ecogate/partners"
)

// A name in code font that looks like a key is one. Keys are written with their section.
func TestProfileNamesOnlyKeysThatExist(t *testing.T) {
	keys := configKeys(reflect.TypeFor[config.Config](), "")
	sections := map[string]bool{}
	for _, key := range keys {
		section, _, _ := strings.Cut(key, ".")
		sections[section] = true
	}
	named := 0
	for _, m := range regexp.MustCompile("`([a-z0-9_]+)((?:\\.[a-z0-9_]+)*)(?:: [^`]*)?`").FindAllStringSubmatch(prose(t), -1) {
		switch {
		case sections[m[1]] && m[2] != "":
			if named++; !slices.Contains(keys, m[1]+m[2]) {
				t.Errorf("ebms-profile.md names the key %s%s, which there is not", m[1], m[2])
			}
		case m[2] == "" && strings.Contains(m[1], "_"):
			t.Errorf("ebms-profile.md names %s without its section", m[1])
		}
	}
	if named < 50 {
		t.Errorf("only %d keys were compared", named)
	}
}

// Whatever may be agreed is in the profile.
func TestProfileTellsOfEveryKeyOfAnAgreement(t *testing.T) {
	own := []string{"agreements.id", "agreements.partner", "agreements.forms", "agreements.quirks"} // of no meaning to the messaging service
	for _, key := range configKeys(reflect.TypeFor[partners.AgreementConfig](), "agreements.") {
		if !strings.Contains(prose(t), "`"+key) && !slices.ContainsFunc(own, func(o string) bool { return key == o || strings.HasPrefix(key, o+".") }) && key != "agreements.service" {
			t.Errorf("ebms-profile.md does not tell of %s", key)
		}
	}
}

func TestProfileHasARowForEveryErrorCode(t *testing.T) {
	text := section(t, prose(t), "## 4.2 Errors")
	codes := 0
	for name, code := range source(t, "../ebms").constants {
		if !strings.HasPrefix(name, "Code") {
			continue
		}
		if codes++; !strings.Contains(text, "\n| `"+code+"` |") {
			t.Errorf("ebms-profile.md, errors: no row for %s", code)
		}
	}
	if codes < 9 {
		t.Errorf("package ebms has %d error codes", codes)
	}
}

func TestProfileHasARowForEveryDeviation(t *testing.T) {
	told, known := members(section(t, prose(t), "## What we tolerate")), partners.Deviations()
	slices.Sort(told)
	slices.Sort(known)
	if !slices.Equal(told, known) {
		t.Errorf("ebms-profile.md tells of %q, agreements know %q", told, known)
	}
}

func TestProfileHasARowForEveryMode(t *testing.T) {
	modes := []string{partners.SyncReplyNone, partners.SyncReplySignals, partners.SyncReplyBusinessSignals, partners.SyncReplyResponse, partners.SyncReplyBoth}
	if told := members(section(t, prose(t), "## 4.3 SyncReply")); !slices.Equal(told, modes) {
		t.Errorf("ebms-profile.md tells of the modes %q, agreements know %q", told, modes)
	}
	statuses := []string{
		string(ebms.StatusProcessed), string(ebms.StatusReceived), string(ebms.StatusNotRecognized), string(ebms.StatusUnAuthorized), string(ebms.StatusForwarded),
	}
	if told := members(section(t, prose(t), "## 7 Message Status")); !slices.Equal(told, statuses) {
		t.Errorf("ebms-profile.md tells of the statuses %q, package ebms knows %q", told, statuses)
	}
}

func TestProfileStatesTheDefaults(t *testing.T) {
	var a partners.AgreementConfig
	a.SetDefaults()
	c := config.Default()
	for key, value := range map[string]any{
		"agreements.retries": *a.Retries, "agreements.retry_interval": a.RetryInterval, "agreements.persist_duration": a.PersistDuration,
		"agreements.duplicate_elimination": *a.DuplicateElimination, "agreements.ack_requested": *a.AckRequested,
		"agreements.answer_action": "`" + a.AnswerAction + "`",
		"limits.body_bytes":        sized(c.Limits.BodyBytes), "limits.parts": c.Limits.Parts, "limits.header_bytes": sized(c.Limits.HeaderBytes),
		"limits.envelope_bytes": sized(c.Limits.EnvelopeBytes), "limits.read_timeout": c.Limits.ReadTimeout,
		"delivery.connect_timeout": c.Delivery.ConnectTimeout, "delivery.response_timeout": c.Delivery.ResponseTimeout,
		"delivery.response_max_bytes": sized(c.Delivery.ResponseMaxBytes),
	} {
		cell := `\| ` + regexp.QuoteMeta(stated(value)) + `(,[^|]*)? \| `
		if !regexp.MustCompile("(?m)^.*" + cell + "`" + key + "`").MatchString(prose(t)) {
			t.Errorf("ebms-profile.md: no row with the default %s of %s", stated(value), key)
		}
	}
	if live := time.Duration(*a.Retries+1) * a.RetryInterval; !strings.Contains(prose(t), "| TimeToLive | "+stated(live)+" |") {
		t.Errorf("ebms-profile.md: TimeToLive is not %s", stated(live))
	}
	for _, text := range []string{
		"`agreements.order_gap` (" + a.OrderGap.String()[:len("24h")],
		fmt.Sprintf("%d such in a row at one partner (`delivery.breaker_failures`)", c.Delivery.BreakerFailures),
		fmt.Sprintf("after %.0f s (`delivery.breaker_pause`)", c.Delivery.BreakerPause.Seconds()),
		fmt.Sprintf("`delivery.backoff_max` (%.0fh)", c.Delivery.BackoffMax.Hours()),
		fmt.Sprintf("At most %d messages at a time", c.Delivery.PerPartner),
		fmt.Sprintf("its size / %d KiB/s | `limits.read_timeout`, `limits.min_rate`", c.Limits.MinRate>>10),
		fmt.Sprintf("size / %d KiB/s | `delivery.response_timeout`, `delivery.min_rate`", c.Delivery.MinRate>>10),
		fmt.Sprintf("`listeners.partner.tls.client_auth`: `%s` (default)", c.Listeners.Partner.TLS.ClientAuth),
	} {
		if !strings.Contains(strings.Join(strings.Fields(prose(t)), " "), text) {
			t.Errorf("ebms-profile.md does not say %q", text)
		}
	}
	if a.AllowSHA1 || a.AllowECDSADER || !strings.Contains(prose(t), "`agreements.allow_sha1` (default false)") {
		t.Error("ebms-profile.md tells another default of agreements.allow_sha1")
	}
}

// prose is the profile without what it quotes of the examples.
func prose(t *testing.T) string {
	t.Helper()
	return regexp.MustCompile("(?s)```.*?```").ReplaceAllString(read(t, "ebms-profile.md"), "")
}

func sized[T int | int64](bytes T) string {
	if bytes >= 1<<20 {
		return strconv.Itoa(int(bytes>>20)) + " MiB"
	}
	return strconv.Itoa(int(bytes>>10)) + " KiB"
}

// stated is a default as the profile writes it.
func stated(value any) string {
	d, ok := value.(time.Duration)
	switch {
	case !ok:
		return fmt.Sprint(value)
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d > time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d == time.Minute:
		return "1 min"
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// configKeys lists the keys of a section and of the sections within, lists without their index.
func configKeys(t reflect.Type, prefix string) (keys []string) {
	for i := range t.NumField() {
		name, typ := t.Field(i).Tag.Get("yaml"), t.Field(i).Type
		if name == "" {
			continue
		}
		keys = append(keys, prefix+name)
		if typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() == reflect.Struct && typ != reflect.TypeFor[time.Time]() {
			keys = append(keys, configKeys(typ, prefix+name+".")...)
		}
	}
	return keys
}
