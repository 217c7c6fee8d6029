// Package sandbox is a local server that speaks the asynchronous APIs of
// Sensible (below /sensible/v0) and Typless (below /typless/api, with and
// without /v1), so that a client can be tried without an account, a network or
// a bill:
//
//	box := sandbox.New(sandbox.Config{ProcessingTime: sandbox.Fixed(2 * time.Second)})
//	defer box.Close()
//	server := httptest.NewServer(box.Handler())
//
// It reads the documents it gets: the text and the form fields of a PDF come
// back as its result. It extracts by rules (Config.Rules), not by any model: a
// document type without rules gives the text itself as the field "text".
//
// Each vendor's dialect is a package of its own and knows HTTP only; what happens
// to a document is the engine's business, which knows no vendor. Everything lives
// in memory and ends with the process.
package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/fault"
	"github.com/extractq/extractq/sandbox/internal/fields"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
	"github.com/extractq/extractq/sandbox/internal/reader"
	"github.com/extractq/extractq/sandbox/internal/sensible"
	"github.com/extractq/extractq/sandbox/internal/typless"
	"github.com/extractq/extractq/sandbox/internal/webhook"
)

// Sandbox is a server of both APIs.
type Sandbox struct {
	cfg      Config
	sensible *sensible.Engine
	typless  *typless.Engine
	fetcher  *sensible.Fetcher
	hooks    *webhook.Sender
	faults   *fault.Injector
	now      func() time.Time // the vendors' clock
	handler  http.Handler
}

// New returns a sandbox without extractions. Close it when it is not used any
// more.
func New(cfg Config) *Sandbox {
	cfg = cfg.withDefaults()
	now := scaled(cfg.Now, cfg.ClockScale)
	rules := engine.Config{
		Now: now, Latency: cfg.ProcessingTime.Draw, Times: cfg.Times, Seed: cfg.Seed,
		FailureRate: cfg.FailureRate, ExpireRate: cfg.ExpireRate,
		Abandon:    cfg.UploadTTL,
		MaxRecords: cfg.MaxExtractions, MaxBytes: maxTextBytes,
		Limits: reader.Limits{}, Taken: cfg.Taken,
	}
	expiring := rules
	expiring.Expiry = cfg.Expiry
	s := &Sandbox{
		cfg: cfg, now: now, faults: fault.New(rulesOf(cfg.Faults), cfg.Seed, cfg.Logger),
		sensible: engine.New[sensible.Meta](rules), typless: engine.New[typless.Meta](expiring),
	}
	s.hooks = webhook.New(webhook.Config{
		Now: now, Loss: cfg.WebhookLoss, Duplicates: cfg.WebhookDuplicates, Seed: cfg.Seed,
		Client: cfg.HTTP, Logger: cfg.Logger,
	})
	s.fetcher = sensible.NewFetcher(s.sensible, cfg.MaxDocument, cfg.HTTP)
	s.handler = s.routes()
	return s
}

// routes puts the dialects side by side, each within its faults.
func (s *Sandbox) routes() http.Handler {
	bodies := httpkit.NewBodies(maxBodyBytes)
	signingKey := make([]byte, 32)
	_, _ = rand.Read(signingKey) // never fails, by its documentation

	mux := http.NewServeMux()
	mux.Handle(sensible.Prefix+"/", s.faults.Around(sensible.Faults(), sensible.Handler(sensible.Config{
		Engine: s.sensible, Key: s.cfg.APIKey, Rules: fields.Rules(s.cfg.Rules), StrictTypes: s.cfg.StrictTypes,
		Limiter: httpkit.NewLimiter(s.cfg.RateLimit, s.cfg.Now), Bodies: bodies,
		Quota:     httpkit.NewQuota(s.cfg.Quota, s.cfg.QuotaCountsCalls, s.now),
		PublicURL: s.cfg.PublicURL, UploadTTL: s.cfg.UploadTTL, OneTime: s.cfg.SecondUpload == SecondUploadRefuse,
		MaxDocument: s.cfg.MaxDocument,
		ContentType: sensible.ContentTypeCheck(s.cfg.ContentTypeCheck),
		Fetch:       s.fetcher, SigningKey: signingKey, Hooks: s.hooks,
	})))
	mux.Handle(typless.Prefix+"/", s.faults.Around(typless.Faults(), typless.Handler(typless.Config{
		Engine: s.typless, Key: s.cfg.APIKey, Rules: fields.Rules(s.cfg.Rules), StrictTypes: s.cfg.StrictTypes,
		Limiter: httpkit.NewLimiter(s.cfg.RateLimit, s.cfg.Now), Bodies: bodies,
		Quota:       httpkit.NewQuota(s.cfg.Quota, s.cfg.QuotaCountsCalls, s.now),
		MaxDocument: s.cfg.MaxTyplessDocument, DropFetched: s.cfg.DropFetched,
		WebhookURL: s.cfg.TyplessWebhook, Hooks: s.hooks,
	})))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		httpkit.Text(w, http.StatusOK, "ok")
	})
	return logged(s.cfg.Logger, mux)
}

// FinishedAt is when an extraction of either vendor ended; false where it has not.
func (s *Sandbox) FinishedAt(id string) (time.Time, bool) {
	if x, ok := s.sensible.Get(id); ok {
		return x.Finished, !x.Finished.IsZero()
	}
	x, _ := s.typless.Get(id)
	return x.Finished, !x.Finished.IsZero()
}

// Handler serves both APIs. It may be used without Serve.
func (s *Sandbox) Handler() http.Handler { return s.handler }

// Close ends what runs in the background, downloads for Sensible's
// extract_from_url and webhooks, and waits for it. Webhooks that are not due yet,
// and answers that are kept back by a fault, are given up.
func (s *Sandbox) Close() {
	s.faults.Close()
	s.fetcher.Close()
	s.hooks.Close()
}

// shutdownGrace is how long requests under way may take once the sandbox is told
// to stop.
const shutdownGrace = 5 * time.Second

// Serve answers on listener until ctx ends, lets the requests under way finish,
// and closes the sandbox. It returns nil after such a stop.
func (s *Sandbox) Serve(ctx context.Context, listener net.Listener) error {
	defer s.Close()
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	var failure error
	served := make(chan struct{})
	go func() {
		defer close(served)
		failure = server.Serve(listener)
	}()
	select {
	case <-served:
		return failure
	case <-ctx.Done():
	}
	// A slow answer would use up the whole grace.
	s.faults.Close()
	// ctx has ended: the last requests need a time of their own.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-served
	return err
}

// logged writes one line a request, at Debug: a sandbox that is polled by
// thousands is not worth more. Paths hold ids; queries hold names and signatures
// and stay out.
func logged(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		// Some answers are pages, and some hold what a client sent.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r) // A fault that breaks the connection logs for itself and panics.
		logger.DebugContext(r.Context(), "request answered",
			slog.String("method", r.Method), slog.String("path", r.URL.Path),
			slog.Int("status", rec.status), slog.Duration("duration", time.Since(began)))
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController and http.MaxBytesReader find the original.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
