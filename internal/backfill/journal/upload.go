package journal

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/intake"
)

// The upload URLs of two-step submissions whose document has not arrived yet. They are
// secrets for fifteen minutes, and are only kept if Redis would forget them.

// Begun returns what intake.Client.Resume goes on with.
func (j *Journal) Begun(p Progress) intake.Begun {
	b := intake.Begun{
		VendorID: p.VendorID, UploadExpires: p.UploadExpires, SubmittedAt: p.SubmittedAt, SentAt: p.SentAt,
		RetryOf: p.RetryOf, Sought: p.Sought,
	}
	if !b.UploadExpires.IsZero() {
		b.UploadURL = j.upload(p.ID)
	}
	return b
}

func (j *Journal) uploadFile(id string) string { return filepath.Join(j.dir, "uploads", id) }

func (j *Journal) keepUpload(id, url string) error {
	if err := os.MkdirAll(filepath.Join(j.dir, "uploads"), 0o700); err != nil {
		return outFails(err)
	}
	err := os.WriteFile(j.uploadFile(id), []byte(url), 0o600)
	crash.After("upload URL")
	if err != nil {
		return outFails(err)
	}
	return nil
}

// upload is empty if the URL is lost: the submission then waits until it has expired.
func (j *Journal) upload(id string) string {
	url, err := os.ReadFile(j.uploadFile(id))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(url))
}

func (j *Journal) dropUpload(id string) {
	_ = os.Remove(j.uploadFile(id))
	crash.After("upload URL")
}
