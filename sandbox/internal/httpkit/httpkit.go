// Package httpkit is what the dialects share about HTTP: writing answers,
// comparing keys, limiting calls, and reading bodies within a memory budget.
package httpkit

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"golang.org/x/sync/semaphore"
)

// JSON answers with v. Signed URLs keep their ampersands: people copy them from
// a terminal, and the vendors do not escape them either.
func JSON(w http.ResponseWriter, status int, v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		http.Error(w, "encode answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimRight(buf.Bytes(), "\n"))
}

// Text answers with a sentence.
func Text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, s)
}

// Credential is what follows the scheme in an Authorization header; empty if the
// header is of another scheme or missing.
func Credential(r *http.Request, scheme string) string {
	given, rest, ok := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !ok || !strings.EqualFold(given, scheme) {
		return ""
	}
	return strings.TrimSpace(rest)
}

// Accepts reports whether key opens a sandbox whose key is want: any key does
// where none is configured, but no key never does.
func Accepts(want, key string) bool {
	return key != "" && (want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(key)) == 1)
}

// BaseURL is how the sender of r reaches this server; public where configured.
func BaseURL(public string, r *http.Request) string {
	if public != "" {
		return strings.TrimRight(public, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// Errors of Bodies.Read.
var (
	// ErrTooLarge is a body above the limit.
	ErrTooLarge = errors.New("body too large")
	// ErrIncomplete is a body that ended early.
	ErrIncomplete = errors.New("body ended early")
)

// Bodies bounds the memory of all request bodies that are being read or worked
// on. A sender over the budget waits; TCP tells it to.
type Bodies struct {
	budget *semaphore.Weighted
	total  int64
}

// NewBodies returns a budget of so many bytes.
func NewBodies(total int64) *Bodies {
	return &Bodies{budget: semaphore.NewWeighted(total), total: total}
}

// Read reads r's body of at most limit bytes. weight says how many bytes of
// memory each byte of the body will need. release gives the memory back and must
// be called, once, when the body is no longer used.
func (b *Bodies) Read(w http.ResponseWriter, r *http.Request, limit, weight int64) (body []byte, release func(), err error) {
	if r.ContentLength > limit {
		return nil, nil, ErrTooLarge
	}
	size, room := r.ContentLength, r.ContentLength
	if size < 0 {
		size, room = limit, 64<<10
	}
	n := min(max(size*weight, 1), b.total)
	if err := b.budget.Acquire(r.Context(), n); err != nil {
		return nil, nil, err
	}
	release = func() { b.budget.Release(n) }
	// All of it at once where its size is known, so that it is never copied.
	buf := bytes.NewBuffer(make([]byte, 0, room+bytes.MinRead))
	_, err = buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	if err == nil {
		return buf.Bytes(), release, nil
	}
	release()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, nil, ErrTooLarge
	}
	return nil, nil, errors.Join(ErrIncomplete, err)
}
