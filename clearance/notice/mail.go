package notice

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// Security is how a mail server's connection is protected.
type Security string

// The ways. No mail travels in the clear because a server stopped offering STARTTLS.
const (
	StartTLS Security = "starttls" // RFC 3207, required
	Implicit Security = "implicit" // RFC 8314 §3.3: TLS from the first octet
	Plain    Security = "none"     // in the clear, for a server on this machine
)

// Auth is how the node proves to the mail server who it is.
type Auth string

// The mechanisms. AuthAny takes the first in this order that the server offers.
const (
	AuthNone   Auth = "none"
	AuthAny    Auth = "any"
	AuthSCRAM  Auth = "scram-sha-256"
	AuthSCRAM1 Auth = "scram-sha-1"
	AuthPlain  Auth = "plain"
	AuthLogin  Auth = "login"
)

// mechanisms are those of each Auth.
var mechanisms = map[Auth]mail.SMTPAuthType{
	AuthSCRAM: mail.SMTPAuthSCRAMSHA256, AuthSCRAM1: mail.SMTPAuthSCRAMSHA1, AuthPlain: mail.SMTPAuthPlain, AuthLogin: mail.SMTPAuthLogin,
}

// Auths lists every Auth.
func Auths() []Auth { return []Auth{AuthNone, AuthAny, AuthSCRAM, AuthSCRAM1, AuthPlain, AuthLogin} }

// MailOptions say which server takes the mail, and whose it is. Host, Port, From and Now are required.
type MailOptions struct {
	Host string
	Port int
	// Security is StartTLS if empty. Roots are the CAs that the server's credential must chain to, for the name Host; nil for the system's.
	Security Security
	Roots    *x509.CertPool
	// Auth is AuthNone if empty. PasswordFile holds the password of User on its only line, and is read for each connection.
	Auth         Auth
	User         string
	PasswordFile string
	// Hello is the name in EHLO; empty for the name of this machine.
	Hello string
	// From and ReplyTo are addresses, with or without a name before them; ReplyTo is optional.
	From, ReplyTo string
	// Unsubscribe is an https address for the field List-Unsubscribe, in which {recipient} is replaced; empty for a mail to ReplyTo, or From.
	Unsubscribe string
	// Timeout bounds the making of a connection, and each message by itself; 0 for DefaultTimeout.
	Timeout time.Duration
	Now     func() time.Time
}

// Mailer sends e-mail through one server. It is safe for concurrent use; each call of send has a connection of its own.
type Mailer struct {
	MailOptions
	from    *netmail.Address
	replyTo *netmail.Address
}

// NewMailer checks the options; it connects to nothing.
func NewMailer(o MailOptions) (*Mailer, error) {
	m := &Mailer{MailOptions: o}
	if m.Security == "" {
		m.Security = StartTLS
	}
	if m.Auth == "" {
		m.Auth = AuthNone
	}
	if m.Timeout == 0 {
		m.Timeout = DefaultTimeout
	}
	if o.Host == "" || o.Port < 1 || o.Port > 65535 || o.Now == nil {
		return nil, errors.New("mail: Host, Port and Now are required")
	}
	if _, known := mechanisms[m.Auth]; !known && m.Auth != AuthNone && m.Auth != AuthAny {
		return nil, fmt.Errorf("mail: auth %q is not one of %q", m.Auth, Auths())
	}
	if m.Auth != AuthNone && m.Security == Plain {
		return nil, errors.New("mail: a password would travel in the clear; use starttls or implicit, or auth none")
	}
	var err error
	if m.from, err = Sender(o.From); err != nil {
		return nil, fmt.Errorf("mail: from: %w", err)
	}
	if o.ReplyTo != "" {
		if m.replyTo, err = Sender(o.ReplyTo); err != nil {
			return nil, fmt.Errorf("mail: reply to: %w", err)
		}
	}
	return m, nil
}

// Sender reads an address with or without a name, such as "Korea Customs <eco@customs.example.kr>".
func Sender(text string) (*netmail.Address, error) {
	a, err := netmail.ParseAddress(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address such as Customs <eco@customs.example>: %w", line(text, MaxAddress), err)
	}
	if a.Name != line(a.Name, maxName) {
		return nil, fmt.Errorf("the name before %q is too long, or holds what cannot be printed", a.Address)
	}
	return a, CheckAddress(a.Address)
}

// letter is a mail without its envelope. id makes the Message-ID, the same in every attempt.
type letter struct {
	id, language, subject, text, html string
}

// send sends letters to r over one connection, and gives a result for each: nil once the server has taken it, or a *failure. After one that
// shows that the connection or the server is of no use, the others are not tried, and have the same result.
func (m *Mailer) send(ctx context.Context, r Recipient, letters []letter) []error {
	results := make([]error, len(letters))
	if len(letters) == 0 {
		return results
	}
	if err := CheckAddress(r.Address); err != nil {
		return same(len(letters), &failure{refused, err, 0})
	}
	client, hangUp, err := m.connect(ctx)
	defer hangUp()
	if err != nil {
		return same(len(letters), err)
	}
	for i, l := range letters {
		if ctx.Err() != nil {
			copy(results[i:], same(len(letters)-i, &failure{temporary, ctx.Err(), 0}))
			break
		}
		message, err := m.message(r, l)
		if err != nil {
			results[i] = &failure{unusable, err, 0}
			continue
		}
		results[i] = judged(client.Send(message), message)
		failed := (*failure)(nil)
		if errors.As(results[i], &failed) && (failed.class == temporary || failed.class == setup) {
			copy(results[i:], same(len(letters)-i, results[i]))
			break
		}
	}
	return results
}

// grace is how long a mail that is under way may take after the node was told to stop.
const grace = 3 * time.Second

// connect dials, and gives what closes the connection whatever became of it.
func (m *Mailer) connect(ctx context.Context) (*mail.Client, func(), error) {
	var conn net.Conn
	var client *mail.Client
	ended := make(chan struct{})
	hangUp := func() {
		close(ended)
		if client != nil {
			_ = client.Close() // QUIT; the server has taken what it has taken
		}
		if conn != nil {
			_ = conn.Close() // what failed half way is not closed by the client
		}
	}
	config := &tls.Config{ServerName: m.Host, RootCAs: m.Roots, MinVersion: tls.VersionTLS12, Time: m.Now}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dialer := &net.Dialer{Timeout: m.Timeout}
		var err error
		if m.Security == Implicit {
			conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, network, address)
		} else {
			conn, err = dialer.DialContext(ctx, network, address)
		}
		return conn, err
	}
	options := []mail.Option{
		mail.WithPort(m.Port), mail.WithTimeout(m.Timeout), mail.WithTLSConfig(config), mail.WithDialContextFunc(dial), mail.WithoutNoop(), mail.WithoutSMTPUTF8(),
	}
	switch m.Security {
	case StartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case Implicit:
		options = append(options, mail.WithSSL())
	default:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if m.Hello != "" {
		options = append(options, mail.WithHELO(m.Hello))
	}
	identity, err := m.identity()
	if err != nil {
		return nil, hangUp, &failure{setup, err, 0}
	}
	made, err := mail.NewClient(m.Host, append(options, identity...)...)
	if err != nil {
		return nil, hangUp, &failure{setup, fmt.Errorf("mail server %s: %w", m.Host, err), 0}
	}
	if err := made.DialWithContext(ctx); err != nil {
		return nil, hangUp, &failure{dialled(err), fmt.Errorf("mail server %s: %w", net.JoinHostPort(m.Host, fmt.Sprint(m.Port)), err), 0}
	}
	client = made
	// The library listens to its timeout alone. A mail that is under way when the node stops has a moment to be taken: one that the server took
	// and the node did not hear of is sent again.
	context.AfterFunc(ctx, func() {
		select {
		case <-ended:
		case <-time.After(grace):
			_ = conn.Close()
		}
	})
	return client, hangUp, nil
}

// identity are the options that prove who the node is.
func (m *Mailer) identity() ([]mail.Option, error) {
	if m.Auth == AuthNone {
		return nil, nil
	}
	data, err := os.ReadFile(m.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("password of the mail server: %w", err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" || strings.ContainsAny(password, "\r\n\x00") {
		return nil, fmt.Errorf("password of the mail server: %s: want one line", m.PasswordFile)
	}
	how := mail.WithSMTPAuth(mechanisms[m.Auth])
	if m.Auth == AuthAny {
		how = mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthSCRAMSHA1, mail.SMTPAuthPlain, mail.SMTPAuthLogin)
	}
	return []mail.Option{mail.WithUsername(m.User), mail.WithPassword(password), how}, nil
}

// dialled is the class of an error that came before the first message: only the operator can mend a server that shows the wrong credential,
// offers no TLS, or does not know the node. A name that does not resolve may be a fault of the name server.
func dialled(err error) class {
	var answer *textproto.Error
	var credential *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var network net.Error
	switch {
	case errors.As(err, &answer) && answer.Code/100 != 5:
		return temporary
	case errors.As(err, &answer), errors.As(err, &credential), errors.As(err, &record), errors.As(err, &alert):
		return setup
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return temporary
	}
	return setup // the library's own: no STARTTLS, no AUTH, no mechanism in common
}

// judged is the result of a message: nil, or a *failure.
func judged(err error, message *mail.Msg) error {
	if message.IsDelivered() { // what failed after that is the server's business
		return nil
	}
	if err == nil {
		return &failure{temporary, errors.New("the mail server did not take the message"), 0}
	}
	var failed *mail.SendError
	if !errors.As(err, &failed) {
		return &failure{temporary, err, 0}
	}
	code := failed.ErrorCode()
	switch {
	case code/100 != 5:
		return &failure{temporary, err, 0}
	case failed.Reason == mail.ErrSMTPMailFrom:
		return &failure{setup, err, 0} // the server does not like the node's own address
	case code == 552 || code == 554 && strings.HasPrefix(failed.EnhancedStatusCode(), "5.3."):
		return &failure{unusable, err, 0} // RFC 3463 §3.4: the message is too large for the system; nothing is wrong with the address
	}
	return &failure{refused, err, 0}
}

// message puts a letter into its envelope. Whatever comes from elsewhere is one line already; the library encodes what is not ASCII (RFC 2047).
func (m *Mailer) message(r Recipient, l letter) (*mail.Msg, error) {
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	message.FromMailAddress(m.from)
	if err := message.To(r.Address); err != nil {
		return nil, err
	}
	back := m.from
	if m.replyTo != nil {
		message.ReplyToMailAddress(m.replyTo)
		back = m.replyTo
	}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	message.Subject(line(l.subject, maxSubject))
	message.SetDateWithValue(m.Now())
	message.SetMessageIDWithValue(l.id + "@" + domain)
	message.SetGenHeaderPreformatted("Auto-Submitted", "auto-generated") // RFC 3834 §5
	message.SetGenHeaderPreformatted("X-Auto-Response-Suppress", "All")  // the same for Exchange
	message.SetGenHeaderPreformatted(mail.HeaderContentLang, l.language) // RFC 3282
	message.SetListUnsubscribe(m.unsubscribe(back.Address, r.ID))        // RFC 2369 §3.2
	message.SetBodyString(mail.TypeTextPlain, l.text)
	message.AddAlternativeString(mail.TypeTextHTML, l.html)
	return message, nil
}

// unsubscribe is where whoever wants no more mail says so.
func (m *Mailer) unsubscribe(back, recipient string) string {
	if m.Unsubscribe != "" {
		return strings.ReplaceAll(m.Unsubscribe, "{recipient}", url.PathEscape(recipient))
	}
	return "mailto:" + back + "?subject=" + url.PathEscape("unsubscribe "+recipient)
}
