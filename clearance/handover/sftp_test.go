package handover_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/ecogate/ecogate/clearance/handover"
)

// sshServer is OpenSSH's server on loopback, with files of its own.
type sshServer struct {
	address, folder string
	user            string
	host            map[string]ssh.PublicKey // by type
	client          ssh.Signer
}

const (
	sshdPath = "/usr/sbin/sshd"
	sftpPath = "/usr/lib/openssh/sftp-server"
)

// newKey is a private key in OpenSSH's form, in a file.
func newKey(t *testing.T, path string, key crypto.PrivateKey) ssh.Signer {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func edKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// startSSH starts a server. flags are those of sftp-server; limit bounds files, in blocks of 512 octets, 0 not at all.
func startSSH(t *testing.T, flags string, limit int) *sshServer {
	t.Helper()
	for _, path := range []string{sshdPath, sftpPath} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("%s is missing (Debian packages openssh-server and openssh-sftp-server)", path)
		}
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if me.Uid == "0" {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // root's sshd wants it for its helpers
			t.Skipf("/run/sshd: %v", err)
		}
	}
	dir := t.TempDir()
	s := &sshServer{folder: t.TempDir(), user: me.Username, host: map[string]ssh.PublicKey{}}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.PrivateKey{"host-ed25519": edKey(t), "host-rsa": rsaKey} {
		public := newKey(t, filepath.Join(dir, name), key).PublicKey()
		s.host[public.Type()] = public
	}
	s.client = newKey(t, filepath.Join(dir, "client"), edKey(t))
	authorised := filepath.Join(dir, "authorized_keys")
	if err := os.WriteFile(authorised, ssh.MarshalAuthorizedKey(s.client.PublicKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(s.address)
	config := fmt.Sprintf("ListenAddress 127.0.0.1\nPort %s\nHostKey %s\nHostKey %s\nPidFile none\nUsePAM no\nStrictModes no\nAuthorizedKeysFile %s\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp %s %s\n",
		port, filepath.Join(dir, "host-ed25519"), filepath.Join(dir, "host-rsa"), authorised, sftpPath, flags)
	path := filepath.Join(dir, "sshd_config")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("exec %s -D -e -f %s", sshdPath, path)
	if limit > 0 {
		command = fmt.Sprintf("trap '' XFSZ; ulimit -f %d; %s", limit, command)
	}
	s.run(t, exec.Command("/bin/sh", "-c", command))
	return s
}

// run starts the server and returns when it accepts connections.
func (s *sshServer) run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("sshd: %s", said.String())
		}
	})
	for {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("sshd ended: %v\n%s", err, said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// options are those of a client that knows the server.
func (s *sshServer) options() handover.SFTPOptions {
	return handover.SFTPOptions{
		BoxOptions: handover.BoxOptions{Folder: s.folder}, Address: s.address, User: s.user,
		Auth:     []ssh.AuthMethod{ssh.PublicKeys(s.client)},
		HostKeys: handover.Fingerprints(ssh.FingerprintSHA256(s.host[ssh.KeyAlgoED25519]), ssh.FingerprintSHA256(s.host[ssh.KeyAlgoRSA])),
	}
}

// newSFTPWorld is a world that delivers to a server with o.
func newSFTPWorld(t *testing.T, s *sshServer, o handover.SFTPOptions) *boxWorld {
	t.Helper()
	d, err := handover.NewSFTP(o)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, handover.Options{Deliverer: d, Times: handover.Times{Inquire: time.Minute, Resend: time.Hour, Timeout: 20 * time.Second}})
	return &boxWorld{world: w, folder: s.folder}
}

// known writes a file of known hosts with lines for a server's keys.
func known(t *testing.T, address string, keys ...ssh.PublicKey) handover.HostKeys {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	var text strings.Builder
	for _, k := range keys {
		fmt.Fprintln(&text, knownhosts.Line([]string{address}, k))
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := handover.KnownHosts(path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestSFTPDeliversAndHearsConfirmations(t *testing.T) {
	s := startSSH(t, "", 0)
	w := newSFTPWorld(t, s, s.options())
	w.deliver()
	w.lies(w.id)
	if got := w.names(); len(got) != 2 {
		t.Errorf("files: %q", got)
	}
	if h := w.asked(); h.State != handover.StateDelivered || h.Attempts != 1 {
		t.Errorf("before it is confirmed: %+v", h)
	}
	w.clock.add(time.Hour)
	w.look() // delivered again: it lies there already
	w.lies(w.id)
	w.put(w.id+".zip.ok", `{"status":"confirmed","sha256":"`+w.parcel.SHA256+`","reference":"C-3"}`)
	if h := w.asked(); h.State != handover.StateConfirmed || h.Reference != "C-3" {
		t.Errorf("confirmed: %+v", h)
	}
}

func TestSFTPConfirmedByRemoval(t *testing.T) {
	s := startSSH(t, "", 0)
	o := s.options()
	o.ByRemoval = true
	w := newSFTPWorld(t, s, o)
	w.deliver()
	if h := w.asked(); h.State != handover.StateDelivered {
		t.Errorf("while it lies there: %+v", h)
	}
	if err := os.Remove(filepath.Join(s.folder, w.id+".zip")); err != nil {
		t.Fatal(err)
	}
	if h := w.asked(); h.State != handover.StateConfirmed {
		t.Errorf("removed: %+v", h)
	}
}

func TestSFTPReplacesWhatIsNotTheParcel(t *testing.T) {
	s := startSSH(t, "", 0)
	w := newSFTPWorld(t, s, s.options())
	w.deliver()
	w.put(w.id+".zip", "half of it")
	w.clock.add(time.Hour)
	w.look()
	w.lies(w.id)
}

// A server is taken by one of its keys even if it would rather show another one.
func TestSFTPHostKeys(t *testing.T) {
	s := startSSH(t, "", 0)
	other, err := ssh.NewPublicKey(edKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys  handover.HostKeys
		taken bool
	}{
		"known by RSA":              {known(t, s.address, s.host[ssh.KeyAlgoRSA]), true},
		"known by Ed25519":          {known(t, s.address, s.host[ssh.KeyAlgoED25519]), true},
		"known by both":             {known(t, s.address, s.host[ssh.KeyAlgoED25519], s.host[ssh.KeyAlgoRSA]), true},
		"another key is known":      {known(t, s.address, other), false},
		"another server is known":   {known(t, "sftp.customs.example:22", s.host[ssh.KeyAlgoRSA]), false},
		"fingerprint":               {handover.Fingerprints(ssh.FingerprintSHA256(s.host[ssh.KeyAlgoED25519])), true},
		"fingerprint of another":    {handover.Fingerprints(ssh.FingerprintSHA256(other)), false},
		"fingerprints of no server": {handover.Fingerprints(), false},
	} {
		t.Run(name, func(t *testing.T) {
			o := s.options()
			o.HostKeys = c.keys
			w := newSFTPWorld(t, s, o)
			id := w.file(w.filing("26/"+name, "K0012500001"))
			w.look()
			h := w.get(id)
			_, err := os.Stat(filepath.Join(s.folder, id+".zip"))
			if (h.State == handover.StateDelivered) != c.taken || (err == nil) != c.taken {
				t.Errorf("%+v, %v", h, err)
			}
			if !c.taken && !strings.Contains(h.Log[0].Problem, "key") {
				t.Errorf("problem: %q", h.Log[0].Problem)
			}
		})
	}
}

func TestSFTPRefusedKeyOfTheClient(t *testing.T) {
	s := startSSH(t, "", 0)
	o := s.options()
	stranger, err := ssh.NewSignerFromKey(edKey(t))
	if err != nil {
		t.Fatal(err)
	}
	o.Auth = []ssh.AuthMethod{ssh.PublicKeys(stranger)}
	w := newSFTPWorld(t, s, o)
	id := w.file(w.filing("26/0001", "K0012500001"))
	w.look()
	if h := w.get(id); h.State != handover.StateWaiting || !strings.Contains(h.Log[0].Problem, "unable to authenticate") {
		t.Errorf("handover: %+v", h)
	}
}

// A server that may not be written, one without the folder, and one with a full disk keep the handover waiting; nothing has the parcel's name.
func TestSFTPServerThatCannotWrite(t *testing.T) {
	for name, c := range map[string]struct {
		flags   string
		limit   int
		folder  string
		problem string
	}{
		"may not be written": {flags: "-R", problem: "permission denied"},
		"full disk":          {limit: 1, problem: "writing "},
		"no such folder":     {folder: "gone", problem: "file does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSSH(t, c.flags, c.limit)
			o := s.options()
			o.Folder = filepath.Join(s.folder, c.folder)
			w := newSFTPWorld(t, s, o)
			id := w.file(w.filing("26/0001", "K0012500001", "K0012500002"))
			w.look()
			h := w.get(id)
			if h.State != handover.StateWaiting || !strings.Contains(h.Log[0].Problem, c.problem) {
				t.Errorf("handover: %+v", h)
			}
			for _, left := range w.names() {
				if strings.HasSuffix(left, ".zip") {
					t.Errorf("left %q", left)
				}
			}
		})
	}
}

// cutter passes octets on to a server until so many have come from the client, then ends the connection.
func cutter(t *testing.T, server string, after int64) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		open.Wait()
	})
	open.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				in.Close()
				continue
			}
			open.Go(func() { io.Copy(in, out) })
			open.Go(func() {
				io.CopyN(out, in, after)
				in.Close()
				out.Close()
			})
		}
	})
	return listener.Addr().String()
}

func TestSFTPConnectionThatEndsMidway(t *testing.T) {
	s := startSSH(t, "", 0)
	o := s.options()
	o.Address = cutter(t, s.address, 100_000)
	w := newSFTPWorld(t, s, o)
	f := w.filing("26/0001", "K0012500001")
	f.Original = bytes.Repeat([]byte("UNH+1'"), 1<<16)
	id := w.file(f)
	w.look()
	h := w.get(id)
	if h.State != handover.StateWaiting || h.Failures != 1 {
		t.Fatalf("handover: %+v", h)
	}
	if _, err := os.Stat(filepath.Join(s.folder, id+".zip")); err == nil {
		t.Fatal("half a parcel has its name")
	}
	d, err := handover.NewSFTP(s.options())
	if err != nil {
		t.Fatal(err)
	}
	w.reopen(handover.Options{Deliverer: d})
	w.clock.add(time.Minute)
	w.look()
	if w.parcel, err = w.desk.Parcel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	w.lies(id)
	if got := w.names(); len(got) != 2 {
		t.Errorf("files: %q", got)
	}
}

// A server that accepts a connection and is silent holds up nobody for longer than the timeout.
func TestSFTPSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	d, err := handover.NewSFTP(handover.SFTPOptions{
		BoxOptions: handover.BoxOptions{Folder: "in"}, Address: listener.Addr().String(), User: "u",
		Auth: []ssh.AuthMethod{ssh.Password("p")}, HostKeys: handover.Fingerprints("SHA256:x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Deliver(ctx, parcel); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// passwordServer is an SFTP server that takes one password.
func passwordServer(t *testing.T, password string) (address string, key ssh.PublicKey) {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(edKey(t))
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, said []byte) (*ssh.Permissions, error) {
		if string(said) != password {
			return nil, errors.New("wrong password")
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveSFTP(conn, config)
		}
	}()
	return listener.Addr().String(), signer.PublicKey()
}

func serveSFTP(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for c := range channels {
		channel, requests, err := c.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				r.Reply(r.Type == "subsystem", nil)
			}
		}()
		server, err := sftp.NewServer(channel)
		if err != nil {
			return
		}
		server.Serve()
		channel.Close()
	}
}

func TestSFTPPassword(t *testing.T) {
	address, key := passwordServer(t, "open sesame")
	for password, taken := range map[string]bool{"open sesame": true, "sesame": false} {
		folder := t.TempDir()
		d, err := handover.NewSFTP(handover.SFTPOptions{
			BoxOptions: handover.BoxOptions{Folder: folder}, Address: address, User: "ecogate",
			Auth: []ssh.AuthMethod{ssh.Password(password)}, HostKeys: known(t, address, key),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Deliver(t.Context(), parcel)
		got, _ := os.ReadFile(filepath.Join(folder, parcel.Name()))
		if (err == nil) != taken || bytes.Equal(got, parcel.Content) != taken {
			t.Errorf("password %q: %v, %q", password, err, got)
		}
	}
}

func TestSFTPOptionsThatAreNone(t *testing.T) {
	good := handover.SFTPOptions{
		BoxOptions: handover.BoxOptions{Folder: "in"}, Address: "customs.example:22", User: "u",
		Auth: []ssh.AuthMethod{ssh.Password("p")}, HostKeys: handover.Fingerprints("SHA256:x"),
	}
	if _, err := handover.NewSFTP(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(o *handover.SFTPOptions){
		"address without port": func(o *handover.SFTPOptions) { o.Address = "customs.example" },
		"no user":              func(o *handover.SFTPOptions) { o.User = "" },
		"no way to log in":     func(o *handover.SFTPOptions) { o.Auth = nil },
		"no host key":          func(o *handover.SFTPOptions) { o.HostKeys = handover.HostKeys{} },
		"no folder":            func(o *handover.SFTPOptions) { o.Folder = "" },
	} {
		o := good
		change(&o)
		if _, err := handover.NewSFTP(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
