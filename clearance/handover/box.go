package handover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Names that stand after that of a parcel.
const (
	// SuffixDigest is the file with its digest, in the form of sha256sum. It is there before the parcel has its name.
	SuffixDigest = ".sha256"
	// SuffixConfirmed is the receiver's file that confirms it: empty, or a Confirmation.
	SuffixConfirmed = ".ok"
	// SuffixRefused is the receiver's file that refuses it; its first line is why.
	SuffixRefused = ".refused"
)

// BoxOptions say how a folder is used that the customs system looks into.
type BoxOptions struct {
	// Folder is where parcels are put. Its user may write there.
	Folder string
	// ConfirmFolder is where the customs system puts its confirmations; "" is Folder.
	ConfirmFolder string
	// ByRemoval: the customs system confirms a parcel by taking it away and leaving its digest there. A folder that is not mounted has
	// neither, and confirms nothing.
	ByRemoval bool
}

// box delivers parcels into a folder, here or elsewhere.
type box struct {
	BoxOptions
	// open gives access to the folders; the caller closes it.
	open func(ctx context.Context) (place, error)
}

// place is a file system with the folders of a box.
type place interface {
	// read gives a file of at most so many octets. The error wraps fs.ErrNotExist if there is none.
	read(path string, most int64) ([]byte, error)
	// exists reports whether something has that name.
	exists(path string) (bool, error)
	// write makes a file that is there whole or not at all, durable as far as the place can.
	write(path string, content []byte) error
	join(folder, name string) string
	Close() error
}

var _ Inquirer = (*box)(nil)

// Deliver implements Deliverer. A parcel that lies there already, or was confirmed meanwhile, is left as it is.
func (b *box) Deliver(ctx context.Context, p Parcel) (Confirmation, error) {
	at, err := b.open(ctx)
	if err != nil {
		return Confirmation{}, err
	}
	defer at.Close()
	c, err := b.answer(at, p)
	if err != nil || c.Status == VerdictConfirmed {
		return c, err
	}
	path := at.join(b.Folder, p.Name())
	there, err := at.read(path, MaxParcel+maxManifest)
	if err == nil && digestOf(there) == p.SHA256 {
		return c, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	if err := at.write(path+SuffixDigest, fmt.Appendf(nil, "%s  %s\n", p.SHA256, p.Name())); err != nil {
		return c, err
	}
	return c, at.write(path, p.Content)
}

// Inquire implements Inquirer.
func (b *box) Inquire(ctx context.Context, p Parcel) (Confirmation, error) {
	at, err := b.open(ctx)
	if err != nil {
		return Confirmation{}, err
	}
	defer at.Close()
	c, err := b.answer(at, p)
	if err != nil || c.Status != VerdictNone || !b.ByRemoval {
		return c, err
	}
	return b.removed(at, p)
}

// answer is what the receiver's files say of a parcel.
func (b *box) answer(at place, p Parcel) (Confirmation, error) {
	folder := b.ConfirmFolder
	if folder == "" {
		folder = b.Folder
	}
	text, err := at.read(at.join(folder, p.Name()+SuffixRefused), MaxConfirmation)
	if err == nil {
		why, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		if why = shortened(why); why == "" {
			why = "the customs system gave no reason"
		}
		return Confirmation{}, &Refusal{why}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Confirmation{}, err
	}
	path := at.join(folder, p.Name()+SuffixConfirmed)
	text, err = at.read(path, MaxConfirmation)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Confirmation{}, nil
	case err != nil:
		return Confirmation{}, err
	case len(bytes.TrimSpace(text)) == 0:
		return Confirmation{Status: VerdictConfirmed, SHA256: p.SHA256}, nil
	}
	c, err := ReadConfirmation(text)
	if err != nil {
		return Confirmation{}, fmt.Errorf("%s: %w", path, err)
	}
	return c.about(p)
}

// removed is the confirmation of a parcel of which the digest alone is left.
func (b *box) removed(at place, p Parcel) (Confirmation, error) {
	path := at.join(b.Folder, p.Name())
	if there, err := at.exists(path); err != nil || there {
		return Confirmation{}, err
	}
	left, err := at.read(path+SuffixDigest, MaxConfirmation)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Confirmation{}, nil
	case err != nil:
		return Confirmation{}, err
	case !strings.HasPrefix(string(left), p.SHA256):
		return Confirmation{}, nil
	}
	return Confirmation{Status: VerdictConfirmed, SHA256: p.SHA256}, nil
}
