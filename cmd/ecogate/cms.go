package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ecogate/ecogate/signing"
)

const cmsVerifyHelp = `Verify a signed announcement offline, such as a partner's next credentials, its list of issuing bodies, or a node's statement that
a certificate had not been received ("co not-received"): CMS SignedData in DER or PEM (.p7m with the content inside, .p7s with --content
beside it; - reads standard input), 4 MiB at most.

The signer must be one of the X.509 certificates in the files that --credential names; those inside the announcement are not
looked at. More is asked than the standard asks: one signer, signed attributes, their content type, DER throughout. Neither
revocation nor today's validity is looked at; whether the signer may announce this is for people to know.

With --out the content is written to a file (- for standard output, and nothing else), if the announcement is valid.
"openssl cms -sign -binary -nodetach -outform DER" makes such a file; -binary matters, or openssl changes the ends of lines.

Exit codes of this command:
  0  valid
  1  not valid; the last line says why
  2  a file cannot be read, or the command line is wrong`

var anAnnouncement = signedThing{name: "announcement", target: "content", intact: "the content is as the signer signed it"}

// announcementReport is what is known of a signed announcement. Without a good verdict nothing of it is repeated.
type announcementReport struct {
	Algorithm   string            `json:"algorithm,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Size        int               `json:"size,omitempty"`
	SHA256      string            `json:"sha256,omitempty"` // of the content
	SigningTime time.Time         `json:"signing_time,omitzero"`
	Signer      *credentialReport `json:"signer,omitempty"`
	Verdict     verdict           `json:"verdict"`
}

// contentData is the only content type of announcements, id-data (RFC 5652 §4).
const contentData = "1.2.840.113549.1.7.1"

func (c *cli) cmsCommand() *cobra.Command {
	return group("cms", "Verify signed announcements (CMS), offline", c.cmsVerify())
}

func (c *cli) cmsVerify() *cobra.Command {
	var flags judgeFlags
	var content, out string
	cmd := &cobra.Command{
		Use:   "verify FILE --credential FILE",
		Short: "Verify a signed announcement and write its content",
		Long:  cmsVerifyHelp,
		Args:  arguments("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(flags.files) == 0 {
				return &usageError{text: "--credential is missing", command: cmd.CommandPath()}
			}
			given, policy, err := flags.read()
			if err != nil {
				return &unreadable{err}
			}
			return c.verifyAnnouncement(announcementFiles{args[0], content, out}, given, policy)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&content, "content", "", "`file` with the content of an announcement that has none inside")
	cmd.Flags().StringVar(&out, "out", "", "write the content to `file` if it is valid")
	return cmd
}

// announcementFiles are an announcement, its content if that is beside it, and where the content goes; the last two may be "".
type announcementFiles struct{ cms, content, out string }

func (c *cli) verifyAnnouncement(files announcementFiles, given []candidate, p signing.Policy) error {
	cms, err := c.readWhole(files.cms)
	if err != nil {
		return err
	}
	var content []byte
	if files.content != "" {
		if content, err = c.readWhole(files.content); err != nil {
			return err
		}
	}
	verified, reason := signing.VerifyAnnouncement(cms, content, credentialsOf(given), p)
	if reason == nil && files.out != "" {
		if err := c.writeFile(files.out, verified.Octets); err != nil {
			return &unreadable{err}
		}
		if files.out == "-" {
			return nil
		}
	}
	r := reportAnnouncement(verified, reason, given)
	if err := c.print(r, func(w *columns) { announcementFields(w, r) }); err != nil {
		return &unreadable{err}
	}
	if reason != nil {
		return errNotValid
	}
	return nil
}

// readWhole reads a file that has to be there to its end.
func (c *cli) readWhole(name string) ([]byte, error) {
	data, err := c.readDocument(name)
	if err == nil && len(data) == maxDocument {
		err = &unreadable{fmt.Errorf("%s: more than %d bytes", inputName(name), maxDocument-1)}
	}
	if data == nil {
		data = []byte{} // empty, and there
	}
	return data, err
}

func reportAnnouncement(v *signing.Verified, reason error, given []candidate) announcementReport {
	if reason != nil {
		return announcementReport{Verdict: verdict{Reason: reason.Error()}}
	}
	digest := sha256.Sum256(v.Octets)
	r := announcementReport{
		Algorithm: v.Algorithm, ContentType: contentData, Size: len(v.Octets), SHA256: hex.EncodeToString(digest[:]),
		SigningTime: v.SigningTime, Verdict: verdict{Valid: true, Identified: true},
	}
	for _, one := range given {
		if one.x509Cert == v.Signer {
			signer := reportCredential(one.x509Cert, one.source, time.Time{})
			r.Signer = &signer
		}
	}
	return r
}

func announcementFields(c *columns, r announcementReport) {
	w := reportRows{c}
	if r.Verdict.Valid {
		w.field("signature", algorithmName(r.Algorithm))
		w.field("content type", "data ("+r.ContentType+")")
		w.field("content", fmt.Sprintf("%d bytes", r.Size))
		w.field("  sha256", r.SHA256)
		w.field("signing time", precise(r.SigningTime))
	}
	if r.Signer != nil {
		credentialFields(w, "signed by", *r.Signer)
	}
	w.row(shown(r.Verdict.sentence(anAnnouncement)))
}
