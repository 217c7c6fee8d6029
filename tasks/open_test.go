package tasks_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
)

// site is what workers have left behind: a document store below data.url, an identity in
// both, and registrations.
type site struct {
	cfg     tasks.Config
	blobs   *store.Blobs
	records *store.Records
	intake  *intake.Client // As extractq's own processes have one.
	client  *tasks.Client
}

func newSite(t *testing.T) *site {
	t.Helper()
	rdb := redistest.Client(t)
	s := &site{cfg: tasks.Config{Redis: "unix://" + rdb.Options().Addr, Data: t.TempDir()}}
	var err error
	if s.blobs, err = store.OpenBlobs(t.Context(), "file://"+s.cfg.Data+"/documents"); err != nil {
		t.Fatal(err)
	}
	if s.records, err = store.NewRecords(rdb); err != nil {
		t.Fatal(err)
	}
	if err := store.Pair(t.Context(), s.records, s.blobs, store.Terms{}); err != nil {
		t.Fatal(err)
	}
	for account, r := range map[string]store.Registration{
		"acme": {
			Provider: "sensible", FetchesURL: true, MaxDocument: 100, MaxBacklog: 2, CallbackHosts: []string{"127.0.0.1"},
			Kept: store.Kept{Record: time.Hour, Document: time.Hour},
		},
		"plain": {Provider: "typless"},
	} {
		if err := s.records.Register(t.Context(), account, r); err != nil {
			t.Fatal(err)
		}
		if err := s.records.SetWindow(t.Context(), account, store.Window{Released: 1000, InFlight: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	in, err := intake.New(intake.Parts{Redis: rdb, Blobs: s.blobs})
	if err != nil {
		t.Fatal(err)
	}
	s.intake = in.WithRegistered()
	if s.client, err = tasks.Open(t.Context(), s.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.client.Close() })
	return s
}

// A service that knows the two addresses of the configuration writes where the workers
// read, under the provider that they registered, also while none of them runs.
func TestOpen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e, err := s.client.Submit(t.Context(), tasks.Submission{Account: "acme", Type: "tax_forms", Name: "1040.pdf", Document: strings.NewReader("%PDF-1.7 x")})
	if err != nil || e.Provider != "sensible" || e.Document.ContentType != "application/pdf" {
		t.Fatalf("Submit = %+v, %v", e, err)
	}
	if has, err := s.blobs.HasDocument(t.Context(), e.ID); err != nil || !has {
		t.Errorf("the workers' store has the document: %v, %v", has, err)
	}
	if got, err := s.client.Get(t.Context(), e.ID); err != nil || got.Status != extraction.StatusQueued {
		t.Errorf("Get = %v, %v", got.Status, err)
	}
	if _, err := s.client.Get(t.Context(), store.NewID()); !errors.Is(err, tasks.ErrNotFound) {
		t.Errorf("Get of an unknown id = %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.client.Wait(short, e.ID); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait with no worker = %v", err)
	}
	done := make(chan extraction.Extraction, 1)
	go func() {
		got, err := s.client.Wait(t.Context(), e.ID)
		if err != nil {
			t.Errorf("Wait = %v", err)
		}
		done <- got
	}()
	if _, err := s.intake.Cancel(t.Context(), "acme", e.ID); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got.Status != extraction.StatusCanceled || got.ExpiresAt.IsZero() || time.Until(got.ExpiresAt.Time) < 30*time.Minute {
		t.Errorf("Wait = %s, kept until %v, want as long as the workers say", got.Status, got.ExpiresAt)
	}
}

// What no worker could carry out is refused, and so is all that the HTTP API refuses:
// nothing of it stays.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	good := func() tasks.Submission {
		return tasks.Submission{Account: "acme", Type: "tax_forms", Name: "a.pdf", Document: strings.NewReader("%PDF-1.7")}
	}
	for name, test := range map[string]struct {
		change func(*tasks.Submission)
		want   error
		says   string
	}{
		"unknown account":     {func(s *tasks.Submission) { s.Account = "nobody" }, tasks.ErrUnknownAccount, "no worker"},
		"no account":          {func(s *tasks.Submission) { s.Account = "" }, extraction.ErrInvalid, "account"},
		"another provider":    {func(s *tasks.Submission) { s.Provider = "typless" }, extraction.ErrInvalid, "sensible"},
		"too large":           {func(s *tasks.Submission) { s.Document = strings.NewReader(strings.Repeat("x", 101)) }, tasks.ErrTooLarge, ""},
		"a file":              {func(s *tasks.Submission) { s.Document, s.URL = nil, "file:///etc/passwd" }, extraction.ErrInvalid, "document_url"},
		"an internal URL":     {func(s *tasks.Submission) { s.Document, s.URL = nil, "http://127.0.0.1/x.pdf" }, extraction.ErrInvalid, "fetch.allow_hosts"},
		"an internal host":    {func(s *tasks.Submission) { s.CallbackURL = "http://10.0.0.1/hook" }, extraction.ErrInvalid, "callbacks.allow_hosts"},
		"no URL of a web":     {func(s *tasks.Submission) { s.CallbackURL = "gopher://x" }, extraction.ErrInvalid, "callback_url"},
		"no fetching":         {func(s *tasks.Submission) { s.Account, s.Document, s.URL = "plain", nil, "https://93.184.216.34/x" }, extraction.ErrInvalid, "document itself"},
		"not for this vendor": {func(s *tasks.Submission) { s.Account, s.Environment = "plain", "production" }, extraction.ErrInvalid, "environment"},
		"a media type":        {func(s *tasks.Submission) { s.ContentType, s.Document = "video/mp4", strings.NewReader("x") }, tasks.ErrMediaType, "media type"},
		"an unnamed video": {func(s *tasks.Submission) {
			s.Name, s.Document = "", strings.NewReader("\x1aE\xdf\xa3 a film")
		}, extraction.ErrInvalid, "media type"},
	} {
		sub := good()
		test.change(&sub)
		if e, err := s.client.Submit(t.Context(), sub); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: Submit = %s, %v, want %v that says %q", name, e.ID, err, test.want, test.says)
		}
	}
	if files, err := filepath.Glob(s.cfg.Data + "/documents/*/*"); err != nil || len(files) != 0 {
		t.Errorf("the document store has %q, %v", files, err)
	}
	sub := good()
	sub.CallbackURL = "http://127.0.0.1/hook" // The workers allow it.
	if _, err := s.client.Submit(t.Context(), sub); err != nil {
		t.Error(err)
	}
	if _, err := s.client.Submit(t.Context(), good()); err != nil {
		t.Error(err)
	}
	if _, err := s.client.Submit(t.Context(), good()); !errors.Is(err, tasks.ErrBacklog) {
		t.Errorf("the third of two = %v, want %v", err, tasks.ErrBacklog)
	}
}

// A store that is not the workers' is refused, and no folder is made for it; one that
// becomes another's under a running service is, too.
func TestOpenOtherStore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := filepath.Join(t.TempDir(), "other")
	if _, err := tasks.Open(t.Context(), tasks.Config{Redis: s.cfg.Redis, Data: other}); !errors.Is(err, tasks.ErrOtherStore) {
		t.Errorf("Open = %v, want %v", err, tasks.ErrOtherStore)
	}
	if _, err := os.Stat(other); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(other, "documents"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := tasks.Open(t.Context(), tasks.Config{Redis: s.cfg.Redis, Data: other}); !errors.Is(err, tasks.ErrOtherStore) {
		t.Errorf("Open of an empty one = %v, want %v", err, tasks.ErrOtherStore)
	}
	for _, bad := range []tasks.Config{{}, {Redis: s.cfg.Redis}, {Redis: "http://x", Data: other}, {Redis: s.cfg.Redis, Data: "ftp://x"}} {
		if _, err := tasks.Open(t.Context(), bad); err == nil {
			t.Errorf("Open(%+v) works", bad)
		}
	}
	if err := os.Remove(filepath.Join(s.cfg.Data, "documents", "identity")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.client.Submit(t.Context(), tasks.Submission{Account: "acme", Type: "t", Name: "a.pdf", Document: strings.NewReader("%PDF-")}); !errors.Is(err, tasks.ErrOtherStore) {
		t.Errorf("Submit = %v, want %v", err, tasks.ErrOtherStore)
	}
}

// A submission with an id that is repeated at a full backlog learns that it was accepted.
func TestRepeatedAtFullBacklog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ids := []string{store.NewID(), store.NewID()}
	send := func(id string) error {
		_, err := s.client.Submit(t.Context(), tasks.Submission{
			ID: id, Account: "acme", Type: "t", Name: "a.pdf", Document: strings.NewReader("%PDF-1.7"),
		})
		return err
	}
	for _, id := range ids {
		if err := send(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := send(ids[0]); !errors.Is(err, tasks.ErrExists) {
		t.Errorf("the repetition = %v, want %v", err, tasks.ErrExists)
	}
	if err := send(store.NewID()); !errors.Is(err, tasks.ErrBacklog) {
		t.Errorf("a third = %v, want %v", err, tasks.ErrBacklog)
	}
}
