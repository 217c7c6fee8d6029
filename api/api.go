// Package api is the HTTP API, with which other services submit documents, wait for
// results, list extractions and listen to events.
//
// It accepts and reads; workers, in this process or another, process what it has accepted.
// The document of a request is streamed into the document store, so a request takes little
// memory whatever its size. Every route is registered with huma, which generates the
// OpenAPI document. Errors are RFC 9457 problems with a stable code, and never repeat what
// was sent.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/serve"
	"github.com/extractq/extractq/polling"
	"github.com/extractq/extractq/store"
)

// Account is an account that documents can be submitted to.
type Account struct {
	Name     string
	Provider string
	// Check says what to change if the vendor could never accept a submission.
	Check func(extraction.Submission) error
	// FetchesURL reports whether the vendor downloads a document by its URL.
	FetchesURL bool
	// MaxBacklog is how many unfinished extractions the account accepts; 0 means any
	// number.
	MaxBacklog int
	// Rate is how many calls a second the vendor allows; 0 means any number.
	Rate float64
	// Hook reads the body of a vendor's webhook; nil if the vendor has none.
	Hook func(body []byte) (extraction.Hook, error)
}

// Accounts shows and changes the state of accounts.
type Accounts interface {
	// States returns all accounts by name, including those that have extractions but left
	// the configuration.
	States(ctx context.Context) ([]extraction.AccountState, error)
	Pause(ctx context.Context, name string) error
	Resume(ctx context.Context, name string) error
}

// Config configures a Server.
type Config struct {
	// Client accepts documents; Records and Blobs are only read.
	Client  *intake.Client
	Records *store.Records
	Blobs   *store.Blobs
	// Polls knows how long the vendors take.
	Polls *polling.Store
	// Accounts are the accounts that can be submitted to; States shows all.
	Accounts []Account
	States   Accounts
	// Keys are the API keys; without keys the API is for this machine only.
	Keys []Key
	// HookTokens are, by account, the digests of the secret in the URL that the vendor
	// calls. An account without one accepts no webhooks.
	HookTokens HookTokens
	// MaxDocument is the size of the largest document in bytes; 0 means any.
	MaxDocument int64
	// CheckURL refuses the URL of a callback that leads to an internal address; nil refuses
	// all callbacks. CheckDocumentURL does the same for a document.
	CheckURL         func(ctx context.Context, url string) error
	CheckDocumentURL func(ctx context.Context, url string) error
	// Refused counts refused requests by reason; nil counts nothing.
	Refused func(reason string, n int)
	// Version is shown in the OpenAPI document. So is PublicURL, the address of the API;
	// empty if only its own host is known.
	Version, PublicURL string
	Logger             *slog.Logger
}

// Server is the API. Make one with New, and Close it after the HTTP server has ended.
type Server struct {
	cfg      Config
	accounts atomic.Pointer[[]Account]
	keys     atomic.Pointer[[]Key]
	tokens   atomic.Pointer[HookTokens]
	// accepts is the client that applies the rules of the accounts.
	accepts    *intake.Client
	hub        *hub
	holds      holds
	refusals   *serve.Refusals
	handler    http.Handler
	readLimits readLimits
	// storeSaid is when the log last reported that every request fails for the store.
	storeSaid atomic.Int64
	spec      *huma.OpenAPI

	// stopping ends the streams and waits of a server that stops.
	stopping context.Context
	stop     context.CancelFunc
}

var customize sync.Once

// New returns the API. Until the first request it makes no connection, except to read
// events, which it does until Close.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, readLimits: defaultReadLimits, holds: holds{open: map[*held]bool{}}}
	s.refusals = serve.NewRefusals(cfg.Logger, cfg.Refused, serve.NoKey, serve.UnknownKey, serve.HookToken, serve.Foreign)
	s.accepts = cfg.Client.With(s.rules)
	s.Reload(cfg.Accounts, cfg.Keys, cfg.HookTokens)
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.hub = newHub(s.stopping, cfg.Records, s.known, cfg.Logger)
	// huma takes the form of errors, and the types of arrays, from package variables.
	customize.Do(func() {
		huma.DefaultArrayNullable = false
		huma.ValidateStrictCasing = true
		huma.NewError = newProblem
		huma.NewErrorWithContext = func(_ huma.Context, status int, detail string, errs ...error) huma.StatusError {
			return newProblem(status, detail, errs...)
		}
	})
	mux := http.NewServeMux()
	h := humago.New(mux, s.humaConfig())
	s.spec = h.OpenAPI()
	s.registerSubmit(h)
	s.registerExtractions(h)
	s.registerBulk(h)
	s.registerEvents(h)
	s.registerBatches(h)
	s.registerReady(h)
	s.registerAccounts(h)
	s.registerHooks(h)
	s.describe(h)
	s.registerDocs(mux)
	s.handler = s.recovered(s.allowed(mux, routed(mux)))
	return s
}

// Reload replaces the accounts, the keys and the webhook secrets, from the next request on,
// and ends the streams and waits of keys that were removed or may see less now.
// Config.Admits says whether the listener may stay open.
func (s *Server) Reload(accounts []Account, keys []Key, tokens HookTokens) {
	s.accounts.Store(&accounts)
	s.keys.Store(&keys)
	s.tokens.Store(&tokens)
	s.endRevoked()
}

// open returns the account of that name, if it can be submitted to.
func (s *Server) open(name string) (Account, bool) {
	for _, a := range *s.accounts.Load() {
		if a.Name == name {
			return a, true
		}
	}
	return Account{}, false
}

// Handler serves the API. The caller's HTTP server needs limits of its own; the limits for
// documents are set here.
func (s *Server) Handler() http.Handler { return s.handler }

// Stop ends streams and waits, so that the graceful shutdown need not wait for them.
func (s *Server) Stop() { s.stop() }

// Close waits for the background work of the API.
func (s *Server) Close() {
	s.stop()
	s.hub.wait()
	s.refusals.Close()
}

func (s *Server) humaConfig() huma.Config {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	schemas.RegisterTypeAlias(reflect.TypeFor[extraction.Null](), reflect.TypeFor[*string]())
	schemas.RegisterTypeAlias(reflect.TypeFor[extraction.Time](), reflect.TypeFor[*time.Time]())
	for t, e := range enums {
		schemas.RegisterTypeAlias(t, e.as)
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "extractq", Version: s.cfg.Version,
				Description: "Documents through vendors' asynchronous extraction APIs. /v1 only grows; ignore members you do not know.",
			},
			Components: &huma.Components{
				Schemas:         schemas,
				SecuritySchemes: map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer"}},
			},
			Security: []map[string][]string{{"key": {}}},
		},
		OpenAPIPath:                  "/openapi",
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// known returns all accounts.
func (s *Server) known(ctx context.Context) ([]string, error) {
	registered, err := s.cfg.Records.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var out []string
	for _, a := range *s.accounts.Load() {
		registered = append(registered, a.Name)
	}
	for _, name := range registered {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out, nil
}

// recovered answers a panic with a problem and keeps the process alive.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { //nolint:contextcheck // The request's own is used.
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // It is a value to compare with, not to unwrap.
				panic(v)
			}
			s.cfg.Logger.ErrorContext(r.Context(), "request panicked", slog.String("path", r.Pattern), slog.Any("panic", v))
			writeProblem(w, problem(http.StatusInternalServerError, codeInternal, "extractq failed; the log says why"))
		}()
		next.ServeHTTP(w, r)
	})
}

// routed answers requests without a route with a problem.
func routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refused := &refusal{header: http.Header{}}
		h.ServeHTTP(refused, r)
		p := problem(http.StatusNotFound, codeNotFound, "there is no such path; /openapi.json lists them")
		if allow := refused.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			p = problem(http.StatusMethodNotAllowed, codeMethod, "the methods of this path are "+allow)
		}
		writeProblem(w, p)
	})
}

// refusal records what the standard router answers where there is no route.
type refusal struct{ header http.Header }

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }
func (r *refusal) WriteHeader(int)             {}
