package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
)

// Batch returns the progress of a batch.
func (c *Client) Batch(ctx context.Context, name string) (Batch, error) {
	var b Batch
	_, err := c.ask(ctx, call{method: http.MethodGet, path: pathTo("batches", name)}, &b)
	return b, err
}

// Batches iterates over all batches, the one with the latest extraction first. A batch that
// gets another extraction during the iteration moves to the front and may be missed.
func (c *Client) Batches(ctx context.Context) iter.Seq2[Batch, error] {
	return pages(func(cursor string) ([]Batch, *string, error) {
		q := url.Values{"limit": {strconv.Itoa(pageSize)}}
		set(q, "cursor", cursor)
		var p protocol.BatchPage
		_, err := c.ask(ctx, call{method: http.MethodGet, path: pathTo("batches"), query: q}, &p)
		if err == nil && p.Batches == nil {
			err = noList()
		}
		return p.Batches, p.NextCursor, err
	})
}

// ReadyQuery asks for extractions that are final and not yet acknowledged.
type ReadyQuery struct {
	// Customer limits the list to one customer; empty means all.
	Customer string
	// Limit is the most that is returned; 0 means 50.
	Limit int
	// Cursor is the NextCursor of the previous page; empty for the first.
	Cursor string
	// Wait holds an empty answer until an extraction is ready, at most a minute.
	Wait time.Duration
}

// Ready returns extractions that are final, were not acknowledged with Ack and have no
// delivered callback: oldest first, without results. Use it instead of callbacks: process
// what it returns, then call Ack.
func (c *Client) Ready(ctx context.Context, r ReadyQuery) (Page, error) {
	q := url.Values{}
	set(q, "customer", r.Customer)
	set(q, "cursor", r.Cursor)
	if r.Limit > 0 {
		q.Set("limit", strconv.Itoa(r.Limit))
	}
	if r.Wait > 0 {
		q.Set("wait", r.Wait.String())
	}
	return c.page(ctx, "ready", q)
}

// maxAck is how many ids are acknowledged per request.
const maxAck = 1000

// Ack removes extractions from the ready list and returns how many were on it. It is
// idempotent.
func (c *Client) Ack(ctx context.Context, ids ...string) (int64, error) {
	total := int64(0)
	for some := range slices.Chunk(ids, maxAck) {
		var out protocol.Acked
		if _, err := c.ask(ctx, call{
			method: http.MethodPost, path: pathTo("ready", "ack"), header: jsonHeader(), body: jsonBody(protocol.Ack{IDs: some}),
		}, &out); err != nil {
			return total, err
		}
		total += out.Acknowledged
	}
	return total, nil
}

// Accounts returns the accounts that the key may use, with their state.
func (c *Client) Accounts(ctx context.Context) ([]extraction.AccountState, error) {
	return c.accounts(ctx, 0)
}

// Check makes one call without repetition, to see whether the server is there and accepts
// the key.
func (c *Client) Check(ctx context.Context) error {
	_, err := c.accounts(ctx, 1)
	return err
}

func (c *Client) accounts(ctx context.Context, attempts int) ([]extraction.AccountState, error) {
	var out protocol.Accounts
	_, err := c.ask(ctx, call{method: http.MethodGet, path: pathTo("accounts"), attempts: attempts}, &out)
	if err == nil && out.Accounts == nil {
		err = noList()
	}
	return out.Accounts, err
}

// Account returns one account's state.
func (c *Client) Account(ctx context.Context, name string) (extraction.AccountState, error) {
	return c.account(ctx, http.MethodGet, "accounts", name)
}

// PauseAccount stops all calls of an account until it is resumed. It needs an operator key.
func (c *Client) PauseAccount(ctx context.Context, name string) (extraction.AccountState, error) {
	return c.account(ctx, http.MethodPost, "accounts", name, "pause")
}

// ResumeAccount resumes an account, whatever it was paused for. It needs an operator key.
func (c *Client) ResumeAccount(ctx context.Context, name string) (extraction.AccountState, error) {
	return c.account(ctx, http.MethodPost, "accounts", name, "resume")
}

func (c *Client) account(ctx context.Context, method string, path ...string) (extraction.AccountState, error) {
	var out extraction.AccountState
	_, err := c.ask(ctx, call{method: method, path: pathTo(path...)}, &out)
	if err == nil && out.Name == "" {
		err = noList()
	}
	return out, err
}
