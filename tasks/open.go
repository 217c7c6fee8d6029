// Package tasks is the client with which Go services enqueue beside extractq's own
// processes: Open, and the methods of Client.
package tasks

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/store"
)

// Config is what Open needs: the two addresses of the workers' configuration, word for
// word.
type Config struct {
	// Redis is redis.url.
	Redis string
	// Data is data.url.
	Data string
}

// poolSize is how many connections a service's client may need at once.
const poolSize = 32

// Open returns a client for a service that enqueues beside extractq's own processes. It
// returns store.ErrOtherStore where the document store is not the one that the workers
// use, and store.ErrEmptyRedis where the Redis has lost what the store holds. All else
// that a producer must know it has from the workers: it accepts what the HTTP API would
// accept, and refuses the rest with the same errors. Close it at the end.
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
	rdb, err := address.NewClient(redisURL, poolSize)
	if err != nil {
		return nil, errors.New("redis: the address is not one of a Redis") // The library's error may repeat the password.
	}
	c, err := NewClient(Parts{Redis: rdb})
	if err == nil {
		err = c.openStore(ctx, address.Documents(dataURL))
	}
	if err != nil {
		_ = rdb.Close()
		return nil, err
	}
	c.rules = c.registered
	c.close = func() error { return errors.Join(c.cfg.Blobs.Close(), rdb.Close()) }
	return c, nil
}

// openStore opens the workers' document store, and makes none: a folder that is not there
// is not theirs.
func (c *Client) openStore(ctx context.Context, documents string) error {
	if u, err := url.Parse(documents); err == nil && u.Scheme == "file" {
		if _, err := os.Stat(filepath.FromSlash(u.Path)); err != nil {
			return fmt.Errorf("%w: no worker has used it yet: %w", store.ErrOtherStore, err)
		}
	}
	blobs, err := store.OpenBlobs(ctx, documents)
	if err != nil {
		return err
	}
	if err := blobs.Join(ctx, c.records); err != nil {
		return errors.Join(err, blobs.Close())
	}
	c.cfg.Blobs = blobs
	return nil
}

// Close releases what Open opened.
func (c *Client) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}

// Get returns an extraction as it is now, with its result where it has one. It returns
// store.ErrNotFound for an unknown id.
func (c *Client) Get(ctx context.Context, id string) (extraction.Extraction, error) {
	r, err := c.record(ctx, id)
	if err != nil {
		return extraction.Extraction{}, err
	}
	return c.cfg.Blobs.Whole(ctx, r)
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
// error of ctx. A result that Retry has fetched again is waited for as well. The work goes
// on whatever becomes of the waiting.
func (c *Client) Wait(ctx context.Context, id string) (extraction.Extraction, error) {
	r, err := c.record(ctx, id)
	answered := time.Now()
	for gap := waitFirst; ; gap = min(2*gap, waitMost) {
		switch {
		case err == nil && r.Settled():
			return c.cfg.Blobs.Whole(ctx, r)
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
