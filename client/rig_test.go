package client_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/api"
	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/internal/httpauth"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/polling"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/sandbox"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/worker"
)

// service is a whole extractq in this process: the API, a worker, and a sandbox in
// the vendor's place. Only its accounts' states are made up.
type service struct {
	url     string
	handler http.Handler
	stop    []func()
}

const key = "k-operator"

// serve starts one over a Redis. Where it fails it has nothing to stop.
func serve(rdb *redis.Client, dir string, working bool) (_ *service, err error) {
	s := &service{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = append(s.stop, cancel)
	vendor := sandbox.New(sandbox.Config{Logger: slog.New(slog.DiscardHandler)})
	vendorServer := httptest.NewServer(vendor.Handler())
	s.stop = append(s.stop, vendor.Close, vendorServer.Close)
	blobs, err := store.OpenBlobs(ctx, "file://"+filepath.ToSlash(dir))
	if err != nil {
		return nil, err
	}
	s.stop = append(s.stop, func() { _ = blobs.Close() })
	records, err := store.NewRecords(rdb)
	if err != nil {
		return nil, err
	}
	own, err := intake.New(intake.Parts{
		Redis: rdb, Blobs: blobs, MaxDocument: 4 << 20, Kept: store.Kept{Record: time.Hour, Document: time.Hour},
	})
	if err != nil {
		return nil, err
	}
	provider, err := sensible.New(sensible.Config{APIKey: "sandbox", BaseURL: vendorServer.URL + "/sensible/v0"})
	if err != nil {
		return nil, err
	}
	refuse := func(context.Context, string) error { return fmt.Errorf("nothing leaves this machine") }
	a := api.New(api.Config{
		Client: own, Records: records, Blobs: blobs, Polls: polling.NewStore(rdb, records), States: &states{}, MaxDocument: 4 << 20,
		Accounts: []api.Account{{Name: "acme", Provider: sensible.Name, Check: provider.Check, FetchesURL: true, Rate: 100}},
		Keys: []api.Key{
			{Name: "operator", Digest: httpauth.Digest(key), Operator: true},
			{Name: "blue", Digest: httpauth.Digest("k-blue"), Customer: "blue"},
		},
		CheckURL: func(context.Context, string) error { return nil }, CheckDocumentURL: refuse,
		Logger: slog.New(slog.DiscardHandler), Version: "test",
	})
	s.handler = a.Handler()
	srv := httptest.NewServer(s.handler)
	s.stop = append(s.stop, a.Close, srv.Close, a.Stop)
	s.url = srv.URL
	if !working {
		return s, nil
	}
	w, err := worker.New(worker.Config{
		Redis: rdb, Blobs: blobs, Concurrency: 4, DocumentRetention: time.Hour, Logger: slog.New(slog.DiscardHandler),
		Accounts: []worker.Account{{Name: "acme", Provider: provider, Rate: 100, MaxInFlight: 100, Deadline: time.Hour, PollPrice: time.Second, SubmitAttempts: 5}},
	})
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx) }) // It ends with ctx.
	s.stop = append(s.stop, wg.Wait, cancel)
	return s, nil
}

// Close stops it, the last first.
func (s *service) Close() {
	for _, f := range slices.Backward(s.stop) {
		f()
	}
}

// states are those of the one account.
type states struct {
	mu     sync.Mutex
	paused bool
}

func (s *states) States(context.Context) ([]extraction.AccountState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := extraction.AccountActive
	if s.paused {
		state = extraction.AccountPaused
	}
	return []extraction.AccountState{{Name: "acme", Provider: sensible.Name, State: state}}, nil
}

func (s *states) Pause(context.Context, string) error  { return s.set(true) }
func (s *states) Resume(context.Context, string) error { return s.set(false) }

func (s *states) set(paused bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = paused
	return nil
}

// newService starts one over a real Redis, until the test ends.
func newService(t *testing.T, working bool) *service {
	t.Helper()
	s, err := serve(redistest.Client(t), t.TempDir(), working)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func newClient(t *testing.T, url, key string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: url, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// form is a submission of a document that the sandbox reads.
func form(batch string) client.Submission {
	return client.Submission{
		Source: client.Reader(newReader(fixtures.TaxForm(1)), "1040.pdf"),
		Fields: client.Fields{Account: "acme", Type: "tax_forms", Batch: batch},
	}
}
