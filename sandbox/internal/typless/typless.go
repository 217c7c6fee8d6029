// Package typless is the sandbox's dialect of Typless's API
// (https://typless.gitbook.io/typlessapi), below /typless/api and, the same,
// below /typless/api/v1.
//
// It translates between HTTP and the engine and decides nothing about documents.
// It speaks data extraction, asynchronous and not, and calls one webhook, which
// Typless configures in its dashboard; training, feedback and text extraction are
// not spoken.
package typless

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/fields"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
	"github.com/extractq/extractq/sandbox/internal/webhook"
)

// Prefix is where the dialect's paths begin.
const Prefix = "/typless"

// Config is what the dialect needs. All fields are required except those whose
// comment says otherwise.
type Config struct {
	Engine *Engine
	// Key is the API key; empty accepts any but none.
	Key   string
	Rules fields.Rules
	// StrictTypes refuses document types without rules.
	StrictTypes bool
	// Limiter limits calls; nil does not. Typless documents no limit.
	Limiter *httpkit.Limiter
	// Quota is what the plan allows; nil allows all.
	Quota  *httpkit.Quota
	Bodies *httpkit.Bodies
	// MaxDocument bounds a document before it is encoded, in bytes.
	MaxDocument int64
	// DropFetched takes an extraction out of awaiting-poll once it was fetched.
	// Typless does not say whether it does.
	DropFetched bool
	// WebhookURL is called when an extraction ends; empty means no call.
	WebhookURL string
	Hooks      *webhook.Sender
}

// Engine holds Typless's extractions.
type Engine = engine.Engine[Meta]

// Meta is what Typless remembers of a submission.
type Meta struct {
	FileName string
	Type     string
	Customer string
	// Sync marks an extraction that was answered in the same call. It has no
	// place in awaiting-poll.
	Sync bool
}

type api struct {
	Config
}

// Handler serves all paths below Prefix.
func Handler(cfg Config) http.Handler {
	a := &api{cfg}
	mux := http.NewServeMux()
	for _, version := range []string{"", "/v1"} {
		base := Prefix + "/api" + version
		mux.HandleFunc("POST "+base+"/extract-data-async", a.submit)
		mux.HandleFunc("POST "+base+"/extract-data", a.extract)
		mux.HandleFunc("GET "+base+"/get-extraction-data", a.result)
		mux.HandleFunc("GET "+base+"/awaiting-poll", a.awaiting)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "not_found", "Not found.")
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.Limiter.Allow(w.Header()) {
			fail(w, http.StatusTooManyRequests, "too_many_requests", "Request was throttled.")
			return
		}
		if !a.authorized(w, r) {
			return
		}
		if !a.Quota.Take(r.Method == http.MethodPost) {
			fail(w, http.StatusTooManyRequests, "quota_exceeded", "The number of extractions of your plan is used up.")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// authorized answers 401 or 403 unless the request has a key that is accepted.
// The documentation insists on the word Token.
func (a *api) authorized(w http.ResponseWriter, r *http.Request) bool {
	key := httpkit.Credential(r, "Token")
	switch {
	case httpkit.Accepts(a.Key, key):
		return true
	case key == "" && r.Header.Get("Authorization") != "":
		fail(w, http.StatusForbidden, "forbidden", "Forbidden. Check the URL and your authentication token.")
	default:
		fail(w, http.StatusUnauthorized, "unauthorized", "Unauthorized. Check the URL and your authentication token.")
	}
	return false
}

// failure is Typless's standard error.
type failure struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details"`
}

func fail(w http.ResponseWriter, status int, code, message string) {
	httpkit.JSON(w, status, failure{Code: code, Message: message, Details: map[string]any{}})
}

// invalid is one entry of a validation error, which has FastAPI's form.
type invalid struct {
	Loc  []string `json:"loc"`
	Msg  string   `json:"msg"`
	Type string   `json:"type"`
}

func failValidation(w http.ResponseWriter, errs ...invalid) {
	httpkit.JSON(w, http.StatusUnprocessableEntity, map[string]any{"detail": errs})
}

// newID is an id in Typless's form, 40 hexadecimal digits.
func newID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}
