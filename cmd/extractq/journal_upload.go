package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/intake"
)

// The upload URLs of submissions in two steps that have not got their document
// yet. They are secrets of fifteen minutes, and are kept only where Redis would
// forget them.

// Begun is what is to be gone on with.
func (j *journal) Begun(p progressed) intake.Begun {
	b := intake.Begun{
		VendorID: p.VendorID, UploadExpires: p.UploadExpires, SubmittedAt: p.SubmittedAt, SentAt: p.SentAt,
		RetryOf: p.RetryOf, Sought: p.Sought,
	}
	if !b.UploadExpires.IsZero() {
		b.UploadURL = j.upload(p.ID)
	}
	return b
}

func (j *journal) uploadFile(id string) string { return filepath.Join(j.dir, "uploads", id) }

func (j *journal) keepUpload(id, url string) error {
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

// upload is empty where the URL is lost: the submission then waits for its end.
func (j *journal) upload(id string) string {
	url, err := os.ReadFile(j.uploadFile(id))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(url))
}

func (j *journal) dropUpload(id string) {
	_ = os.Remove(j.uploadFile(id))
	crash.After("upload URL")
}
