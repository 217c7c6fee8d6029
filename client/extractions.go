package client

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
)

// Get returns an extraction. It has its result once its status is SUCCESS.
func (c *Client) Get(ctx context.Context, id string) (Extraction, error) {
	e, _, err := c.one(ctx, call{method: http.MethodGet, path: pathTo("extractions", id)})
	return e, err
}

// one makes a call whose answer is an extraction.
func (c *Client) one(ctx context.Context, k call) (e Extraction, lost bool, err error) {
	if lost, err = c.ask(ctx, k, &e); err == nil {
		err = complete(e)
	}
	return e, lost, err
}

const (
	// holdFor is how long the server is asked to hold an answer.
	holdFor = 60 * time.Second
	// soonest is the least time between two requests if the server does not hold them.
	soonest = time.Second
)

// Wait returns an extraction once it is final and its result is not being fetched again,
// however long that takes; end it with ctx. If the server is down, it is retried like any
// other call.
func (c *Client) Wait(ctx context.Context, id string) (Extraction, error) {
	k := call{method: http.MethodGet, path: pathTo("extractions", id), query: url.Values{"wait": {holdFor.String()}}}
	for {
		asked := time.Now()
		e, _, err := c.one(ctx, k)
		if err != nil || e.Settled() {
			return e, err
		}
		if rest := soonest - time.Since(asked); rest > 0 {
			if err := c.sleep(ctx, rest); err != nil {
				return e, err
			}
		}
	}
}

// OpenResult streams the result of a successful extraction as JSON. The caller closes it.
// If the extraction is not SUCCESS, the error is an *Error with CodeNotFinished.
func (c *Client) OpenResult(ctx context.Context, id string) (io.ReadCloser, error) {
	res, _, err := c.do(ctx, call{method: http.MethodGet, path: pathTo("extractions", id, "result")})
	if err != nil {
		return nil, err
	}
	if err := wantJSON(res); err != nil {
		_ = res.Body.Close() // Nothing was written.
		return nil, err
	}
	return res.Body, nil
}

// Result returns the result of a successful extraction.
func (c *Client) Result(ctx context.Context, id string) (*extraction.Result, error) {
	var out extraction.Result
	if _, err := c.ask(ctx, call{method: http.MethodGet, path: pathTo("extractions", id, "result")}, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// Document is the original of an extraction. The caller closes it.
type Document struct {
	io.ReadCloser

	// ContentType is the media type, Bytes the size; -1 if unknown.
	ContentType string
	Bytes       int64
}

// Document streams the original document as long as the server keeps it.
func (c *Client) Document(ctx context.Context, id string) (*Document, error) {
	res, _, err := c.do(ctx, call{method: http.MethodGet, path: pathTo("extractions", id, "document")}) //nolint:bodyclose // The caller does it.
	if err != nil {
		return nil, err
	}
	return &Document{res.Body, res.Header.Get("Content-Type"), res.ContentLength}, nil
}

// pageSize is how many extractions an iterator requests at once.
const pageSize = 500

// Page returns one page of the extractions that a filter chooses, newest first: at most
// limit (1 to 1,000; 0 means 50), after cursor, which is the NextCursor of the previous
// page; empty for the first page.
func (c *Client) Page(ctx context.Context, f Filter, limit int, cursor string) (Page, error) {
	return c.page(ctx, "extractions", protocol.List{Filter: f, Limit: limit, Cursor: cursor}.Values())
}

func (c *Client) page(ctx context.Context, path string, q url.Values) (Page, error) {
	var p Page
	_, err := c.ask(ctx, call{method: http.MethodGet, path: pathTo(path), query: q}, &p)
	if err == nil && p.Extractions == nil {
		err = noList()
	}
	return p, err
}

// noList is the error for an answer without the list it should contain.
func noList() error {
	return &Error{Status: http.StatusOK, Code: CodeNotAPI, Detail: "the answer is no list; is the server's URL right?"}
}

// set adds a parameter unless it is empty.
func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// List iterates over the extractions that a filter chooses, newest first, without results.
// Extractions accepted meanwhile are not included. The iteration ends after the first
// error.
func (c *Client) List(ctx context.Context, f Filter) iter.Seq2[Extraction, error] {
	return pages(func(cursor string) ([]Extraction, *string, error) {
		p, err := c.Page(ctx, f, pageSize, cursor)
		return p.Extractions, p.NextCursor, err
	})
}

// pages iterates over the items of all pages.
func pages[T any](next func(cursor string) ([]T, *string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		cursor := ""
		for {
			items, after, err := next(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if after == nil || *after == "" || *after == cursor {
				return
			}
			cursor = *after
		}
	}
}

// Cancel ends an extraction as CANCELED. The vendor's work and its charge are not stopped.
// For a final extraction the error is an *Error with CodeFinal.
func (c *Client) Cancel(ctx context.Context, id string) (Extraction, error) {
	e, lost, err := c.one(ctx, call{method: http.MethodPost, path: pathTo("extractions", id, "cancel")})
	if !lost || !hasCode(err, CodeFinal) {
		return e, err
	}
	// It may have been an earlier attempt of this call.
	if now, getErr := c.Get(ctx, id); getErr == nil && now.Status == extraction.StatusCanceled {
		return now, nil
	}
	return e, err
}

// Retry repeats an extraction that did not end with SUCCESS and returns the new one. If the
// vendor may have the old submission after all, it is asked for that first; resubmit skips
// the question and submits, and pays, again.
//
// For a SUCCESS whose stored result is damaged or gone (CodeResultUnavailable), Retry
// returns the extraction itself: the result is fetched from the vendor again, and nothing
// is submitted.
func (c *Client) Retry(ctx context.Context, id string, resubmit bool) (Extraction, error) {
	k := call{method: http.MethodPost, path: pathTo("extractions", id, "retry")}
	if resubmit {
		k.query = url.Values{"resubmit": {"true"}}
	}
	e, lost, err := c.one(ctx, k)
	if !lost || !hasCode(err, CodeConflict) {
		return e, err
	}
	// It may have been an earlier attempt of this call.
	old, getErr := c.Get(ctx, id)
	if getErr == nil && old.Status == extraction.StatusSuccess && old.Error == nil {
		return old, nil // The result has been fetched again already.
	}
	if getErr != nil || old.RetriedBy == "" {
		return e, err
	}
	if next, getErr := c.Get(ctx, string(old.RetriedBy)); getErr == nil {
		return next, nil
	}
	return e, err
}

// Delete erases an extraction with everything that belongs to it. A running one is canceled
// first. Deleting it again is not an error.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := c.ask(ctx, call{method: http.MethodDelete, path: pathTo("extractions", id)}, nil)
	return err
}

// Redeliver sends the callback of a final extraction again. If the extraction is not final
// or has no callback, the error is an *Error with CodeConflict.
func (c *Client) Redeliver(ctx context.Context, id string) error {
	r, err := c.RedeliverMany(ctx, Bulk{IDs: []string{id}})
	switch {
	case err != nil:
		return err
	case r.Matched == 0:
		return &Error{Status: http.StatusNotFound, Code: CodeNotFound, Detail: "there is no such extraction"}
	case r.Done == 0:
		return &Error{Status: http.StatusConflict, Code: CodeConflict, Detail: "the extraction is not final, or has no callback"}
	}
	return nil
}

func hasCode(err error, code string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}

// The bulk operations count what an earlier attempt of the same call has done as skipped.

// CancelMany cancels the chosen extractions that are not final.
func (c *Client) CancelMany(ctx context.Context, b Bulk) (BulkResult, error) {
	return c.many(ctx, "cancel", b)
}

// RetryMany repeats the chosen extractions that ended with a status other than SUCCESS.
func (c *Client) RetryMany(ctx context.Context, b Bulk) (BulkResult, error) {
	return c.many(ctx, "retry", b)
}

// DeleteMany erases the chosen extractions; see Delete.
func (c *Client) DeleteMany(ctx context.Context, b Bulk) (BulkResult, error) {
	return c.many(ctx, "delete", b)
}

// RedeliverMany sends the callbacks of the chosen extractions again; see Redeliver.
func (c *Client) RedeliverMany(ctx context.Context, b Bulk) (BulkResult, error) {
	return c.many(ctx, "redeliver", b)
}

func (c *Client) many(ctx context.Context, what string, b Bulk) (BulkResult, error) {
	var out struct {
		*BulkResult
	}
	_, err := c.ask(ctx, call{
		method: http.MethodPost, path: pathTo("extractions", what), header: jsonHeader(), body: jsonBody(b),
	}, &out)
	if err == nil && out.BulkResult == nil {
		err = noList()
	}
	return *cmp.Or(out.BulkResult, new(BulkResult)), err
}
