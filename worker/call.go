package worker

import (
	"context"
	"io"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
)

// submission is what the provider is told. The body is in s.guard once it was
// opened; sent is called before its last byte is let go, and may be nil.
func (s *step) submission(name string, sent func() error) extraction.Submission {
	sub := extraction.Submission{
		Name: name, ContentType: s.rec.Document.ContentType, URL: string(s.rec.Document.URL),
		Type: s.rec.Type, Types: s.rec.Types, ConfigName: s.rec.ConfigName,
		Environment: s.rec.Environment, Customer: s.rec.Customer, Options: s.rec.Options,
	}
	if s.acct.HookURL != "" {
		sub.Webhook = &extraction.Webhook{URL: s.acct.HookURL, Payload: s.rec.ID}
	}
	if s.rec.Document.Bytes == nil {
		return sub
	}
	sub.Bytes = *s.rec.Document.Bytes
	sub.Body = func() (io.ReadCloser, error) {
		body, err := s.w.cfg.Blobs.OpenVerified(s.ctx, s.rec.ID, s.rec.Document)
		if err != nil {
			s.bodyErr = err
			return nil, err
		}
		if s.guard != nil {
			_, _ = s.guard.settle() // The upload was sent elsewhere and begins anew.
		}
		s.guard = &guard{body: body, hold: s.hold, left: sub.Bytes, last: sent}
		return s.guard, nil
	}
	return sub
}

// settleBody ends the reading of the document and reports whether its last byte
// was let go. It is called after every call that may have read it.
func (s *step) settleBody() (released bool) {
	if s.guard == nil {
		return false
	}
	released, err := s.guard.settle()
	if err != nil {
		s.bodyErr = err
	}
	return released
}

// calling bounds one vendor call by its progress: the document goes out and the answer
// comes in as fast as the line lets them.
func (s *step) calling() (context.Context, context.CancelFunc) {
	return transfer.WithTimeout(transfer.SpoolTo(s.ctx, s.w.cfg.Blobs.Scratch()), s.w.cfg.Stall)
}
