// Package sensible is the sandbox's dialect of Sensible's asynchronous API
// (https://docs.sensible.so/reference), as documented and as seen in recorded
// answers: the calls below /sensible/v0, and the pre-signed upload URLs below
// /sensible/upload that stand for Sensible's S3 bucket.
//
// It translates between HTTP and the engine and decides nothing about documents.
// The batch API, human review and whatever configures an account are not spoken.
package sensible

import (
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/fields"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
	"github.com/extractq/extractq/sandbox/internal/webhook"
)

// Prefix is where the dialect's paths begin.
const Prefix = "/sensible"

// Config is what the dialect needs. All fields are required except those whose
// comment says otherwise.
type Config struct {
	Engine *Engine
	// Key is the API key; empty accepts any but none.
	Key   string
	Rules fields.Rules
	// StrictTypes refuses document types without rules.
	StrictTypes bool
	// Limiter limits calls to the API; nil does not. Uploads go to S3 and are
	// not counted.
	Limiter *httpkit.Limiter
	// Quota is what the plan allows; nil allows all.
	Quota  *httpkit.Quota
	Bodies *httpkit.Bodies
	// PublicURL is how clients reach the sandbox; empty means by the Host that
	// the request names.
	PublicURL string
	// UploadTTL is how long an upload URL works.
	UploadTTL time.Duration
	// OneTime refuses a second document for the same URL; otherwise it is taken
	// and ignored.
	OneTime bool
	// MaxDocument bounds a document, in bytes.
	MaxDocument int64
	ContentType ContentTypeCheck
	// Fetch downloads documents for extract_from_url.
	Fetch *Fetcher
	// Hooks calls the webhooks that submissions ask for.
	Hooks *webhook.Sender
	// SigningKey signs upload URLs.
	SigningKey []byte
}

// Engine holds Sensible's extractions.
type Engine = engine.Engine[Meta]

// Meta is what Sensible remembers of a submission.
type Meta struct {
	Type         string
	ConfigName   string
	Types        []string
	Segment      string
	Environment  string
	DocumentName string
	ContentType  string
	ExtraData    map[string]any
	Webhook      *Webhook
	// Base is the URL at which the caller that asked for a webhook reaches the sandbox.
	Base string
	// Classify marks a document that only wants to know its type, one of Types.
	Classify bool
	// ByURL is set where Sensible fetches the document.
	ByURL bool
}

// Webhook is what a client asks to be called.
type Webhook struct {
	URL     string `json:"url"`
	Payload any    `json:"payload,omitempty"`
}

// ContentTypeCheck is what happens to an upload whose Content-Type is not the
// declared one. The documentation only says that they must be equal.
type ContentTypeCheck string

// The content type checks.
const (
	// CheckStrict answers like S3 for a signature that covers the header: 403
	// SignatureDoesNotMatch. It is the default.
	CheckStrict ContentTypeCheck = "strict"
	// CheckFail accepts the upload and fails the extraction.
	CheckFail ContentTypeCheck = "fail"
	// CheckOff does not look.
	CheckOff ContentTypeCheck = "off"
)

type api struct {
	Config
}

// Handler serves all paths below Prefix.
func Handler(cfg Config) http.Handler {
	a := &api{cfg}
	a.Fetch.received = a.announce
	mux := http.NewServeMux()
	for _, target := range []string{"", "/{type}", "/{type}/{config}"} {
		mux.HandleFunc("POST /sensible/v0/generate_upload_url"+target, a.generateUploadURL)
		mux.HandleFunc("POST /sensible/v0/extract_from_url"+target, a.extractFromURL)
	}
	mux.HandleFunc("GET /sensible/v0/documents/{id}", a.document)
	mux.HandleFunc("GET /sensible/v0/extractions", a.list)
	mux.HandleFunc("POST /sensible/v0/classify/async", a.classify)
	mux.HandleFunc("GET /sensible/v0/generate_excel/{ids}", a.export(".xlsx"))
	mux.HandleFunc("GET /sensible/v0/generate_csv/{ids}", a.export(".csv"))
	mux.HandleFunc("/sensible/v0/", a.notFound)
	calls := a.limited(withoutTrailingSlash(mux))

	root := http.NewServeMux()
	root.Handle("/sensible/v0/", calls)
	root.HandleFunc(uploadPrefix, a.upload)
	root.HandleFunc(downloadPrefix, a.download)
	return root
}

// limited applies what Sensible's router does before any handler.
func (a *api) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-Requestid", uuid.NewString())
		if !a.Limiter.Allow(w.Header()) {
			httpkit.JSON(w, http.StatusTooManyRequests, map[string]string{"error": "Rate limit exceeded"})
			return
		}
		// Whose plan it is shows in the key; the handler refuses a wrong one.
		if a.keyed(r) && !a.Quota.Take(r.Method == http.MethodPost) {
			httpkit.Text(w, http.StatusTooManyRequests, "Plan usage limit exceeded")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withoutTrailingSlash lets /extract_from_url/ be /extract_from_url: Sensible's
// own samples write both.
func withoutTrailingSlash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, ok := strings.CutSuffix(r.URL.Path, "/"); ok && path != "/sensible/v0" {
			r = r.Clone(r.Context())
			r.URL.Path = path
			r.URL.RawPath = strings.TrimSuffix(r.URL.RawPath, "/")
		}
		next.ServeHTTP(w, r)
	})
}

func (a *api) notFound(w http.ResponseWriter, _ *http.Request) {
	httpkit.Text(w, http.StatusNotFound, "Not found")
}

// authorized answers 401 unless the request has a key that is accepted.
func (a *api) authorized(w http.ResponseWriter, r *http.Request) bool {
	if a.keyed(r) {
		return true
	}
	httpkit.Text(w, http.StatusUnauthorized, "Unauthorized")
	return false
}

func (a *api) keyed(r *http.Request) bool {
	return httpkit.Accepts(a.Key, httpkit.Credential(r, "Bearer"))
}

// timestamp is the form of every time in Sensible's answers.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
