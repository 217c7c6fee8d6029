package vendorhttp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Redacted replaces what was removed.
const Redacted = "[redacted]"

// minSecret is the length of the shortest secret that is searched for: shorter ones occur
// in ordinary words.
const minSecret = 4

// Redactor removes secrets from what a vendor says: those it was given in any spelling, and
// all that may hold another one, such as the query of an address.
type Redactor struct {
	secrets []string // as they were given
	spelled []string // in all their spellings, the longest first
	known   *strings.Replacer
}

// NewRedactor returns a Redactor for the secrets in all their spellings.
func NewRedactor(secrets ...string) *Redactor {
	var all []string
	for _, s := range secrets {
		all = append(all, spellings(s)...)
	}
	// Of two that begin alike the longer must win.
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(len(b)-len(a), strings.Compare(a, b))
	})
	all = slices.Compact(all)
	pairs := make([]string, 0, 2*len(all))
	for _, s := range all {
		pairs = append(pairs, s, Redacted)
	}
	return &Redactor{secrets: slices.Clone(secrets), spelled: all, known: strings.NewReplacer(pairs...)}
}

// With returns a Redactor that knows further secrets.
func (r *Redactor) With(secrets ...string) *Redactor {
	return NewRedactor(append(slices.Clone(r.secrets), secrets...)...)
}

// WithURL returns a Redactor that also knows a signed URL: its query, and every
// value in it.
func (r *Redactor) WithURL(signed string) *Redactor {
	_, query, _ := strings.Cut(signed, "?")
	more := []string{signed, query}
	for pair := range strings.SplitSeq(query, "&") {
		_, v, _ := strings.Cut(pair, "=")
		// Short values (900, host) are not secret and occur anywhere.
		if len(v) < 12 {
			continue
		}
		more = append(more, v)
		if plain, err := url.QueryUnescape(v); err == nil {
			more = append(more, plain)
		}
	}
	return r.With(more...)
}

// spellings are the forms in which a secret may come back.
func spellings(s string) []string {
	s = strings.TrimSpace(s)
	if len(s) < minSecret {
		return nil
	}
	quoted, _ := json.Marshal(s) // escapes &, < and > as vendors' encoders do
	return []string{
		s, url.QueryEscape(s), url.PathEscape(s), strings.Trim(string(quoted), `"`),
		strings.ReplaceAll(s, "&", "&amp;"), strings.ReplaceAll(s, "/", `\/`),
	}
}

// Of a web address the user and the query are removed, of a parameter of a query the
// value, whatever its name is, of an Authorization header all but its name, of credentials
// all but their scheme, and of what a store says it has signed everything.
var (
	webAddress    = regexp.MustCompile(`(?i)(?:https?|wss?|s3):(?:\\?/){2}[^\s"'<>]+`)
	parameter     = regexp.MustCompile(`(?i)([a-z0-9_-](?:=|%3D))[^\s"'<>\\]+`)
	scheme        = regexp.MustCompile(`(?i)\b(bearer|token|basic)\s+[a-z0-9._~+/=-]{16,}`)
	urlMember     = regexp.MustCompile(`(?i)((?:upload|download)_url\\?["']?\s*[:=]\s*\\?["']?)[^"'\s<>,}]+`)
	signedElement = regexp.MustCompile(`(?is)<(AWSAccessKeyId|StringToSign|StringToSignBytes|CanonicalRequest|` +
		`CanonicalRequestBytes|SignatureProvided)>.*?(?:</|$)`)
	authorization = regexp.MustCompile(`(?i)((?:proxy-)?authorization\\?["']?\s*[:=]\s*(?:\[\s*\\?["'])?\\?["']?)[^"'\\\r\n,}<]+`)
)

// Text removes secrets from a text.
func (r *Redactor) Text(s string) string {
	s = r.known.Replace(s)
	s = webAddress.ReplaceAllStringFunc(s, StripQuery)
	s = urlMember.ReplaceAllString(s, "${1}"+Redacted)
	s = signedElement.ReplaceAllString(s, "<${1}>"+Redacted+"</")
	s = parameter.ReplaceAllString(s, "${1}"+Redacted)
	s = scheme.ReplaceAllString(s, "${1} "+Redacted)
	s = authorization.ReplaceAllString(s, "${1}"+Redacted)
	return withoutLongRuns(s)
}

// longRun is the length from which an unbroken run of base64 characters counts as a token,
// a signature or a document rather than a word.
const longRun = 256

// withoutLongRuns removes them. (A regexp that counts to 256 takes a hundred
// times as long.)
func withoutLongRuns(s string) string {
	var out strings.Builder
	kept, start := 0, 0 // what precedes kept is in out; start is where the run begins
	for i := 0; i <= len(s); i++ {
		if i < len(s) && base64Char(s[i]) {
			continue
		}
		if i-start >= longRun {
			out.WriteString(s[kept:start])
			out.WriteString(Redacted)
			kept = i
		}
		start = i + 1
	}
	if kept == 0 {
		return s
	}
	out.WriteString(s[kept:])
	return out.String()
}

func base64Char(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '+' || c == '/' || c == '=' || c == '_' || c == '-'
}

// trimPartial removes the beginning of a secret from the end of a text.
func (r *Redactor) trimPartial(s string) string {
	for _, secret := range r.spelled {
		for n := min(len(secret)-1, len(s)); n >= minSecret; n-- {
			if strings.HasSuffix(s, secret[:n]) {
				s = s[:len(s)-n]
				break
			}
		}
	}
	return s
}

// StripQuery returns a URL without user, query and fragment.
func StripQuery(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i] + "?" + Redacted
	}
	head, rest, ok := strings.Cut(s, "//")
	if !ok {
		return s
	}
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		s = head + "//" + host[i+1:]
		if path != "" {
			s += "/" + path
		}
	}
	return s
}

// Err returns an error without secrets in its text and in that of everything it wraps. A
// clean error is returned unchanged, so that errors.Is finds its cause.
func (r *Redactor) Err(err error) error {
	if err == nil {
		return nil
	}
	// A url.Error adds only the method and the URL; the URL is the secret.
	for {
		u, ok := err.(*url.Error) //nolint:errorlint // peels exactly this layer
		if !ok || u.Err == nil {
			break
		}
		err = u.Err
	}
	if r.clean(err) {
		return err
	}
	var kept []error
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			kept = append(kept, known)
		}
	}
	return &redactedError{text: r.Text(err.Error()), kept: kept}
}

// clean reports whether no error in the tree shows a secret.
func (r *Redactor) clean(err error) bool {
	if _, ok := err.(*url.Error); ok { //nolint:errorlint // the walk visits each layer
		return false
	}
	if text := err.Error(); r.Text(text) != text {
		return false
	}
	switch u := err.(type) { //nolint:errorlint // the walk visits each layer
	case interface{ Unwrap() error }:
		inner := u.Unwrap()
		return inner == nil || r.clean(inner)
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(u.Unwrap(), func(e error) bool { return !r.clean(e) })
	}
	return true
}

// redactedError replaces an error that contained a secret.
type redactedError struct {
	text string
	kept []error
}

func (e *redactedError) Error() string   { return e.text }
func (e *redactedError) Unwrap() []error { return e.kept }
