package handover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SFTPOptions say where and how parcels are put by SFTP.
type SFTPOptions struct {
	BoxOptions
	// Address is host:port, User who logs in.
	Address, User string
	// Auth are the ways to log in, tried in their order; at least one.
	Auth []ssh.AuthMethod
	// HostKeys judges the server's key; required.
	HostKeys HostKeys
	// Control is net.Dialer.Control; nil lets every address be dialled.
	Control func(network, address string, conn syscall.RawConn) error
	// ConnectTimeout bounds a connection's beginning; 0 for 10 seconds.
	ConnectTimeout time.Duration
}

// HostKeys says which key a server has to show. The zero value takes none.
type HostKeys struct {
	check      ssh.HostKeyCallback
	algorithms func(address string) []string
}

// KnownHosts takes the keys that files in the form of OpenSSH's known_hosts have for a server; one that they mark as revoked is not taken.
func KnownHosts(files ...string) (HostKeys, error) {
	check, err := knownhosts.New(files...)
	if err != nil {
		return HostKeys{}, err
	}
	return HostKeys{check, func(address string) []string { return knownAlgorithms(check, address) }}, nil
}

// preferred are the host keys that a server of which only fingerprints are known is asked for, in the order that OpenSSH asks in.
var preferred = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
}

// Fingerprints takes a server whose key has one of these fingerprints, "SHA256:" and base64 as ssh-keygen -l prints them. A server that has
// several keys shows its Ed25519 one first, then ECDSA, then RSA; that one has to be among them.
func Fingerprints(list ...string) HostKeys {
	order := func(string) []string { return preferred }
	return HostKeys{algorithms: order, check: func(host string, _ net.Addr, key ssh.PublicKey) error {
		if found := ssh.FingerprintSHA256(key); !slices.Contains(list, found) {
			return fmt.Errorf("host key of %s: %s key %s is not one that is configured", host, key.Type(), found)
		}
		return nil
	}}
}

// knownAlgorithms are those of the keys that are known for a server, so that it shows one of these and not another that it has. The
// files tell them to who shows a key that they cannot have.
func knownAlgorithms(check ssh.HostKeyCallback, address string) (list []string) {
	var wrong *knownhosts.KeyError
	if err := check(address, &net.TCPAddr{IP: net.IPv4zero}, noKey{}); !errors.As(err, &wrong) {
		return nil
	}
	for _, known := range wrong.Want {
		names := []string{known.Key.Type()}
		if known.Key.Type() == ssh.KeyAlgoRSA { // RFC 8332: the key's type stays, its signatures have new names
			names = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
		}
		for _, name := range names {
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	return list
}

// noKey is a key that nobody has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("nothing verifies under it") }

// NewSFTP delivers by SFTP, as NewSpool does into a folder; the file is synced where the server has fsync@openssh.com. Each delivery and
// question is a connection of its own.
func NewSFTP(o SFTPOptions) (Inquirer, error) {
	switch _, _, err := net.SplitHostPort(o.Address); {
	case err != nil:
		return nil, fmt.Errorf("SFTP server: want host:port, found %q", o.Address)
	case o.User == "" || len(o.Auth) == 0:
		return nil, errors.New("SFTP server: want a user, and a key or a password")
	case o.HostKeys.check == nil:
		return nil, errors.New("SFTP server: want its host key; whoever answers in its place would get the parcels")
	case o.Folder == "":
		return nil, errors.New("SFTP server: want a folder for the parcels")
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 10 * time.Second
	}
	return &box{BoxOptions: o.BoxOptions, open: o.connect}, nil
}

// connect opens a connection, which ends with ctx.
func (o SFTPOptions) connect(ctx context.Context) (place, error) {
	fail := func(what string, err error) error {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("SFTP server %s: %s: %w", o.Address, what, err)
	}
	conn, err := (&net.Dialer{Timeout: o.ConnectTimeout, Control: o.Control}).DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, fail("connecting", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	at := &remotePlace{conn: conn, stop: stop}
	config := &ssh.ClientConfig{User: o.User, Auth: o.Auth, HostKeyCallback: o.HostKeys.check}
	if o.HostKeys.algorithms != nil {
		config.HostKeyAlgorithms = o.HostKeys.algorithms(o.Address)
	}
	client, channels, requests, err := ssh.NewClientConn(conn, o.Address, config)
	if err != nil {
		return nil, errors.Join(fail("logging in", err), at.Close())
	}
	at.ssh = ssh.NewClient(client, channels, requests)
	if at.Client, err = sftp.NewClient(at.ssh); err != nil {
		return nil, errors.Join(fail("beginning SFTP", err), at.Close())
	}
	return at, nil
}

// remotePlace is a server's files.
type remotePlace struct {
	*sftp.Client
	conn net.Conn
	ssh  *ssh.Client
	stop func() bool
}

// Close ends the connection. That it ended before is no error: what was written was answered for.
func (p *remotePlace) Close() error {
	p.stop()
	if p.Client != nil {
		p.Client.Close()
	}
	if p.ssh != nil {
		p.ssh.Close()
	}
	p.conn.Close()
	return nil
}

func (*remotePlace) join(folder, name string) string { return path.Join(folder, name) }

func (p *remotePlace) read(name string, most int64) ([]byte, error) {
	info, err := p.Lstat(name)
	if err != nil {
		return nil, remoteError("reading", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	file, err := p.Open(name)
	if err != nil {
		return nil, remoteError("reading", name, err)
	}
	defer file.Close()
	content, err := readMost(file, name, most)
	if err != nil {
		return nil, remoteError("reading", name, err)
	}
	return content, nil
}

func (p *remotePlace) exists(name string) (bool, error) {
	_, err := p.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, remoteError("reading", name, err)
	}
	return true, nil
}

// write uploads under a name of its own, which the next attempt takes again, and renames.
func (p *remotePlace) write(name string, content []byte) error {
	temporary := path.Join(path.Dir(name), temporaryPrefix+path.Base(name)+temporarySuffix)
	if err := p.upload(temporary, content); err != nil {
		p.Remove(temporary) // what stays is no parcel, and is written over
		return err
	}
	if err := p.rename(temporary, name); err != nil {
		return remoteError("renaming to", name, err)
	}
	return nil
}

func (p *remotePlace) upload(name string, content []byte) error {
	file, err := p.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return remoteError("creating", name, err)
	}
	_, err = file.ReadFrom(bytes.NewReader(content))
	if _, ok := p.HasExtension("fsync@openssh.com"); ok && err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return remoteError("writing", name, err)
	}
	info, err := p.Stat(name)
	if err != nil {
		return remoteError("reading", name, err)
	}
	if info.Size() != int64(len(content)) {
		return fmt.Errorf("writing %s: %d of %d octets are there", name, info.Size(), len(content))
	}
	return nil
}

// rename takes the place of what is there; SFTP version 3 itself does not.
func (p *remotePlace) rename(from, to string) error {
	if _, ok := p.HasExtension("posix-rename@openssh.com"); ok {
		return p.PosixRename(from, to)
	}
	if err := p.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return p.Rename(from, to)
}

func remoteError(what, name string, err error) error { return fmt.Errorf("%s %s: %w", what, name, err) }
