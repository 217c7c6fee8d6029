package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrTooLarge is returned for a body of more than the limit.
var ErrTooLarge = errors.New("it is too large")

// fetchTimeout bounds a whole download.
const fetchTimeout = 10 * time.Minute

// Fetcher downloads documents. Make one with NewFetcher.
type Fetcher struct {
	client    *http.Client
	userAgent string
}

// NewFetcher returns a fetcher that reaches only what g lets it.
func NewFetcher(g *Guard, userAgent string) *Fetcher {
	return &Fetcher{client: g.Client(fetchTimeout), userAgent: userAgent}
}

// Fetch writes what is at the URL to w, and returns its media type; empty where
// the server says none. More than limit bytes are ErrTooLarge; 0 is no limit.
func (f *Fetcher) Fetch(ctx context.Context, rawURL string, limit int64, w io.Writer) (contentType string, err error) {
	u, err := Parse(rawURL)
	if err != nil {
		return "", err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", errors.New("it is not a URL that can be fetched")
	}
	r.Header.Set("User-Agent", f.userAgent)
	answer, err := f.client.Do(r)
	if err != nil {
		return "", without(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the server answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	if limit > 0 && answer.ContentLength > limit {
		return "", fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, answer.ContentLength, limit)
	}
	body := io.Reader(answer.Body)
	if limit > 0 {
		body = io.LimitReader(body, limit+1)
	}
	n, err := io.Copy(w, body)
	switch {
	case err != nil:
		return "", without(err)
	case limit > 0 && n > limit:
		return "", fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	contentType, _, _ = strings.Cut(answer.Header.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(contentType)), nil
}

// without is an error of the client without the URL that it repeats.
func without(err error) error {
	if blocked, ok := errors.AsType[*Blocked](err); ok {
		return blocked
	}
	e, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err
	}
	if strings.Contains(e.Err.Error(), "Location header") { // It repeats the address, too.
		return errors.New("the server redirects to what is no URL")
	}
	return e.Err
}
