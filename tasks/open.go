// Package tasks is for Go services that hand documents to extractq without its HTTP API:
// they write straight into the Redis and the document store of the workers.
//
//	client, err := tasks.Open(ctx, tasks.Config{Redis: "redis://queue:6379/0", Data: "file:///srv/extractq"})
//	…
//	defer client.Close()
//	e, err := client.Submit(ctx, tasks.Submission{Account: "acme", Type: "invoice", Name: "a.pdf", Document: file})
//	…
//	e, err = client.Wait(ctx, e.ID) // Has e.Status, and with SUCCESS e.Result.
//
// What Submit has accepted is durable: it ends with a final status, whatever crashes. Nothing but the two addresses is configured here; limits, the vendor and
// its key are the workers'.
//
// A service on a machine that reaches neither Redis nor the document store uses package
// client over HTTP.
package tasks

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/secret"
	"github.com/extractq/extractq/store"
)

// Config is what Open needs: the two addresses of the workers' configuration, word for
// word, and what their Redis asks for besides.
type Config struct {
	// Redis is redis.url.
	Redis string
	// RedisUsername and RedisPassword are redis.username and redis.password; those in the URL
	// come first.
	RedisUsername, RedisPassword string
	// RedisTLS is redis.tls.
	RedisTLS TLS
	// Data is data.url.
	Data string
}

// TLS is redis.tls: files in PEM form, and the name in the servers' certificates.
type TLS struct{ CAFile, CertFile, KeyFile, ServerName string }

// poolSize is how many connections a service's client may need at once.
const poolSize = 32

// Client takes documents in and follows them to their end. It is safe for concurrent use.
// Make one with Open.
type Client struct {
	intake  *intake.Client
	records *store.Records
	blobs   *store.Blobs
	rdb     redis.UniversalClient
}

// Open returns a client for a service that enqueues beside extractq's own processes. It
// returns ErrOtherStore where the document store is not the one that the workers use, and
// ErrEmptyRedis where the Redis has lost what the store holds. All else that a producer
// must know it has from the workers: it accepts what the HTTP API would accept, and refuses
// the rest with the same errors. Close it at the end.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	redisURL, err := address.Redis(cfg.Redis)
	if err == nil && redisURL == "" {
		err = errors.New("the address of the workers' Redis is required")
	}
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	dataURL, err := address.Data(cfg.Data)
	if err == nil && dataURL == "" {
		err = errors.New("the address of the workers' document store is required")
	}
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	rdb, err := address.NewClient(address.Server{
		URL: redisURL, Username: cfg.RedisUsername, Password: secret.New(cfg.RedisPassword), TLS: address.TLS(cfg.RedisTLS),
	}, poolSize)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	c := &Client{rdb: rdb}
	if err := c.open(ctx, address.Documents(dataURL)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// open opens the workers' document store, and makes none: a folder that is not there is
// not theirs.
func (c *Client) open(ctx context.Context, documents string) (err error) {
	if c.records, err = store.NewRecords(c.rdb); err != nil {
		return err
	}
	if u, err := url.Parse(documents); err == nil && u.Scheme == "file" {
		if _, err := os.Stat(filepath.FromSlash(u.Path)); err != nil {
			return fmt.Errorf("%w: no worker has used it yet: %w", store.ErrOtherStore, err)
		}
	}
	if c.blobs, err = store.OpenBlobs(ctx, documents); err != nil {
		return err
	}
	if err := c.blobs.Join(ctx, c.records); err != nil {
		return err
	}
	in, err := intake.New(intake.Parts{Redis: c.rdb, Blobs: c.blobs})
	if err != nil {
		return err
	}
	c.intake = in.WithRegistered()
	return nil
}

// Close releases what Open opened. Extractions go on without it.
func (c *Client) Close() error {
	var err error
	if c.blobs != nil {
		err = c.blobs.Close()
	}
	return errors.Join(err, c.rdb.Close())
}

// Submit accepts one document. When it returns an extraction, the document and its record
// are written, and some worker will carry it to a final status, whatever dies meanwhile.
// See ErrUnknownAccount and the other errors for why one is refused; any other error says
// nothing about whether the document was accepted, and a repetition with the same ID is
// safe.
func (c *Client) Submit(ctx context.Context, s Submission) (extraction.Extraction, error) {
	return c.intake.Submit(ctx, s.intake())
}

// Get returns an extraction as it is now, with its result where it has one. It returns
// ErrNotFound for an unknown id.
func (c *Client) Get(ctx context.Context, id string) (extraction.Extraction, error) {
	r, err := c.record(ctx, id)
	if err != nil {
		return extraction.Extraction{}, err
	}
	return c.blobs.Whole(ctx, r)
}

func (c *Client) record(ctx context.Context, id string) (store.Record, error) {
	accounts, err := c.records.Accounts(ctx)
	if err != nil {
		return store.Record{}, err
	}
	found, err := c.records.GetAll(ctx, accounts, id)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("look for %s: %w", id, store.ErrNotFound)
	}
	if err != nil {
		return store.Record{}, err
	}
	return found[0], nil
}

const (
	// waitFirst and waitMost are the times between two looks at an extraction that is
	// waited for.
	waitFirst = 100 * time.Millisecond
	waitMost  = 2 * time.Second
	// waitThrough is how long a Redis that was there may be away.
	waitThrough = 30 * time.Second
)

// Wait returns an extraction when it has ended, with its result where it has one, or the
// error of ctx. A result that is being fetched from the vendor again is waited for as well.
// The work goes on when ctx ends.
func (c *Client) Wait(ctx context.Context, id string) (extraction.Extraction, error) {
	r, err := c.record(ctx, id)
	answered := time.Now()
	for gap := waitFirst; ; gap = min(2*gap, waitMost) {
		switch {
		case err == nil && r.Settled():
			return c.blobs.Whole(ctx, r)
		case err == nil:
			answered = time.Now()
		case errors.Is(err, store.ErrNotFound), time.Since(answered) > waitThrough, r.ID == "":
			return extraction.Extraction{}, err
		}
		timer := time.NewTimer(gap)
		select {
		case <-ctx.Done():
			timer.Stop()
			return extraction.Extraction{}, context.Cause(ctx)
		case <-timer.C:
		}
		var next store.Record
		if next, err = c.records.Get(ctx, r.Account, id); err == nil {
			r = next
		}
	}
}
