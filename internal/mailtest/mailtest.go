// Package mailtest runs a mail server for tests: Postfix, as an instance of its own with its own configuration, queue and ports on loopback, so that the
// machine's own is left alone. It takes mail by SMTP with STARTTLS and with TLS from the first octet, asks Dovecot who a user is, and delivers
// everything into one maildir. A test says, at each step of a session, what it answers.
//
// It needs root, since Postfix changes users, and the Debian packages postfix and dovecot-core; without them tests are skipped.
//
// Read mailtest.go (the server), then policy.go (what it answers).
package mailtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// TB is what a test offers.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Cleanup(func())
	Failed() bool
}

// Options say what the server is like.
type Options struct {
	// KeyFile and ChainFile are its TLS credential; without them it offers no TLS.
	KeyFile, ChainFile string
	// User and Password are of the one user; without them it offers no AUTH.
	User, Password string
	// Mechanisms are those of AUTH that it offers; "" for SCRAM-SHA-256, SCRAM-SHA-1, PLAIN and LOGIN.
	Mechanisms string
	// Settings are further parameters of main.cf.
	Settings map[string]string
	// Decide answers at each step; nil accepts everything.
	Decide func(Step) string
}

// Server is a running server.
type Server struct {
	// Port takes SMTP, TLSPort TLS from the first octet.
	Port, TLSPort int
	dir           string
	// postfix and dovecot lead groups of their own, so that each ends with all that it has started.
	postfix, dovecot *process
}

// process is a daemon that this package started.
type process struct {
	*exec.Cmd
	complaints bytes.Buffer // until it has a log; to be read when it has ended
	done       chan struct{}
}

// start starts a daemon in the foreground; what keeps it from it shows when it does not answer.
func (s *Server) start(program string, args ...string) *process {
	p := &process{Cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.Stdout, p.Stderr = &p.complaints, &p.complaints
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.Start(); err != nil {
		p.complaints.WriteString(err.Error())
		close(p.done)
		return p
	}
	go func() {
		_ = p.Wait()
		close(p.done)
	}()
	return p
}

// kill ends it at once.
func (p *process) kill() {
	if p == nil || p.Process == nil {
		return
	}
	_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// Domain is where mail to anybody is delivered.
const Domain = "importers.example"

const (
	daemons = "/usr/lib/postfix/sbin"
	dovecot = "/usr/sbin/dovecot"
	// nobody owns what is delivered; Postfix refuses to do that as root.
	nobody = 65534
)

// Missing says what keeps a server from running here; nil if nothing does.
func Missing() error {
	if os.Getuid() != 0 {
		return errors.New("it takes root: Postfix changes users")
	}
	for file, debian := range map[string]string{"/usr/sbin/postfix": "postfix", dovecot: "dovecot-core"} {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("%w (Debian package %s)", err, debian)
		}
	}
	return nil
}

// Start starts a server, which ends with the test.
func Start(tb TB, o Options) *Server {
	tb.Helper()
	if err := Missing(); err != nil {
		tb.Skipf("no mail server: %v", err)
	}
	dir, err := os.MkdirTemp("", "mailtest-")
	if err != nil {
		tb.Fatalf("mail server: %v", err)
	}
	s := &Server{dir: dir, Port: freePort(tb), TLSPort: freePort(tb)}
	tb.Cleanup(func() {
		s.Stop()
		s.dovecot.kill()
		if tb.Failed() {
			tb.Logf("the mail server's log:\n%s", s.Log())
		}
		_ = os.RemoveAll(dir)
	})
	if err := s.prepare(tb, o); err != nil {
		tb.Fatalf("mail server: %v", err)
	}
	s.postfix = s.start(daemons+"/master", "-c", dir+"/etc", "-d")
	for deadline := time.Now().Add(20 * time.Second); ; {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)))
		if err == nil {
			_ = conn.Close()
			return s
		}
		if time.Now().After(deadline) {
			tb.Fatalf("mail server does not answer: %v\n%s", err, s.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop ends the server at once, in the middle of whatever it does. Again is no error.
func (s *Server) Stop() { s.postfix.kill() }

// Log is what the server wrote.
func (s *Server) Log() string {
	var out strings.Builder
	for _, name := range []string{"log", "sasl.log"} {
		text, _ := os.ReadFile(filepath.Join(s.dir, name))
		out.Write(text)
	}
	return out.String()
}

// Mails are those that were delivered, as they lie in the maildir, in the order of their delivery.
func (s *Server) Mails(tb TB) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "mail", "inbox", "new", "*"))
	if err != nil {
		tb.Fatalf("maildir: %v", err)
	}
	written := func(file string) time.Time {
		info, err := os.Stat(file)
		if err != nil {
			tb.Fatalf("maildir: %v", err)
		}
		return info.ModTime()
	}
	slices.SortFunc(files, func(a, b string) int { return written(a).Compare(written(b)) })
	var out []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatalf("maildir: %v", err)
		}
		out = append(out, string(text))
	}
	return out
}

// Wait waits until so many mails were delivered, and returns them.
func (s *Server) Wait(tb TB, count int) []string {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		mails := s.Mails(tb)
		if len(mails) >= count {
			return mails
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%d mails were delivered, want %d\n%s", len(mails), count, s.Log())
		}
	}
}

// prepare writes the configuration and makes the folders.
func (s *Server) prepare(tb TB, o Options) error {
	if err := os.Chmod(s.dir, 0o755); err != nil { // its daemons have other users
		return err
	}
	for _, folder := range []string{"etc", "queue", "data", "mail", "sasl", "dovecot"} {
		if err := os.Mkdir(filepath.Join(s.dir, folder), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chown(filepath.Join(s.dir, "mail"), nobody, nobody); err != nil {
		return err
	}
	postfix, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(postfix.Uid)
	if err != nil {
		return err
	}
	if err := os.Chown(filepath.Join(s.dir, "data"), uid, -1); err != nil {
		return err
	}
	settings := map[string]string{
		"compatibility_level": "3.6", "queue_directory": s.dir + "/queue", "data_directory": s.dir + "/data", "mail_owner": "postfix",
		"daemon_directory": daemons, "command_directory": "/usr/sbin", "maillog_file": s.dir + "/log", "maillog_file_prefixes": s.dir,
		"inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "myhostname": "mail.importers.example", "mydestination": "", "alias_maps": "", "local_recipient_maps": "",
		"virtual_mailbox_domains": Domain, "virtual_mailbox_base": s.dir + "/mail", "virtual_mailbox_maps": "static:inbox/",
		"virtual_uid_maps": "static:" + strconv.Itoa(nobody), "virtual_gid_maps": "static:" + strconv.Itoa(nobody), "virtual_minimum_uid": "1",
		"smtpd_delay_reject": "no", "smtpd_relay_restrictions": "reject_unauth_destination", "smtpd_peername_lookup": "no", "smtpd_tls_loglevel": "1",
		"smtpd_error_sleep_time": "0", "default_process_limit": "10", "smtpd_client_connection_rate_limit": "0",
	}
	if o.KeyFile != "" {
		settings["smtpd_tls_key_file"], settings["smtpd_tls_cert_file"], settings["smtpd_tls_security_level"] = s.dir+"/tls.key", s.dir+"/tls.pem", "may"
		for from, to := range map[string]string{o.KeyFile: "/tls.key", o.ChainFile: "/tls.pem"} {
			data, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			if err := os.WriteFile(s.dir+to, data, 0o600); err != nil {
				return err
			}
		}
	}
	if o.User != "" {
		if err := s.users(o, settings); err != nil {
			return err
		}
	}
	if o.Decide != nil {
		policy := "check_policy_service inet:" + answer(tb, o.Decide)
		for _, step := range []string{"client", "sender", "recipient", "data", "end_of_data"} {
			settings["smtpd_"+step+"_restrictions"] = policy
		}
	}
	for name, value := range o.Settings {
		settings[name] = value
	}
	var main bytes.Buffer
	for name, value := range settings {
		fmt.Fprintf(&main, "%s = %s\n", name, value)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "etc", "main.cf"), main.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "etc", "master.cf"), []byte(s.services()), 0o644); err != nil {
		return err
	}
	if out, err := exec.Command("/usr/sbin/postfix", "-c", s.dir+"/etc", "check").CombinedOutput(); err != nil {
		return fmt.Errorf("postfix check: %w: %s", err, out)
	}
	return nil
}

// users gives the server its user, whom a Dovecot of its own knows; Debian's Postfix with Cyrus SASL reads the machine's list of users alone.
func (s *Server) users(o Options, settings map[string]string) error {
	settings["smtpd_sasl_auth_enable"], settings["smtpd_sasl_type"], settings["smtpd_sasl_path"] = "yes", "dovecot", s.dir+"/sasl/auth"
	settings["smtpd_tls_auth_only"], settings["smtpd_sasl_tls_security_options"] = "yes", "noanonymous"
	mechanisms := o.Mechanisms
	if mechanisms == "" {
		mechanisms = "scram-sha-256 scram-sha-1 plain login"
	}
	conf := fmt.Sprintf(`base_dir = %[1]s/dovecot
state_dir = %[1]s/dovecot
log_path = %[1]s/sasl.log
protocols =
ssl = no
disable_plaintext_auth = no
auth_mechanisms = %[2]s
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = username_format=%%u %[1]s/users
}
userdb {
  driver = static
  args = uid=%[3]d gid=%[3]d home=%[1]s/mail
}
service auth {
  unix_listener %[1]s/sasl/auth {
    mode = 0666
  }
}
service stats {
  unix_listener stats-reader {
    mode = 0600
  }
  unix_listener stats-writer {
    mode = 0666
  }
}
`, s.dir, mechanisms, nobody)
	if err := os.WriteFile(s.dir+"/sasl/dovecot.conf", []byte(conf), 0o644); err != nil {
		return err
	}
	// What is kept in the clear serves every mechanism; nothing in it is secret.
	if err := os.WriteFile(s.dir+"/users", []byte(o.User+":{PLAIN}"+o.Password+"\n"), 0o644); err != nil {
		return err
	}
	s.dovecot = s.start(dovecot, "-F", "-c", s.dir+"/sasl/dovecot.conf")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("unix", s.dir+"/sasl/auth"); err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return errors.New("dovecot does not answer")
		}
	}
}

// services is master.cf: what takes, queues and delivers mail.
func (s *Server) services() string {
	return fmt.Sprintf(`127.0.0.1:%d inet n - n - - smtpd
127.0.0.1:%d inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - error
relay unix - - n - - error
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
`, s.Port, s.TLSPort)
}

// freePort is one that nobody listens on.
func freePort(tb TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("free port: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
