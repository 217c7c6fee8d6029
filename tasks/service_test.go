package tasks_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/sandbox"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
	"github.com/extractq/extractq/worker"
)

// service are extractq's processes that other services enqueue for: a worker with its
// account, and a sandbox in the vendor's place.
type service struct {
	cfg   tasks.Config
	redis *redistest.Server
	// documents is the folder of the document store.
	documents string
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{redis: redistest.Start(t)}
	s.cfg = tasks.Config{Redis: s.redis.URL, Data: "file://" + filepath.ToSlash(t.TempDir())}
	vendor := sandbox.New(sandbox.Config{Logger: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(vendor.Handler())
	t.Cleanup(func() { server.Close(); vendor.Close() })
	provider, err := sensible.New(sensible.Config{APIKey: "sandbox", BaseURL: server.URL + "/sensible/v0"})
	if err != nil {
		t.Fatal(err)
	}
	rdb := s.redis.Client()
	blobs := s.open(t, rdb)
	w, err := worker.New(worker.Config{
		Redis: rdb, Blobs: blobs, Concurrency: 4, DocumentRetention: time.Hour, Logger: slog.New(slog.DiscardHandler),
		Accounts: []worker.Account{{
			Name: "acme-sensible", Provider: provider, Rate: 100, MaxInFlight: 100, Deadline: time.Hour, PollPrice: time.Second,
			SubmitAttempts: 5, Registration: store.Registration{Provider: sensible.Name, FetchesURL: true, MaxDocument: 4 << 20},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("the worker ended with %v", err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return s
}

// open opens the workers' document store as they do.
func (s *service) open(t *testing.T, rdb *redis.Client) *store.Blobs {
	t.Helper()
	data, err := address.Data(s.cfg.Data) // As the configuration reads it.
	if err != nil {
		t.Fatal(err)
	}
	documents := address.Documents(data)
	s.documents = strings.TrimPrefix(documents, "file://")
	blobs, err := store.OpenBlobs(t.Context(), documents)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blobs.Close() })
	records, err := store.NewRecords(rdb)
	if err == nil {
		err = store.Pair(t.Context(), records, blobs, store.Terms{})
	}
	if err == nil {
		err = blobs.Hold(t.Context(), records)
	}
	if err != nil {
		t.Fatal(err)
	}
	return blobs
}

// The code of the example, with the addresses of the workers' configuration word for
// word, reads a real document beside a real worker.
func TestExample(t *testing.T) {
	t.Parallel()
	s := newService(t)
	name := filepath.Join(t.TempDir(), "1040.pdf")
	if err := os.WriteFile(name, fixtures.TaxForm(1), 0o600); err != nil {
		t.Fatal(err)
	}
	// A worker registers when it starts.
	for {
		e, err := extract(t.Context(), s.cfg, name)
		if errors.Is(err, tasks.ErrUnknownAccount) {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text := e.Result.Fields["text"]
		if e.Status != "SUCCESS" || e.Provider != sensible.Name || len(text) == 0 || !strings.Contains(string(text[0].Text), "1040") {
			t.Errorf("the example gives %s of %s with the text %v", e.Status, e.Provider, text)
		}
		return
	}
}

func submitTo(t *testing.T, c *tasks.Client) error {
	t.Helper()
	_, err := c.Submit(t.Context(), tasks.Submission{
		Account: "acme-sensible", Type: "tax_forms", Name: "a.pdf", Document: strings.NewReader("%PDF-1.7"),
	})
	return err
}

// A client opened before Redis lost its data, or its document store was taken away, hands
// nothing in any more; and a new one is not opened.
func TestOpenKeepsToItsPair(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := &service{cfg: tasks.Config{Redis: server.URL, Data: t.TempDir()}}
	rdb := server.Client()
	s.open(t, rdb)
	records, err := store.NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	register := func() {
		t.Helper()
		if err := records.Register(t.Context(), "acme-sensible", store.Registration{Provider: sensible.Name}); err != nil {
			t.Fatal(err)
		}
	}
	register()
	open := func() (*tasks.Client, error) {
		c, err := tasks.Open(t.Context(), s.cfg)
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
		}
		return c, err
	}
	c, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if err := submitTo(t, c); err != nil {
		t.Fatal(err)
	}

	away := s.documents + ".away"
	if err := os.Rename(s.documents, away); err != nil {
		t.Fatal(err)
	}
	if err := submitTo(t, c); err == nil {
		t.Error("a document was taken while the store was away")
	}
	if err := os.Mkdir(s.documents, 0o700); err != nil { // As the mount point below a mount.
		t.Fatal(err)
	}
	if err := submitTo(t, c); err == nil {
		t.Error("a document was taken with another folder in the store's place")
	}
	if got, err := os.ReadDir(s.documents); err != nil || len(got) != 0 {
		t.Errorf("beside the store there is %v, %v", got, err)
	}
	if err := errors.Join(os.Remove(s.documents), os.Rename(away, s.documents)); err != nil {
		t.Fatal(err)
	}
	if err := submitTo(t, c); err != nil {
		t.Errorf("when the store is back: %v", err)
	}

	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	register() // By a worker that does not know it either.
	if err := submitTo(t, c); !errors.Is(err, tasks.ErrRedisLost) {
		t.Errorf("beside an empty Redis: %v, want %v", err, tasks.ErrRedisLost)
	}
	if _, err := open(); !errors.Is(err, tasks.ErrEmptyRedis) {
		t.Errorf("Open beside an empty Redis = %v, want %v", err, tasks.ErrEmptyRedis)
	}
}

// A service may be there before the first worker: it is told so, and hands in when one has
// come, into the store of that one only.
func TestOpenBeforeTheWorkers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := &service{cfg: tasks.Config{Redis: server.URL, Data: t.TempDir()}}
	if err := os.Mkdir(filepath.Join(s.cfg.Data, "documents"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := tasks.Open(t.Context(), s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := submitTo(t, c); !errors.Is(err, tasks.ErrUnknownAccount) {
		t.Errorf("before any worker: %v, want %v", err, tasks.ErrUnknownAccount)
	}
	rdb := server.Client()
	other := &service{cfg: tasks.Config{Redis: server.URL, Data: t.TempDir()}}
	other.open(t, rdb)
	records, err := store.NewRecords(rdb)
	if err == nil {
		err = records.Register(t.Context(), "acme-sensible", store.Registration{Provider: sensible.Name})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := submitTo(t, c); !errors.Is(err, tasks.ErrOtherStore) {
		t.Errorf("beside workers with another store: %v, want %v", err, tasks.ErrOtherStore)
	}
}
