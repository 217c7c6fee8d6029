package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/metrics"
	"github.com/extractq/extractq/store"
)

// Services are what a command works with: Redis, the document store and the client.
type Services struct {
	RDB redis.UniversalClient
	// Address is the Redis, for another client.
	Address address.Server
	Blobs   *store.Blobs
	Records *store.Records
	Client  *intake.Client
	// Persistent reports whether the data in Redis survives the process.
	Persistent bool
	closers    []func() error
}

// Close releases everything, the last first.
func (s *Services) Close() {
	for _, c := range slices.Backward(s.closers) {
		_ = c() // The process ends; the error changes nothing.
	}
}

// Open connects to Redis and the document store. bring says whether this command may start
// a Redis in the data directory; the others use the one that runs there.
func Open(ctx context.Context, cfg Process, bring bool) (_ *Services, err error) {
	s, err := connected(ctx, cfg, bring)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if cfg.Data.URL == "" {
		if _, err = StateDir(); err != nil {
			return nil, err
		}
	}
	if s.Blobs, err = OpenBlobs(ctx, cfg); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.Blobs.Close)
	// A Redis that this command started keeps its data in the store's directory. Another
	// machine may start one beside the same object store.
	terms := store.Terms{Own: bring && cfg.Redis.URL == "" && strings.HasPrefix(cfg.Data.URL, "file:"), Volatile: !s.Persistent, AcceptEmpty: cfg.AcceptEmpty}
	if err = belongs(cfg, store.Pair(ctx, s.Records, s.Blobs, terms)); err != nil {
		return nil, err
	}
	if err = belongs(cfg, s.Blobs.Hold(ctx, s.Records)); err != nil {
		return nil, err
	}
	if bring || cfg.Metrics != nil { // A process that may submit.
		if err = sayWritesTwice(ctx, cfg, s.Blobs); err != nil {
			return nil, err
		}
	}
	s.Client, err = newClient(cfg, s)
	return s, err
}

// OpenBlobs opens the document store that is configured.
func OpenBlobs(ctx context.Context, cfg Process) (*store.Blobs, error) {
	b, err := store.OpenBlobs(ctx, address.Documents(cfg.Data.URL))
	if errors.Is(err, store.ErrURL) {
		return nil, errkind.Usagef("data.url (--data): %w", err)
	}
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	return b, nil
}

// WritesTwice is what an object store without conditional writes means.
const WritesTwice = "the document store has no conditional writes (If-None-Match): after Redis has gone back in time, two workers may " +
	"each take their submission of a document for the first, and it may be paid for twice; use a store that has them"

func sayWritesTwice(ctx context.Context, cfg Process, b *store.Blobs) error {
	once, err := b.WritesOnce(ctx)
	if err != nil {
		return errkind.MarkUnavailable(err)
	}
	if !once {
		cfg.Log.WarnContext(ctx, WritesTwice, slog.String("data", ShownURL(cfg.Data.URL)))
	}
	return nil
}

// OpenRecords is Open without the document store, for a command that uses no document.
func OpenRecords(ctx context.Context, cfg Process) (_ *Services, err error) {
	s, err := connected(ctx, cfg, false)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err = belongs(cfg, s.Records.CheckVersion(ctx)); err != nil {
		return nil, err
	}
	s.Client, err = newClient(cfg, s)
	return s, err
}

// OpenFunc is OpenRecords or OpenStore.
type OpenFunc func(context.Context, Process) (*Services, error)

// OpenStore is Open for a command that starts no Redis.
func OpenStore(ctx context.Context, cfg Process) (*Services, error) { return Open(ctx, cfg, false) }

// connected connects to Redis alone.
func connected(ctx context.Context, cfg Process, bring bool) (_ *Services, err error) {
	s := &Services{Persistent: true}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err = s.Reach(ctx, cfg, bring, poolSize(cfg)); err != nil {
		return nil, err
	}
	if cfg.outages != nil {
		s.RDB.AddHook(cfg.outages)
	}
	s.Records, err = store.NewRecords(s.RDB)
	return s, err
}

func newClient(cfg Process, s *Services) (*intake.Client, error) {
	return intake.New(intake.Parts{
		Redis: s.RDB, Blobs: s.Blobs, MaxDocument: cfg.API.MaxDocument, WaitReplicas: cfg.Redis.WaitReplicas,
		Kept: store.Kept{Record: cfg.Data.Retention, Document: cfg.Data.DocumentRetention},
		Canceled: func(r store.Record) {
			cfg.Metrics.Ended(metrics.End{
				Account: r.Account, Status: extraction.StatusCanceled, Code: extraction.CodeCanceled,
				Duration: time.Since(r.CreatedAt), Polls: r.Polls, Delay: -1,
			})
		},
	})
}

// belongs explains the result of a check of the store to the user.
func belongs(cfg Process, err error) error {
	switch {
	case errors.Is(err, store.ErrOtherStore):
		return errkind.Usagef("%s is %w; set data.url (--data) to the one where the documents of this Redis are. "+
			"Where that one is gone for good, and the extractions in this Redis may go with it, "+
			"let Redis forget it: redis-cli del extractq:meta", ShownURL(cfg.Data.URL), err)
	case errors.Is(err, store.ErrEmptyRedis):
		return errkind.Usagef("%w (%s): bring the Redis back that has their records, from a backup where it lost them, "+
			"or name it with --redis. Where they are lost for good, start run, up or a server role once with "+
			"--accept-empty-redis, and then extractq recover, which makes the records anew: what is in the store now is never swept", err, ShownURL(cfg.Data.URL))
	case errors.Is(err, store.ErrNewer):
		return errkind.Usagef("%w; update extractq", err)
	case err != nil:
		return errkind.MarkUnavailable(err)
	}
	return nil
}
