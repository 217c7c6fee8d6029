package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/internal/serve"
	"github.com/extractq/extractq/polling"
	"github.com/extractq/extractq/store"
)

// rig is an API over a real Redis and a real document store, with no worker.
type rig struct {
	dir     string // Of the document store.
	t       testing.TB
	cfg     Config
	url     string
	redis   *redistest.Server
	rdb     *redis.Client
	records *store.Records
	server  *Server
	// headers are on the requests of a rig with keys, where a test wants that.
	headers []string
}

const pdf = "%PDF-1.7 a document"

// fakeAccounts are two accounts whose states a test sets.
type fakeAccounts struct {
	paused map[string]bool
	away   error
}

func (f *fakeAccounts) States(context.Context) ([]extraction.AccountState, error) {
	var out []extraction.AccountState
	for _, name := range []string{"acme", "other"} {
		state := extraction.AccountActive
		if f.paused[name] {
			state = extraction.AccountPaused
		}
		out = append(out, extraction.AccountState{Name: name, Provider: "fake", State: state})
	}
	return out, f.away
}

func (f *fakeAccounts) Pause(_ context.Context, name string) error {
	f.paused[name] = true
	return nil
}

func (f *fakeAccounts) Resume(_ context.Context, name string) error {
	f.paused[name] = false
	return nil
}

func checkFake(s extraction.Submission) error {
	switch {
	case s.Type == "" && len(s.Types) == 0:
		return fmt.Errorf("%w: give a type", extraction.ErrInvalid)
	case len(s.Options) > 100:
		var all []error
		for name := range s.Options {
			all = append(all, fmt.Errorf("%w: the option %q is not known", extraction.ErrInvalid, name))
		}
		return errors.Join(all...)
	case s.ContentType == "image/bmp":
		return fmt.Errorf("%w: bitmaps are not taken", extraction.ErrInvalid)
	}
	return nil
}

func newRig(t testing.TB, mend ...func(*Config)) *rig {
	t.Helper()
	server := redistest.Start(t)
	rdb := server.Client()
	dir := t.TempDir()
	blobs, err := store.OpenBlobs(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := intake.New(intake.Parts{
		Redis: rdb, Blobs: blobs, MaxDocument: 1 << 20, Kept: store.Kept{Record: 168 * time.Hour, Document: 24 * time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	records, err := store.NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	for _, account := range []string{"acme", "other"} { // As if workers had come.
		if err := records.SetWindow(t.Context(), account, store.Window{Released: 1000, InFlight: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	refuse := func(_ context.Context, u string) error {
		if strings.Contains(u, "internal") {
			return errors.New("it is internal; callbacks.allow_hosts may allow it")
		}
		return nil
	}
	r := &rig{t: t, dir: dir, redis: server, rdb: rdb, records: records, cfg: Config{
		Client: client, Records: records, Blobs: blobs, Polls: polling.NewStore(rdb, records), States: &fakeAccounts{paused: map[string]bool{}}, MaxDocument: 1 << 20,
		CheckURL: refuse, CheckDocumentURL: refuse, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})), Version: "test",
		Accounts: []Account{
			{Name: "acme", Provider: "fake", Check: checkFake, FetchesURL: true, Rate: 10},
			{Name: "other", Provider: "fake", Check: checkFake, MaxBacklog: 2},
		},
	}}
	for _, m := range mend {
		m(&r.cfg)
	}
	r.server = New(r.cfg)
	r.server.readLimits.silence = 5 * time.Second // As the library's for bodies that are JSON alone.
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve.Until(ctx, listener, r.server.Handler(), r.cfg.Logger) }()
	t.Cleanup(func() {
		r.server.Stop()
		stop()
		if err := <-served; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		r.server.Close()
	})
	r.url = "http://" + listener.Addr().String()
	return r
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

// do makes a request; headers are pairs.
func (r *rig) do(method, path, body string, headers ...string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if len(headers) == 0 {
		headers = r.headers
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, header: res.Header}
	if a.body, err = io.ReadAll(res.Body); err != nil {
		r.t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	_ = d.Decode(&a.json) // Not every answer is an object.
	return a
}

// want fails the test unless the status is as expected.
func (a answer) want(t testing.TB, what string, status int) answer {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
	}
	return a
}

// wantProblem fails the test unless the answer is a problem with a code.
func (a answer) wantProblem(t *testing.T, what string, status int, code protocol.ProblemCode) {
	t.Helper()
	a.want(t, what, status)
	if a.header.Get("Content-Type") != "application/problem+json" || a.json["code"] != string(code) || a.json["detail"] == "" {
		t.Errorf("%s: %s %s, want a problem with code %s", what, a.header.Get("Content-Type"), a.body, code)
	}
}

func (a answer) id() string {
	id, _ := a.json["id"].(string)
	return id
}

// submit submits a document and returns its id.
func (r *rig) submit(query string, headers ...string) string {
	r.t.Helper()
	a := r.do("POST", "/v1/extractions?"+query, pdf, append([]string{"Content-Type", "application/pdf"}, headers...)...)
	return a.want(r.t, "submit "+query, http.StatusAccepted).id()
}

// finish ends an extraction as a worker would.
func (r *rig) finish(id string, status extraction.Status) {
	r.t.Helper()
	c := new(store.Change)
	if status != extraction.StatusSuccess {
		c.Failure(extraction.NewFailure(extraction.CodeVendorFailed, "no", nil))
	}
	r.finishWith(id, status, c)
}

// finishWith ends it and makes a change with that.
func (r *rig) finishWith(id string, status extraction.Status, c *store.Change) {
	r.t.Helper()
	rec := r.record(id)
	f := store.Fence{Input: rec.Input, Seq: rec.Seq, Token: store.NewToken()}
	if _, err := r.records.Begin(r.t.Context(), f, rec.Step, time.Minute); err != nil {
		r.t.Fatal(err)
	}
	result := extraction.NewResult([]byte(`{"raw":true}`))
	sum, err := r.cfg.Blobs.PutResult(r.t.Context(), id, f.Seq, result)
	if err != nil {
		r.t.Fatal(err)
	}
	c.Result(f.Seq).ResultSum(sum)
	if _, err := r.records.Finish(r.t.Context(), f, status, store.Kept{Record: time.Hour, Document: time.Hour}, c); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) record(id string) store.Record {
	r.t.Helper()
	found, err := r.records.GetAll(r.t.Context(), []string{"acme", "other"}, id)
	if err != nil || len(found) != 1 {
		r.t.Fatalf("record of %q: %d, %v", id, len(found), err)
	}
	return found[0]
}
