package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ecogate/ecogate/clearance/notice"
	"github.com/ecogate/ecogate/eco"
	"github.com/ecogate/ecogate/partners"
)

// Notices are how people are told what happened.
type Notices struct {
	Mail     Mail     `yaml:"mail"`
	Webhooks Webhooks `yaml:"webhooks"`
	// TemplatesDir is a folder with words and frames of mails, in place of the program's own; "" for none.
	TemplatesDir string `yaml:"templates_dir" path:"folder"`
	// DigestAt is when daily digests go out, "15:04" in UTC.
	DigestAt string `yaml:"digest_at"`
	// Suppress is the window in which the same is told to a recipient once.
	Suppress time.Duration `yaml:"suppress"`
	// MaxQueue is how many notices may wait for one recipient.
	MaxQueue int `yaml:"max_queue"`
	// RetryFirst is the wait after a first failed attempt, RetryMax the longest one, GiveUp the age at which a notice fails.
	RetryFirst time.Duration `yaml:"retry_first"`
	RetryMax   time.Duration `yaml:"retry_max"`
	GiveUp     time.Duration `yaml:"give_up"`
	// Refusals in a row are those after which an address counts as failed.
	Refusals int `yaml:"refusals"`
	// Keep is how long notices that ended are kept.
	Keep       time.Duration `yaml:"keep"`
	Recipients []Recipient   `yaml:"recipients"`
}

// Mail is the server that mails go to; without a Host nothing is mailed.
type Mail struct {
	Host     string          `yaml:"host"`
	Port     int             `yaml:"port"`
	Security notice.Security `yaml:"security"`
	// CAFile holds the CAs that the server's credential must chain to; "" for the system's.
	CAFile string      `yaml:"ca_file" path:"true"`
	Auth   notice.Auth `yaml:"auth"`
	User   string      `yaml:"user"`
	// PasswordFile holds the password on its only line.
	PasswordFile string `yaml:"password_file" path:"true"`
	// Hello is the name in EHLO; "" for the machine's own.
	Hello          string        `yaml:"hello"`
	From           string        `yaml:"from"`
	ReplyTo        string        `yaml:"reply_to"`
	UnsubscribeURL string        `yaml:"unsubscribe_url"`
	Timeout        time.Duration `yaml:"timeout"`
}

// Webhooks are how notices are posted.
type Webhooks struct {
	// CAFile holds the CAs that webhooks' credentials must chain to; "" for the system's.
	CAFile  string        `yaml:"ca_file" path:"true"`
	Timeout time.Duration `yaml:"timeout"`
	// DisableAfter is how long a webhook may fail until it is disabled.
	DisableAfter time.Duration `yaml:"disable_after"`
}

// Recipient is somebody who is told. Exactly one of Email and Webhook is set.
type Recipient struct {
	Name         string          `yaml:"name"`
	Audience     notice.Audience `yaml:"audience"`
	Email        string          `yaml:"email"`
	Webhook      string          `yaml:"webhook"`
	SecretFile   string          `yaml:"secret_file" path:"true"`
	AllowPrivate bool            `yaml:"allow_private"`
	AllowHTTP    bool            `yaml:"allow_http"`
	Language     string          `yaml:"language"`
	Events       []notice.Event  `yaml:"events"`
	Digest       notice.Pace     `yaml:"digest"`
	// Parties restrict importers' notices, APIKey brokers', IssuingBodies those of issuing bodies, Partners all.
	Parties       []string `yaml:"parties"`
	APIKey        string   `yaml:"api_key"`
	IssuingBodies []string `yaml:"issuing_bodies"`
	Partners      []string `yaml:"partners"`
}

// MaxRecipients is the most that Notices.Recipients may have.
const MaxRecipients = 1000

// DigestTime is DigestAt after midnight UTC.
func (n Notices) DigestTime() (time.Duration, error) {
	at, err := time.Parse("15:04", n.DigestAt)
	if err != nil || len(n.DigestAt) != len("15:04") {
		return 0, fmt.Errorf("%q is not a time of day such as 22:00", n.DigestAt)
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute, nil
}

func defaultNotices() Notices {
	return Notices{
		Mail:     Mail{Port: 587, Security: notice.StartTLS, Auth: notice.AuthNone, Timeout: notice.DefaultTimeout},
		Webhooks: Webhooks{Timeout: notice.DefaultTimeout, DisableAfter: notice.DefaultDisableAfter},
		DigestAt: "22:00", Suppress: notice.DefaultSuppress, MaxQueue: notice.DefaultMaxQueue,
		RetryFirst: notice.DefaultRetryFirst, RetryMax: notice.DefaultRetryMax, GiveUp: notice.DefaultGiveUp,
		Refusals: notice.DefaultRefusals, Keep: notice.DefaultKeep,
	}
}

func (l *loader) notices(c Config) {
	n := c.Notices
	_, digest := n.DigestTime()
	l.rules(rule{digest != nil, "notices.digest_at", fmt.Sprint(digest)})
	for _, d := range []struct {
		key   string
		value time.Duration
		least time.Duration
	}{
		{"suppress", n.Suppress, time.Second}, {"retry_first", n.RetryFirst, time.Second}, {"retry_max", n.RetryMax, n.RetryFirst},
		{"give_up", n.GiveUp, n.RetryFirst}, {"keep", n.Keep, n.Suppress}, {"mail.timeout", n.Mail.Timeout, time.Second},
		{"webhooks.timeout", n.Webhooks.Timeout, time.Second}, {"webhooks.disable_after", n.Webhooks.DisableAfter, time.Minute},
	} {
		l.rules(rule{d.value < d.least, "notices." + d.key, fmt.Sprintf("%s is less than %s", d.value, d.least)})
	}
	l.rules(
		rule{n.MaxQueue < 1 || n.MaxQueue > 100_000, "notices.max_queue", fmt.Sprintf("%d is not between 1 and 100000", n.MaxQueue)},
		rule{n.Refusals < 1, "notices.refusals", "must be at least 1"},
		rule{len(n.Recipients) > MaxRecipients, "notices.recipients", fmt.Sprintf("has %d entries; %d are the most", len(n.Recipients), MaxRecipients)},
		// An attempt is begun again after half an hour.
		rule{n.Mail.Timeout > time.Minute, "notices.mail.timeout", "must be at most 1m"},
		rule{n.Webhooks.Timeout > time.Minute, "notices.webhooks.timeout", "must be at most 1m"},
	)
	l.mail(n.Mail)
	names := map[string]bool{}
	for i, r := range n.Recipients {
		l.recipient(fmt.Sprintf("notices.recipients[%d]", i), r, c, names)
	}
}

func (l *loader) mail(m Mail) {
	if m.Host == "" {
		l.rules(rule{m.From != "" || m.User != "", "notices.mail.host", "is required, with the other keys of notices.mail"})
		return
	}
	_, from := notice.Sender(m.From)
	_, reply := notice.Sender(m.ReplyTo)
	u, err := url.Parse(m.UnsubscribeURL)
	l.rules(
		rule{m.Port < 1 || m.Port > 65535, "notices.mail.port", fmt.Sprintf("%d is no port", m.Port)},
		rule{!slices.Contains([]notice.Security{notice.StartTLS, notice.Implicit, notice.Plain}, m.Security), "notices.mail.security",
			fmt.Sprintf("%q is not starttls, implicit or none", m.Security)},
		rule{m.Security == notice.Plain && !isLoopback(m.Host+":0"), "notices.mail.security", "none is for a server on this machine: mails would travel in the clear"},
		rule{!slices.Contains(notice.Auths(), m.Auth), "notices.mail.auth", fmt.Sprintf("%q is not one of %q", m.Auth, notice.Auths())},
		rule{m.Auth != notice.AuthNone && m.Security == notice.Plain, "notices.mail.auth", "needs security starttls or implicit, or the password would travel in the clear"},
		rule{m.Auth != notice.AuthNone && (m.User == "" || m.PasswordFile == ""), "notices.mail.auth", "needs user and password_file"},
		rule{m.Auth == notice.AuthNone && (m.User != "" || m.PasswordFile != ""), "notices.mail.auth", "none excludes user and password_file"},
		rule{from != nil, "notices.mail.from", fmt.Sprint(from)},
		rule{m.ReplyTo != "" && reply != nil, "notices.mail.reply_to", fmt.Sprint(reply)},
		rule{m.UnsubscribeURL != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(m.UnsubscribeURL, "<>, \r\n")), "notices.mail.unsubscribe_url",
			fmt.Sprintf("%q is not an https address", m.UnsubscribeURL)},
	)
}

var recipientName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (l *loader) recipient(at string, r Recipient, c Config, names map[string]bool) {
	address, hook := notice.CheckAddress(r.Email), notice.CheckURL(r.Webhook, r.AllowHTTP)
	known := slices.ContainsFunc(c.APIKeys, func(k APIKey) bool { return k.Name == r.APIKey && k.Role == RoleBroker })
	l.rules(
		rule{!recipientName.MatchString(r.Name), at + ".name", "is required: letters, digits, dots, dashes and underscores, 64 at most"},
		rule{strings.HasPrefix(r.Name, "sub-"), at + ".name", "begins with sub-, as the subscriptions do that users make"},
		rule{names[r.Name], at + ".name", fmt.Sprintf("%q is another entry's too", r.Name)},
		rule{!slices.Contains(notice.Audiences(), r.Audience), at + ".audience", fmt.Sprintf("%q is not one of %q", r.Audience, notice.Audiences())},
		rule{(r.Email == "") == (r.Webhook == ""), at, "takes exactly one of email and webhook"},
		rule{r.Email != "" && address != nil, at + ".email", fmt.Sprint(address)},
		rule{r.Email != "" && c.Notices.Mail.Host == "", at + ".email", "needs notices.mail"},
		rule{r.Webhook != "" && hook != nil, at + ".webhook", fmt.Sprint(hook)},
		rule{(r.Webhook != "") != (r.SecretFile != ""), at + ".secret_file", "goes with webhook, and webhook with it"},
		rule{r.Webhook == "" && (r.AllowPrivate || r.AllowHTTP), at, "allow_private and allow_http are for webhooks"},
		rule{!slices.Contains(notice.Paces(), r.Digest), at + ".digest", fmt.Sprintf("%q is not hourly or daily", r.Digest)},
		rule{r.Webhook != "" && r.Digest != notice.Single, at + ".digest", "is for e-mail"},
		rule{len(r.Parties) > 0 && r.Audience != notice.Importers, at + ".parties", "are for the audience importer"},
		rule{r.APIKey != "" && r.Audience != notice.Brokers, at + ".api_key", "is for the audience broker"},
		rule{r.APIKey != "" && !known, at + ".api_key", fmt.Sprintf("%q is not one of api_keys with the role broker", r.APIKey)},
		rule{len(r.IssuingBodies) > 0 && r.Audience != notice.IssuingBodies, at + ".issuing_bodies", "are for the audience issuing-body"},
	)
	names[r.Name] = true
	for i, e := range r.Events {
		l.rules(rule{!slices.Contains(notice.EventsFor(r.Audience), e), fmt.Sprintf("%s.events[%d]", at, i),
			fmt.Sprintf("%q is not one of %q", e, notice.EventsFor(r.Audience))})
	}
	for i, p := range r.Parties {
		if _, err := eco.ParsePartyName(p); err != nil {
			l.add(fmt.Sprintf("%s.parties[%d]", at, i), "%v", err)
		}
	}
	for i, p := range r.Partners {
		l.rules(rule{!slices.ContainsFunc(c.Partners, func(q partners.PartnerConfig) bool { return q.ID == p }), fmt.Sprintf("%s.partners[%d]", at, i),
			fmt.Sprintf("%q is not one of partners", p)})
	}
}

// NoticeRecipients are those of notices.recipients, with the secrets of webhooks, which are read from their files. One whose secrets cannot be read is not
// among them, and the error, an *Error, tells why.
func (c Config) NoticeRecipients(readFile func(string) ([]byte, error)) ([]notice.Recipient, error) {
	var out []notice.Recipient
	var problems []error
	for i, r := range c.Notices.Recipients {
		to := notice.Recipient{
			ID: r.Name, Audience: r.Audience, Address: r.Email, URL: r.Webhook, AllowPrivate: r.AllowPrivate, AllowHTTP: r.AllowHTTP, Language: r.Language,
			Events: r.Events, Digest: r.Digest, Owner: r.APIKey, Bodies: r.IssuingBodies, Partners: r.Partners,
		}
		for _, text := range r.Parties {
			party, err := eco.ParsePartyName(text)
			problems = append(problems, err)
			to.Parties = append(to.Parties, party)
		}
		if r.Webhook != "" {
			text, err := readFile(r.SecretFile)
			if err == nil {
				to.Secrets, err = notice.ParseSecrets(text)
			}
			if err != nil {
				problems = append(problems, c.Problem(fmt.Sprintf("notices.recipients[%d].secret_file", i), err.Error()))
				continue
			}
		}
		out = append(out, to)
	}
	if errors.Join(problems...) == nil {
		return out, nil
	}
	return out, c.Join(problems...)
}
