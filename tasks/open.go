// Package tasks lets a Go service hand documents to extractq without the HTTP API: it
// writes directly into the workers' Redis and document store.
//
//	client, err := tasks.Open(ctx, tasks.Config{Redis: "redis://queue:6379/0", Data: "file:///srv/extractq"})
//	…
//	defer client.Close()
//	e, err := client.Submit(ctx, tasks.Submission{Account: "acme", Type: "invoice", Name: "a.pdf", Document: file})
//	…
//	e, err = client.Wait(ctx, e.ID) // Has e.Status, and with SUCCESS e.Result.
//
// What Submit has accepted is durable: it ends with a final status, whatever crashes. Only
// the addresses are configured here; the limits, the vendor and its key are those of the
// workers.
//
// Where the document store is an object store, the service imports its drivers, which are
// large:
//
//	import _ "github.com/extractq/extractq/store/cloud"
//
// On a machine that cannot reach both Redis and the document store, use package client over
// HTTP.
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

// Config says where the workers' Redis and document store are, as in their configuration
// file.
type Config struct {
	// Redis is redis.url.
	Redis string
	// RedisUsername and RedisPassword are redis.username and redis.password; those in the
	// URL take precedence.
	RedisUsername, RedisPassword string
	// RedisTLS is redis.tls.
	RedisTLS TLS
	// Data is data.url.
	Data string
}

// TLS is redis.tls: PEM files, and the name in the servers' certificates.
type TLS struct{ CAFile, CertFile, KeyFile, ServerName string }

// poolSize is how many connections a client may use at once.
const poolSize = 32

// Client submits documents and follows them to their end. It is safe for concurrent use.
// Make one with Open and Close it at the end.
type Client struct {
	intake  *intake.Client
	records *store.Records
	blobs   *store.Blobs
	rdb     redis.UniversalClient
}

// Open returns a Client. It returns ErrOtherStore if the document store is not the one that
// the workers use, and ErrEmptyRedis if Redis has lost what the store holds. Everything
// else that a producer must know it learns from the workers: it accepts what the HTTP API
// would accept and refuses the rest with the same errors.
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

// open opens the workers' document store and never creates one: a folder that is missing is
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

// Close releases what Open opened. Extractions are not affected.
func (c *Client) Close() error {
	var err error
	if c.blobs != nil {
		err = c.blobs.Close()
	}
	return errors.Join(err, c.rdb.Close())
}

// Submit accepts one document. When it returns an extraction, the document and its record
// are stored, and the workers will take it to a final status, whatever crashes. The named
// errors of this package say why a submission was refused. Any other error leaves open
// whether it was accepted: repeat it with the same ID, which is safe.
func (c *Client) Submit(ctx context.Context, s Submission) (extraction.Extraction, error) {
	return c.intake.Submit(ctx, s.intake())
}

// Get returns an extraction in its current state, with its result once it is SUCCESS. It
// returns ErrNotFound for an unknown id.
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
	// waitFirst and waitMost bound the interval at which Wait polls.
	waitFirst = 100 * time.Millisecond
	waitMost  = 2 * time.Second
	// waitThrough is how long Wait rides out a Redis that does not answer.
	waitThrough = 30 * time.Second
)

// Wait returns an extraction once it has ended, with its result if there is one, or the
// error of ctx. It also waits for a result that is being fetched from the vendor again.
// When ctx ends, the extraction continues.
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
