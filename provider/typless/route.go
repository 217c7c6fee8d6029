package typless

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
)

// route is one call's address. The vendor's guides write the paths without a
// version and its API reference writes them with /v1, so each call has two
// candidates and remembers the one that was there.
type route struct {
	candidates []string
	use        atomic.Int32 // index of the candidate to try first
	found      atomic.Bool  // it has been there: a 404 is no longer the path's
}

// newRoute returns the route of a path. versioned says which candidate is
// tried first.
func newRoute(base, path string, versioned bool) *route {
	switch {
	case strings.HasSuffix(base, "/v1"):
		return &route{candidates: []string{base + path}}
	case versioned:
		return &route{candidates: []string{base + "/v1" + path, base + path}}
	}
	return &route{candidates: []string{base + path, base + "/v1" + path}}
}

// url is the candidate to try now.
func (r *route) url() (url string, index int32) {
	index = r.use.Load()
	return r.candidates[index], index
}

// missed notes that a candidate was not there, so that the next attempt uses
// the other. Of many calls that failed with the same one, one moves on.
func (r *route) missed(index int32) {
	if r.found.Load() {
		return
	}
	r.use.CompareAndSwap(index, (index+1)%int32(len(r.candidates)))
}

// get asks one candidate after the other until one is there.
func (c *Client) get(ctx context.Context, r *route, op, query string) (vendorhttp.Answer, error) {
	var first error
	for range r.candidates {
		url, index := r.url()
		answer, err := c.api.Do(ctx, vendorhttp.Call{Op: op, Method: http.MethodGet, URL: url + query})
		if err == nil {
			r.found.Store(true)
		}
		if r.found.Load() || !noRoute(err) {
			return answer, err
		}
		r.missed(index)
		if first == nil {
			first = err
		}
	}
	return vendorhttp.Answer{}, first
}

// noRoute tells a 404 of the path from one that the call itself answers. The
// latter comes in the vendor's error format, {code, message, details}, and says
// what is missing; the former comes from a web framework ({"detail": "Not
// Found"}), from a gateway, or as a page.
func noRoute(err error) bool {
	e, ok := errors.AsType[*extraction.Error](err)
	if !ok || e.Status != http.StatusNotFound {
		return false
	}
	switch said := e.Vendor.(type) {
	case map[string]any:
		for _, member := range []string{"code", "details"} {
			if _, ok := said[member]; ok {
				return false
			}
		}
		for _, member := range []string{"detail", "message", "error"} {
			if text, ok := said[member].(string); ok {
				return aboutPath(text)
			}
		}
	case string:
		return strings.HasPrefix(said, "<") || aboutPath(said)
	}
	return true
}

// aboutPath reports whether the text of a 404 names nothing but the address.
func aboutPath(text string) bool {
	text = strings.ToLower(strings.Trim(text, " .!\n"))
	if text == "" || text == "not found" {
		return true
	}
	return slices.ContainsFunc([]string{"route", "path", "url", "endpoint", "page", "404"}, func(word string) bool {
		return strings.Contains(text, word)
	})
}
