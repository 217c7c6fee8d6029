package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/commandline"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
)

// doors are the three ways in, over one Redis and one document store.
type doors struct {
	t       *testing.T
	verb    string // The command.
	file    string // Its configuration.
	dir     string
	client  *tasks.Client
	handler http.Handler
	svc     *app.Services
	records *store.Records
	limits  *limiter.Limiter
}

func newDoors(t *testing.T) *doors {
	t.Helper()
	server := redistest.Start(t)
	d := &doors{t: t, dir: t.TempDir(), verb: "submit"}
	data := filepath.Join(d.dir, "data")
	d.file = filepath.Join(d.dir, "extractq.yaml")
	yaml := `
redis: {url: "` + server.URL + `"}
data: {url: "` + data + `"}
api: {max_document: 100B}
accounts:
  acme: {provider: sensible, api_key: k}
  plain: {provider: typless, api_key: k}
  moved: {provider: typless, api_key: k}
  narrow: {provider: sensible, api_key: k, max_backlog: 1}
`
	if err := os.WriteFile(d.file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(d.file, config.Options{Providers: app.KnownProviders()})
	if err != nil {
		t.Fatal(err)
	}
	cfg := app.Process{Config: loaded, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	svc, err := app.OpenStore(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(svc.Close)
	d.svc, d.records, d.limits = svc, svc.Records, limiter.New(svc.RDB, svc.Records)
	theirs, err := cfg.ServerAccounts(cfg.Accounts)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range theirs {
		if a.Name == "moved" { // Its workers have not been told.
			a.Registration.Provider = "sensible"
		}
		if err := d.records.Register(t.Context(), a.Name, a.Registration); err != nil {
			t.Fatal(err)
		}
	}
	a, err := app.NewAPI(cfg, svc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	d.handler = a.Handler()
	if d.client, err = tasks.Open(t.Context(), tasks.Config{Redis: server.URL, Data: data}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.client.Close() })
	return d
}

// handed is a submission as all doors can take it.
type handed struct {
	intake.Submission

	body string // Of the document; empty for an URL.
}

// submit hands in through package tasks.
func (d *doors) submit(in handed) error {
	s := tasks.Submission{
		ID: in.ID, Account: in.Account, Provider: in.Provider, Type: in.Type, Types: in.Types, ConfigName: in.ConfigName,
		Environment: in.Environment, Customer: in.Customer, Batch: in.Batch, Priority: in.Priority, Metadata: in.Metadata,
		Options: in.Options, CallbackURL: in.CallbackURL, CallbackKey: in.CallbackKey, Name: in.Name,
		ContentType: in.ContentType, URL: in.URL,
	}
	if s.URL == "" {
		s.Document = strings.NewReader(in.body)
	}
	_, err := d.client.Submit(d.t.Context(), s)
	return err
}

// post hands in over HTTP.
func (d *doors) post(in handed) protocol.Problem {
	d.t.Helper()
	fields := protocol.Submission{DocumentURL: in.URL, Fields: protocol.Fields{
		Account: in.Account, Type: in.Type, ConfigName: in.ConfigName, Environment: in.Environment, Customer: in.Customer,
		Batch: in.Batch, Name: in.Name, Options: in.Options, Priority: in.Priority, CallbackURL: in.CallbackURL,
	}}
	target, contentType, body := "/v1/extractions", "application/json", []byte(nil)
	if in.ContentType != "" { // A JSON body has no media type of its document.
		target += "?account=" + in.Account + "&type=" + in.Type + "&name=" + in.Name
		contentType, body = in.ContentType, []byte(in.body)
	} else {
		encoded, err := json.Marshal(fields)
		if err != nil {
			d.t.Fatal(err)
		}
		if in.URL == "" {
			document := base64.StdEncoding.EncodeToString([]byte(in.body))
			encoded = fmt.Appendf(nil, `%s,"document_base64":%q}`, bytes.TrimSuffix(encoded, []byte("}")), document)
		}
		body = encoded
	}
	r := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, target, bytes.NewReader(body))
	r.Host = "127.0.0.1"
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	p := protocol.Problem{}
	if w.Code < http.StatusBadRequest {
		return protocol.Problem{Status: w.Code}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		d.t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	p.Status = w.Code
	return p
}

// command hands in by the command line.
func (d *doors) command(ctx context.Context, in handed) (code int, stderr string) {
	d.t.Helper()
	var said bytes.Buffer
	return d.commandTo(ctx, in, &said), said.String()
}

func (d *doors) commandTo(ctx context.Context, in handed, stderr io.Writer) (code int) {
	d.t.Helper()
	args := append([]string{"extractq", d.verb, "--config", d.file}, "--account", in.Account)
	for flag, value := range map[string]string{
		"type": in.Type, "config-name": in.ConfigName, "environment": in.Environment, "customer": in.Customer,
		"batch": in.Batch, "priority": string(in.Priority), "callback-url": in.CallbackURL,
	} {
		if value != "" {
			args = append(args, "--"+flag, value)
		}
	}
	for k := range in.Options {
		args = append(args, "--option", k+"=x")
	}
	document := in.URL
	if document == "" {
		document = filepath.Join(d.t.TempDir(), in.Name)
		if err := os.WriteFile(document, []byte(in.body), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	app := newApp(strings.NewReader(""), new(bytes.Buffer), stderr)
	parsing.Lock()
	defer parsing.Unlock()
	args, err := commandline.Permute(app, append(args, document))
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	return report(stderr, err)
}

// said is written to, and tells when the first line was.
type said struct {
	first chan string
	once  sync.Once
}

func (s *said) Write(b []byte) (int, error) {
	s.once.Do(func() { s.first <- string(b) })
	return len(b), nil
}

// What one door refuses all refuse, with the same words and the same name of the reason:
// package tasks, the HTTP API and the command line over Redis.
func TestThreeDoors(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	const video = "\x1aE\xdf\xa3 a film"
	for _, test := range []struct {
		name   string
		change func(*handed)
		want   error
		status int
		code   protocol.ProblemCode
		// exit is the command line's code, 0 where it cannot ask for such a thing, and word
		// the code of the document there.
		exit int
		word extraction.Code
		// says is for what the doors say in words of their own; empty for the same.
		says string
	}{
		{
			"unknown account", func(e *handed) { e.Account = "nobody" },
			intake.ErrUnknownAccount, 422, protocol.CodeUnknownAccount, exitUsage, "", "account",
		}, {
			"another provider than the workers'", func(e *handed) { e.Account, e.Provider = "moved", "typless" },
			extraction.ErrInvalid, 503, protocol.CodeUnavailable, exitUsage, "", "provider",
		}, {
			"too large", func(e *handed) { e.body = "%PDF" + strings.Repeat("x", 100) },
			store.ErrTooLarge, 413, protocol.CodeTooLarge, exitFailed, extraction.CodeDocumentTooLarge, "large",
		}, {
			"empty", func(e *handed) { e.body = "" },
			intake.ErrEmpty, 422, protocol.CodeInvalid, exitFailed, extraction.CodeUnsupportedDocument, "",
		}, {
			"internal document", func(e *handed) { e.URL = "http://127.0.0.1/x.pdf" },
			intake.ErrURLRefused, 422, protocol.CodeURLRefused, exitFailed, extraction.CodeDocumentUnavailable, "",
		}, {
			"document with a password", func(e *handed) { e.URL = "http://me:pw@93.184.216.34/x.pdf" },
			extraction.ErrInvalid, 422, protocol.CodeInvalid, exitFailed, extraction.CodeUnsupportedDocument, "",
		}, {
			"a file's URL", func(e *handed) { e.URL = "file:///etc/passwd" },
			intake.ErrURLRefused, 422, protocol.CodeURLRefused, 0, "", "",
		}, {
			"no fetching", func(e *handed) { e.Account, e.URL = "plain", "http://93.184.216.34/x.pdf" },
			extraction.ErrInvalid, 422, protocol.CodeInvalid, 0, "", "",
		}, {
			"internal callback", func(e *handed) { e.CallbackURL = "http://10.0.0.1/hook" },
			intake.ErrURLRefused, 422, protocol.CodeURLRefused, exitUsage, "", "",
		}, {
			"callback with a password", func(e *handed) { e.CallbackURL = "https://me:pw@93.184.216.34/hook" },
			intake.ErrURLRefused, 422, protocol.CodeURLRefused, exitUsage, "", "",
		}, {
			"callback of no web", func(e *handed) { e.CallbackURL = "gopher://x" },
			intake.ErrURLRefused, 422, protocol.CodeURLRefused, exitUsage, "", "",
		}, {
			"a kind that the vendor does not take", func(e *handed) { e.Name, e.body = "film", video },
			intake.ErrMediaType, 415, protocol.CodeUnsupported, exitFailed, extraction.CodeUnsupportedDocument, "",
		}, {
			"not what it says", func(e *handed) { e.ContentType = "image/png" },
			intake.ErrMismatch, 422, protocol.CodeMismatch, 0, "", "",
		}, {
			"a customer's label", func(e *handed) { e.Customer = strings.Repeat("x", 129) },
			extraction.ErrInvalid, 422, protocol.CodeInvalid, exitUsage, "", "",
		}, {
			"a batch's label", func(e *handed) { e.Batch = "a\u202eb" },
			extraction.ErrInvalid, 422, protocol.CodeInvalid, exitUsage, "", "",
		}, {
			"a type's label", func(e *handed) { e.Type = "tax\u202eforms" },
			extraction.ErrInvalid, 422, protocol.CodeInvalid, exitUsage, "", "",
		}, {
			"a name", func(e *handed) { e.Name = "a\u202efdp.exe" },
			extraction.ErrInvalid, 422, protocol.CodeInvalid, 0, "", "",
		}, {
			"an option", func(e *handed) { e.Options = map[string]any{"colour": "x"} },
			extraction.ErrInvalid, 422, protocol.CodeInvalid, exitUsage, "", "is not known",
		}, {
			"an environment", func(e *handed) { e.Account, e.Environment = "plain", "production" },
			extraction.ErrInvalid, 422, protocol.CodeInvalid, exitUsage, "", "",
		}, {
			"a priority", func(e *handed) { e.Priority = "high" },
			extraction.ErrInvalid, 422, protocol.CodeInvalid, exitUsage, "", "",
		},
	} {
		in := handed{intake.Submission{Account: "acme", Type: "tax_forms", Name: "a.pdf"}, "%PDF-1.7"}
		test.change(&in)
		err := d.submit(in)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: package tasks says %v, want %v", test.name, err, test.want)
			continue
		}
		says := test.says
		if says == "" {
			says = render.OneLine(err)
		}
		if p := d.post(in); p.Status != test.status || p.Code != test.code || !strings.Contains(p.Detail, says) {
			t.Errorf("%s: the API says %d %s %q, want %d %s %q", test.name, p.Status, p.Code, p.Detail, test.status, test.code, says)
		}
		if test.exit == 0 {
			continue
		}
		for _, field := range []string{"document_url: ", "callback_url: "} { // There it has another name.
			says = strings.TrimPrefix(says, field)
		}
		code, said := d.command(t.Context(), in)
		if code != test.exit || !strings.Contains(said, says) || !strings.Contains(said, string(test.word)) {
			t.Errorf("%s: the command line says %d %q, want %d %s %q", test.name, code, said, test.exit, test.word, says)
		}
	}
	kept, err := filepath.Glob(filepath.Join(d.dir, "data", "documents", "*", "*"))
	if err != nil || len(kept) != 0 {
		t.Errorf("the document store has %q, %v", kept, err)
	}
}

// What no door refuses goes in through all of them, also where no worker has come yet but
// the configuration has the account.
func TestThreeDoorsOpen(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	in := handed{intake.Submission{Account: "acme", Type: "tax_forms", Name: "a.pdf"}, "%PDF-1.7"}
	if err := d.submit(in); err != nil {
		t.Error(err)
	}
	if p := d.post(in); p.Status != http.StatusAccepted {
		t.Errorf("%+v", p)
	}
	if code, said := d.command(t.Context(), in); code != exitOK {
		t.Errorf("%d %s", code, said)
	}
	got := 0
	for _, err := range d.records.List(t.Context(), []string{"acme"}, extraction.Filter{}, store.Cursor{}) {
		if err != nil {
			t.Fatal(err)
		}
		got++
	}
	if got != 3 {
		t.Errorf("%d extractions, want 3", got)
	}
}

// An account that takes no more is refused by package tasks and the API, before anything
// is stored, and waited for by the command line.
func TestThreeDoorsBacklog(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	in := handed{intake.Submission{Account: "narrow", Type: "tax_forms", Name: "a.pdf"}, "%PDF-1.7"}
	if err := d.submit(in); err != nil {
		t.Fatal(err)
	}
	if err := d.submit(in); !errors.Is(err, store.ErrBacklog) {
		t.Errorf("package tasks says %v, want %v", err, store.ErrBacklog)
	}
	if p := d.post(in); p.Status != http.StatusTooManyRequests || p.Code != protocol.CodeBacklog {
		t.Errorf("the API says %+v", p)
	}
	heard := &said{first: make(chan string, 1)}
	done := make(chan int, 1)
	go func() { done <- d.commandTo(t.Context(), in, heard) }()
	if line := <-heard.first; !strings.Contains(line, "account narrow takes no more for now") {
		t.Errorf("the command line says %q", line)
	}
	for r, err := range d.records.List(t.Context(), []string{"narrow"}, extraction.Filter{}, store.Cursor{}) {
		if err == nil {
			_, err = d.svc.Client.Cancel(t.Context(), "narrow", r.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if code := <-done; code != exitOK {
		t.Errorf("the command line ends with %d", code)
	}
}

// A run does not join workers that have its account with another provider: each would send
// the other's documents to its own vendor.
func TestRunBesideAnotherProvider(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	d.verb = "run"
	if _, err := d.limits.Serve(t.Context(), "moved", "a worker"); err != nil {
		t.Fatal(err)
	}
	in := handed{intake.Submission{Account: "moved", Type: "tax_forms", Name: "a.pdf"}, "%PDF-1.7"}
	if code, said := d.command(t.Context(), in); code != exitUsage || !strings.Contains(said, "provider sensible there, and typless here") {
		t.Errorf("%d %q, want a complaint", code, said)
	}
}
