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

// Batch returns how far a batch is.
func (c *Client) Batch(ctx context.Context, name string) (Batch, error) {
	var b Batch
	_, err := c.ask(ctx, call{method: http.MethodGet, path: pathTo("batches", name)}, &b)
	return b, err
}

// Batches iterates over all batches, those with the latest extraction first. One that
// gets another extraction meanwhile moves to the front, and is not met there.
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

// ReadyQuery asks for extractions that are final and not acknowledged.
type ReadyQuery struct {
	// Customer is the tenant whose they are; empty for all.
	Customer string
	// Limit is how many at most; 0 means 50.
	Limit int
	// Cursor is an earlier page's NextCursor.
	Cursor string
	// Wait holds an empty answer until there is something, at most a minute.
	Wait time.Duration
}

// Ready returns extractions that are final, not acknowledged, and of which no
// callback has told, the oldest first and without results. What is acknowledged with
// Ack is not listed again; what is not, is.
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

// maxAck is how many ids one call acknowledges.
const maxAck = 1000

// Ack acknowledges extractions, and returns how many were still listed. Again does
// no harm.
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

// Check makes one call, once: it finds out whether the server is there and takes
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

// PauseAccount stops an account's calls until it is resumed. The key must be an
// operator's.
func (c *Client) PauseAccount(ctx context.Context, name string) (extraction.AccountState, error) {
	return c.account(ctx, http.MethodPost, "accounts", name, "pause")
}

// ResumeAccount lets an account go on, whatever it was paused for. The key must be an
// operator's.
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
