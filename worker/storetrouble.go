package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// A document store that is full, read-only or gone fails for every document: each answer of
// the vendor would be thrown away. A step that meets trouble with the store therefore tries
// the store at once. Where that works the trouble is this document's; otherwise no worker
// makes a call for the account, and one of them tries the store now and then, which costs
// the vendor nothing.

// storeAlone bounds the waits of one document for which alone the store fails; the first is
// worker.Config.StoreWait.
const storeAlone = 5 * time.Minute

// storeError is trouble with the document store, told apart from trouble with Redis.
type storeError struct{ err error }

func (e storeError) Error() string { return e.err.Error() }
func (e storeError) Unwrap() error { return e.err }

// storeHealth is what this process knows of its document store. Other processes may have
// the same store and reach it.
type storeHealth struct {
	mu sync.Mutex
	// at is when the latest try began, and err what it came to.
	at  time.Time
	err error
	// said says that the log has it that this process alone is concerned.
	said bool
}

// works reports that the store did not fail when it was tried last.
func (h *storeHealth) works() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err == nil
}

// storeEvery is how long the probes of a store that fails wait.
func (w *Worker) storeEvery() limiter.StoreWait {
	return limiter.StoreWait{First: w.cfg.StoreWait, Most: 12 * w.cfg.StoreWait}
}

// tryStore writes, reads and deletes a little in the document store. One try serves all
// that ask at once; one that worked says nothing about trouble that came after its
// beginning.
func (w *Worker) tryStore(ctx context.Context, trouble time.Time) error {
	h := &w.store
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.After(trouble) || h.err != nil && time.Since(h.at) < time.Second {
		return h.err
	}
	trying, cancel := transfer.WithTimeout(context.WithoutCancel(ctx), w.cfg.Stall)
	defer cancel()
	h.at = time.Now()
	if h.err = w.cfg.Blobs.Try(trying); h.err != nil {
		return h.err
	}
	if h.said {
		w.log.InfoContext(ctx, "document store of this worker works again")
	}
	h.said = false
	return nil
}

// storeBarred reports whether this process makes no call, because its own document store
// failed when it was tried last. Then it says for how long a step waits; or, where the
// account goes on with workers whose store works, that the step is given back to them at
// once, and for how long it keeps its slot here after that: a worker with a free slot would
// take the same step again before the others look.
func (w *Worker) storeBarred(ctx context.Context, account string) (wait, linger time.Duration, barred bool) {
	h := &w.store
	h.mu.Lock()
	err, again := h.err, h.at.Add(w.cfg.StoreWait)
	h.mu.Unlock()
	if err == nil || !time.Now().Before(again) && w.tryStore(ctx, time.Now()) == nil {
		return 0, 0, false
	}
	if state, err := w.limiter.State(ctx, account); err != nil || !state.StoreSince.IsZero() {
		return w.cfg.StoreWait, 0, true
	}
	w.sayAlone(ctx)
	return 0, w.cfg.StoreWait, true
}

// sayAlone logs once that the store fails for this process and works for another.
func (w *Worker) sayAlone(ctx context.Context) {
	h := &w.store
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil || h.said {
		return
	}
	h.said = true
	w.log.ErrorContext(ctx, "document store fails for this worker and works for others: it makes no calls", slog.Any("error", h.err))
}

// storeFails goes on with a step after trouble with the document store.
func (s *step) storeFails(cause error, next extraction.Step, c *store.Change) error {
	if s.w.cfg.StoreFailed != nil {
		s.w.cfg.StoreFailed(cause)
	}
	wait, whole, err := s.w.storeTrouble(s.ctx, s.acct.Name, s.rec.ID, cause)
	if err != nil {
		return err
	}
	message := storeWords(cause)
	if !whole {
		message += ", for this document alone"
		if t := s.rec.Trouble; t != nil && t.Code == extraction.CodeStoreUnavailable && t.OverAt.IsZero() {
			wait = min(max(wait, 2*s.now().Sub(t.At.Time)), storeAlone)
		}
	}
	return s.again(next, wait, extraction.BecauseStore, c.Trouble(extraction.Trouble{
		Code: extraction.CodeStoreUnavailable, Message: message, At: extraction.Time{Time: s.now()},
	}))
}

// storeTrouble acts on trouble with the document store that was met for one extraction. It
// returns how long that one is to wait, and whether the store fails as a whole: then the
// account's calls are stopped, which the log has once.
func (w *Worker) storeTrouble(ctx context.Context, account, id string, cause error) (wait time.Duration, whole bool, _ error) {
	err := w.tryStore(ctx, time.Now())
	if err == nil {
		w.log.WarnContext(ctx, "document store fails for one document", slog.String("extraction_id", id),
			slog.String("account", account), slog.Any("error", cause))
		return 2 * w.cfg.StoreWait, false, nil
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	began, wait, noteErr := w.limiter.StoreFails(saving, account, store.NewToken(), w.storeEvery(), storeWords(err))
	if noteErr != nil {
		return 0, true, noteErr
	}
	if began {
		w.log.ErrorContext(ctx, "document store fails: nothing is submitted or polled until it works again",
			slog.String("account", account), slog.Any("error", err))
		// The next tick does it otherwise.
		_ = w.queue.SetPaused(saving, account, true, true)
	}
	return max(wait, time.Second), true, nil
}

// tendStore tries the document store of an account whose calls it has stopped, when that is
// due, and lets them go on.
func (w *Worker) tendStore(ctx context.Context, a *account, s limiter.State, now time.Time) (limiter.State, error) {
	if s.StoreSince.IsZero() || now.Before(s.StoreProbeAt) {
		return s, nil
	}
	token := store.NewToken()
	mine, err := w.limiter.ProbeStore(ctx, a.Name, token, w.storeEvery())
	if err != nil || !mine || w.tryStore(ctx, time.Now()) != nil {
		return s, err
	}
	lasted, ended, err := w.limiter.StoreWorks(ctx, a.Name, token)
	if err != nil {
		return s, err
	}
	if ended {
		w.log.InfoContext(ctx, "document store works again", slog.String("account", a.Name), slog.Duration("after", lasted))
	}
	return w.limiter.State(ctx, a.Name)
}

// storeWords says what is wrong with the document store, without where it is.
func storeWords(err error) string {
	if errors.Is(err, store.ErrStoreGone) {
		return store.ErrStoreGone.Error()
	}
	words := "the document store fails"
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		words += ": " + errno.Error()
	}
	return words
}
