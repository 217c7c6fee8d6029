package intake

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// wantNoBlobs fails if the document store has anything of an extraction.
func (r *rig) wantNoBlobs(t *testing.T, id string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(r.dir, id)); !os.IsNotExist(err) {
		t.Errorf("the document store has something of %s: %v", id, err)
	}
}

// A repetition that was deleted stays away, with its document.
func TestRetryOfDeletedRetry(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := r.ended(t, extraction.StatusError, extraction.CodeVendorFailed, nil)
	e, err := r.Retry(t.Context(), "acme", old.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delete(t.Context(), "acme", e.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.Retryable(t.Context(), r.record(t, old.ID)); !errors.Is(err, ErrRetried) {
		t.Errorf("Retryable = %v, want %v", err, ErrRetried)
	}
	if _, err := r.Retry(t.Context(), "acme", old.ID, false); !errors.Is(err, ErrRetried) {
		t.Errorf("Retry = %v, want %v", err, ErrRetried)
	}
	r.wantNoBlobs(t, e.ID)
}

// afterLook calls then once, after a submission has found its id free.
type afterLook struct {
	called atomic.Bool
	then   func()
}

func (a *afterLook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a *afterLook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a *afterLook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "zscore" && a.called.CompareAndSwap(false, true) {
			a.then()
		}
		return err
	}
}

// What was deleted while the same document came once more leaves none.
func TestSubmitOfErased(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s, first := submission("again"), submission("the document")
	s.ID = store.NewID()
	first.ID = s.ID
	r.rdb.AddHook(&afterLook{then: func() {
		if _, err := r.Submit(t.Context(), first); err != nil {
			t.Error(err)
		}
		if _, err := r.Delete(t.Context(), "acme", s.ID); err != nil {
			t.Error(err)
		}
	}})
	if _, err := r.Submit(t.Context(), s); !errors.Is(err, store.ErrErased) {
		t.Errorf("Submit = %v, want %v", err, store.ErrErased)
	}
	r.wantNoBlobs(t, s.ID)
}
