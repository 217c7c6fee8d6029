package worker

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/extractq/extractq/extraction"
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
		body, err := s.w.cfg.Blobs.OpenDocument(s.ctx, s.rec.ID)
		if err != nil {
			s.bodyErr = err
			return nil, err
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

// calling bounds one vendor call; the error says which limit it was.
func (s *step) calling(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(s.ctx, d, fmt.Errorf("no answer within %v", d))
}

// pollCall bounds a call without a document.
const pollCall = 30 * time.Second

// sendCall bounds a call with a document: a minute, and what the bytes take at
// 100 kB/s.
func sendCall(bytes int64) time.Duration {
	return time.Minute + time.Duration(bytes/100_000)*time.Second
}
