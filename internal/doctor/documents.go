package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/store"
)

// storeTimeout is how long the document store may take for a few bytes.
const storeTimeout = 15 * time.Second

const checkDocuments = "documents"

// errTooSlow is the cause of a check that ran out of time.
var errTooSlow = errors.New("no answer in time")

// documents checks the document store. A check may hang in a system call, on a network file
// system whose server is gone. Its goroutine then ends with the process.
func (d *checks) documents(ctx context.Context, cfg app.Process) {
	ctx, cancel := context.WithTimeoutCause(ctx, storeTimeout, errTooSlow)
	defer cancel()
	done := make(chan Finding, 1)
	go func() {
		state, message := d.store(ctx, cfg)
		done <- Finding{checkDocuments, state, message}
	}()
	select {
	case f := <-done:
		d.findings = append(d.findings, f)
	case <-ctx.Done():
		d.found(checkDocuments, Away, "%s: %v", app.ShownURL(cfg.Data.URL), context.Cause(ctx))
	}
}

// store tries the document store, and whether it is the one of this Redis.
func (d *checks) store(ctx context.Context, cfg app.Process) (State, string) {
	name := app.ShownURL(cfg.Data.URL)
	if strings.HasPrefix(cfg.Data.URL, "mem:") {
		return Note, "in memory: no two processes see the same documents"
	}
	if !strings.HasPrefix(cfg.Data.URL, "file:") {
		return d.objectStore(ctx, cfg, name)
	}
	where := address.Documents(cfg.Data.URL)
	dir, err := app.DataDir(where)
	if err != nil {
		return Fix, err.Error()
	}
	// Opening it would create it, and this user may not be the worker's.
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		if err := canCreate(dir); err != nil {
			return Fix, fmt.Sprintf("%s does not exist and cannot be created: %v; set data.url (--data), or change who may write there", name, documents.Cause(err))
		}
		return d.pair(ctx, nil, name, "does not exist yet, and can be created")
	}
	blobs, err := store.OpenBlobs(ctx, where)
	if err != nil {
		return Fix, err.Error()
	}
	defer func() { _ = blobs.Close() }()
	if err := blobs.Try(ctx); err != nil {
		return Fix, fmt.Sprintf("%s: %v; data.url (--data) must be a directory that this user may write to", name, err)
	}
	return d.pair(ctx, blobs, name, "can be written, read and deleted from")
}

// objectStore is store for a bucket of an object store.
func (d *checks) objectStore(ctx context.Context, cfg app.Process, name string) (State, string) {
	blobs, err := app.OpenBlobs(ctx, cfg)
	if err != nil {
		return Fix, err.Error()
	}
	defer func() { _ = blobs.Close() }()
	if err := blobs.Try(ctx); err != nil {
		return remoteState(err), fmt.Sprintf("%s: %v; data.url (--data) must name a bucket in which this process may read, write, list and delete", name, err)
	}
	once, err := blobs.WritesOnce(ctx)
	if err != nil {
		return Fix, fmt.Sprintf("%s: %v; extractq needs conditional writes (If-None-Match)", name, err)
	}
	state, message := d.pair(ctx, blobs, name, "can be written, read and deleted from")
	if state == OK && !once {
		return Note, message + "; " + app.WritesTwice
	}
	return state, message
}

// remoteState is away for an object store that does not answer, and may come back.
func remoteState(err error) State {
	if _, ok := errors.AsType[net.Error](err); ok {
		return Away
	}
	return Fix
}

// pair checks whether a store that works is the one of this Redis.
func (d *checks) pair(ctx context.Context, blobs *store.Blobs, name, good string) (State, string) {
	if d.rdb == nil {
		return OK, name + " " + good
	}
	records, err := store.NewRecords(d.rdb)
	if err == nil {
		err = store.CheckPair(ctx, records, blobs)
	}
	if err == nil && blobs != nil {
		err = store.Vanished(ctx, records, blobs)
	}
	switch {
	case errors.Is(err, store.ErrEmptyRedis):
		return Fix, fmt.Sprintf("%s: %v; bring the Redis back that has their records, or name it (redis.url, --redis). Where they are "+
			"lost for good, start one run, up or server role with --accept-empty-redis; running ones notice it", name, err)
	case errors.Is(err, store.ErrOtherStore):
		return Fix, fmt.Sprintf("%s is %v; set data.url (--data) to the one where the documents of this Redis are", name, err)
	case err != nil:
		return Away, fmt.Sprintf("%s %s; whether it is the one of this Redis cannot be told: %v", name, good, err)
	}
	return OK, name + " " + good
}

// canCreate reports why a folder could not be created, and leaves nothing behind.
func canCreate(dir string) error {
	parent := filepath.Dir(dir)
	for {
		_, err := os.Stat(parent)
		if up := filepath.Dir(parent); errors.Is(err, os.ErrNotExist) && up != parent {
			parent = up
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	trial, err := os.MkdirTemp(parent, ".extractq-doctor-")
	if err != nil {
		return err
	}
	return os.Remove(trial)
}
