package sandbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/extractq/extractq/sandbox/internal/sensible"
)

// Config says how a sandbox behaves. Its zero value is usable: documents are
// done at once and any key is accepted.
type Config struct {
	// ProcessingTime is how long documents take. The zero value is no time: an
	// extraction is finished at its first poll.
	ProcessingTime Latency
	// Times are the processing times of some documents, by their SHA-256, in place of
	// what ProcessingTime would draw.
	Times map[[sha256.Size]byte]time.Duration
	// Seed makes a run repeatable: the nth upload of the same bytes takes the
	// same time in every run with the same seed. Ids differ all the same, so that
	// a client's memory of an earlier run does no harm.
	Seed uint64
	// APIKey is the key that both vendors accept. Empty accepts any key; a request
	// without one is refused in either case.
	APIKey string
	// RateLimit is how many calls per second each vendor answers before it says
	// 429 with Retry-After; 0 is no limit. Uploads to Sensible's upload URLs are
	// not calls.
	RateLimit float64
	// FailureRate is the share of documents whose extraction fails although they
	// can be read, ExpireRate that of results that are gone as soon as they are
	// there: EXPIRED at Typless, 404 at Sensible. Which documents these are depends
	// on Seed and their bytes, not on the order they come in.
	FailureRate, ExpireRate float64
	// Faults happen to calls; where several would the first does.
	Faults []Fault
	// ClockScale makes the vendors' clock go so many times as fast: processing,
	// upload URLs, expiry and the month of a quota. The rate limit is in real
	// seconds. 0 means 1.
	ClockScale float64
	// Quota is how many submissions a month (30 days) each vendor takes before it
	// says 429 without Retry-After; 0 is no limit. With QuotaCountsCalls every call
	// counts, polls as well: the texts of Sensible's plans speak of calls.
	Quota            int
	QuotaCountsCalls bool
	// Rules turn text into fields, by document type and field name; ParseRules
	// makes them.
	Rules Rules
	// StrictTypes refuses document types without rules with 400, as vendors refuse
	// types that are not configured. Otherwise every type is known.
	StrictTypes bool
	// PublicURL is how clients reach the sandbox, as in "http://sandbox:8080".
	// It begins the upload URLs. Empty means the Host that each request names.
	PublicURL string
	// UploadTTL is how long a Sensible upload URL works, in whole seconds up to the
	// 7 days that S3 allows; 0 means 15 min, as at Sensible.
	UploadTTL time.Duration
	// SecondUpload is what an upload URL says to a second document:
	// SecondUploadRefuse (the default, 403, as Sensible documents one-time URLs) or
	// SecondUploadIgnore (200, as S3 does by default).
	SecondUpload SecondUpload
	// Expiry is how long after its end a Typless result can be fetched; 0 means
	// 48 h, as at Typless. Nothing expires at Sensible.
	Expiry time.Duration
	// DropFetched takes a Typless extraction out of awaiting-poll when it is
	// fetched. Typless does not document whether it does; false keeps it.
	DropFetched bool
	// ContentTypeCheck is what Sensible does about an upload whose Content-Type
	// is not the declared one: ContentTypeStrict (the default, 403), ContentTypeFail
	// (a failed extraction) or ContentTypeOff.
	ContentTypeCheck ContentTypeCheck
	// TyplessWebhook is the URL that Typless calls when an extraction ends; empty
	// means no call. Sensible calls what each submission asks for.
	TyplessWebhook string
	// WebhookLoss and WebhookDuplicates are the shares of webhooks, of both vendors,
	// that never come and that come twice.
	WebhookLoss, WebhookDuplicates float64
	// MaxDocument bounds a document sent to Sensible, in bytes; 0 means 100 MiB.
	// Sensible takes up to 6 GB, which is too much for a test on one machine.
	MaxDocument int64
	// MaxTyplessDocument bounds a document sent to Typless before it is encoded,
	// in bytes; 0 means 30 MiB.
	MaxTyplessDocument int64
	// MaxExtractions is how many extractions of one vendor are remembered; 0
	// means 200,000. Beyond, the oldest that are over are forgotten.
	MaxExtractions int
	// Taken is called for every document that a vendor takes, and so bills, with its SHA-256
	// and the vendor's id for it, before the sender is answered. Many goroutines may call
	// it at once.
	Taken func(id string, sum [sha256.Size]byte)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// HTTP downloads the documents of Sensible's extract_from_url and calls
	// webhooks, wherever they are, this machine included; nil means clients of the
	// sandbox's own.
	HTTP *http.Client
	// Logger gets one line a request at Debug; nil means none.
	Logger *slog.Logger
}

// ContentTypeCheck is a choice of Config.ContentTypeCheck.
type ContentTypeCheck string

// The content type checks.
const (
	ContentTypeStrict = ContentTypeCheck(sensible.CheckStrict)
	ContentTypeFail   = ContentTypeCheck(sensible.CheckFail)
	ContentTypeOff    = ContentTypeCheck(sensible.CheckOff)
)

// SecondUpload is a choice of Config.SecondUpload.
type SecondUpload string

// The answers to a second document. In neither case does it change anything.
const (
	SecondUploadRefuse SecondUpload = "refuse"
	SecondUploadIgnore SecondUpload = "ignore"
)

const (
	// maxBodyBytes bounds what all requests under way hold at once: five of the
	// largest documents.
	maxBodyBytes = 512 << 20
	// maxTextBytes bounds the text that each vendor remembers. Equal documents
	// count once.
	maxTextBytes = 256 << 20
)

const (
	// maxUploadTTL is what S3 allows.
	maxUploadTTL = 7 * 24 * time.Hour
	// maxClockScale is a day in less than a second.
	maxClockScale = 100_000
)

// Validate reports everything in c that New could not go by.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.RateLimit < 0 || math.IsNaN(c.RateLimit) || math.IsInf(c.RateLimit, 0) {
		wrong("rate limit %v: want calls per second, or 0 for no limit", c.RateLimit)
	}
	if c.Quota < 0 {
		wrong("quota %d: want a number of submissions, or 0 for no limit", c.Quota)
	}
	if c.StrictTypes && len(c.Rules) == 0 {
		wrong("strict types: no document type has rules, so none would be taken")
	}
	if c.MaxExtractions < 0 {
		wrong("max extractions %d: want a number, or 0 for the default", c.MaxExtractions)
	}
	if c.UploadTTL != 0 && (c.UploadTTL < time.Second || c.UploadTTL > maxUploadTTL) {
		wrong("upload TTL %s: want 1s to 168h", c.UploadTTL)
	}
	if c.Expiry < 0 {
		wrong("expiry %s: want a time", c.Expiry)
	}
	for _, share := range []struct {
		name string
		p    float64
	}{
		{"failure rate", c.FailureRate},
		{"expire rate", c.ExpireRate},
		{"webhook loss", c.WebhookLoss},
		{"webhook duplicates", c.WebhookDuplicates},
	} {
		if !(share.p >= 0 && share.p <= 1) {
			wrong("%s %v: want a number from 0 to 1", share.name, share.p)
		}
	}
	if !(c.ClockScale >= 0 && c.ClockScale <= maxClockScale) {
		wrong("clock scale %v: want a number up to %d, 60 for an hour a minute", c.ClockScale, maxClockScale)
	}
	switch c.ContentTypeCheck {
	case "", ContentTypeStrict, ContentTypeFail, ContentTypeOff:
	default:
		wrong("content type check %q: want strict, fail or off", c.ContentTypeCheck)
	}
	switch c.SecondUpload {
	case "", SecondUploadRefuse, SecondUploadIgnore:
	default:
		wrong("second upload %q: want refuse or ignore", c.SecondUpload)
	}
	if u, err := url.Parse(c.PublicURL); c.PublicURL != "" && (err != nil || !isHTTP(u) || u.RawQuery != "" || u.Fragment != "") {
		wrong("public URL %q: want one such as http://sandbox:8090", c.PublicURL)
	}
	// It may hold a secret, and is not repeated.
	if u, err := url.Parse(c.TyplessWebhook); c.TyplessWebhook != "" && (err != nil || !isHTTP(u)) {
		wrong("Typless webhook: want an http or https URL")
	}
	return errors.Join(errs...)
}

func isHTTP(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func (c Config) withDefaults() Config {
	if c.UploadTTL <= 0 {
		c.UploadTTL = 15 * time.Minute
	}
	if c.Expiry <= 0 {
		c.Expiry = 48 * time.Hour
	}
	if c.ContentTypeCheck == "" {
		c.ContentTypeCheck = ContentTypeStrict
	}
	if c.SecondUpload == "" {
		c.SecondUpload = SecondUploadRefuse
	}
	if c.MaxDocument <= 0 {
		c.MaxDocument = 100 << 20
	}
	if c.MaxTyplessDocument <= 0 {
		c.MaxTyplessDocument = 30 << 20
	}
	if c.MaxExtractions <= 0 {
		c.MaxExtractions = 200_000
	}
	if c.ClockScale == 0 {
		c.ClockScale = 1
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
