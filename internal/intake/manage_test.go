package intake

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// ended makes an extraction that ended with status, and returns its record.
func (r *rig) ended(t *testing.T, status extraction.Status, code extraction.Code, c *store.Change) store.Record {
	t.Helper()
	e, err := r.Submit(t.Context(), submission("the document"))
	if err != nil {
		t.Fatal(err)
	}
	f := store.Fence{Input: store.Input{ID: e.ID, Account: "acme"}, Seq: 1, Token: store.NewToken()}
	if _, err := r.records.Begin(t.Context(), f, extraction.StepSubmit, time.Minute); err != nil {
		t.Fatal(err)
	}
	if c == nil {
		c = &store.Change{}
	}
	if code != "" {
		c.Failure(extraction.NewFailure(code, "x", nil))
	}
	if _, err := r.records.Finish(t.Context(), f, status, r.cfg.Kept, c); err != nil {
		t.Fatal(err)
	}
	return r.record(t, e.ID)
}

func (r *rig) record(t *testing.T, id string) store.Record {
	t.Helper()
	rec, err := r.records.Get(t.Context(), "acme", id)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return rec
}

// queued are the tasks in a queue, by id.
func (r *rig) queued(t *testing.T, queue string) []string {
	t.Helper()
	i := asynq.NewInspectorFromRedisClient(r.rdb)
	var out []string
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		i.ListPendingTasks, i.ListScheduledTasks, i.ListCompletedTasks,
	} {
		got, err := list(queue)
		if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
			t.Fatal(err)
		}
		for _, task := range got {
			out = append(out, task.ID)
		}
	}
	return out
}

func TestAdoptFollows(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := Submission{Account: "acme", Provider: "sensible", Type: "tax_forms", Name: "1040.pdf"}
	e, err := r.Adopt(t.Context(), s, "v1")
	if err != nil {
		t.Fatal(err)
	}
	if e.Status != extraction.StatusInProgress || e.Vendor.ID != "v1" || e.Next.Step != extraction.StepPoll {
		t.Errorf("adopted as %+v", e)
	}
	if got := r.queued(t, "acme.poll"); len(got) != 1 || got[0] != e.ID+":1" {
		t.Errorf("the poll queue holds %v", got)
	}
	if got := r.queued(t, "acme.submit"); len(got) != 0 {
		t.Errorf("the submit queue holds %v", got)
	}
	// A second one of the same vendor id is refused. The document under an id of the
	// caller's own stays until it is swept: another producer may have handed it in.
	s.ID, s.Document = store.NewID(), strings.NewReader("x")
	if _, err := r.Adopt(t.Context(), s, "v1"); !errors.Is(err, store.ErrFollowed) {
		t.Errorf("second Adopt = %v, want %v", err, store.ErrFollowed)
	}
	for _, id := range []string{"", "a b", "a\nb", "ä", strings.Repeat("x", 129)} {
		if _, err := r.Adopt(t.Context(), s, id); !errors.Is(err, extraction.ErrInvalid) {
			t.Errorf("Adopt of %q = %v", id, err)
		}
	}
}

func TestResumeBegun(t *testing.T) {
	t.Parallel()
	sent := time.UnixMilli(1_700_000_000_000)
	for name, tt := range map[string]struct {
		b    Begun
		want store.Phase
	}{
		"nothing": {Begun{}, store.PhaseNone},
		"opened":  {Begun{VendorID: "v1"}, store.PhaseOpened},
		"sent":    {Begun{SentAt: sent}, store.PhaseSent},
		"repeats": {Begun{RetryOf: "o", Sought: "o", VendorID: "v1", SentAt: sent}, store.PhaseRecheck},
	} {
		r := newRig(t)
		e, err := r.Resume(t.Context(), submission("x"), tt.b)
		if err != nil {
			t.Fatal(err)
		}
		got := r.record(t, e.ID)
		if got.Phase != tt.want || got.VendorID != tt.b.VendorID || !got.SentAt.Equal(tt.b.SentAt) || got.Step != extraction.StepSubmit ||
			got.Sought != tt.b.Sought || got.RetryOf != tt.b.RetryOf {
			t.Errorf("%s: resumed as %+v", name, got)
		}
	}
}

func TestCancelRemovesTask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e, err := r.Submit(t.Context(), submission("x"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Cancel(t.Context(), "acme", e.ID)
	if err != nil || got.Status != extraction.StatusCanceled || got.Error.Code != extraction.CodeCanceled {
		t.Errorf("Cancel = %+v, %v", got, err)
	}
	if left := r.queued(t, "acme.submit"); len(left) != 0 {
		t.Errorf("the queue still holds %v", left)
	}
	if _, err := r.Cancel(t.Context(), "acme", e.ID); !errors.Is(err, store.ErrFinal) {
		t.Errorf("second Cancel = %v", err)
	}
	if _, err := r.Cancel(t.Context(), "acme", store.NewID()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Cancel of nothing = %v", err)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status   extraction.Status
		code     extraction.Code
		change   *store.Change
		resubmit bool
		want     store.Phase
	}{
		"failed":             {extraction.StatusError, extraction.CodeVendorFailed, new(store.Change).Vendor("v1"), false, store.PhaseNone},
		"expired":            {extraction.StatusExpired, extraction.CodeExpired, new(store.Change).Vendor("v1"), false, store.PhaseNone},
		"late":               {extraction.StatusError, extraction.CodeDeadlineExceeded, new(store.Change).Vendor("v1"), false, store.PhaseRecheck},
		"late, resubmitted":  {extraction.StatusError, extraction.CodeDeadlineExceeded, new(store.Change).Vendor("v1"), true, store.PhaseNone},
		"uncertain":          {extraction.StatusError, extraction.CodeSubmitUncertain, new(store.Change).SentAt(time.Now()), false, store.PhaseRecheck},
		"canceled at vendor": {extraction.StatusCanceled, extraction.CodeCanceled, new(store.Change).Vendor("v1"), false, store.PhaseRecheck},
		"canceled when sent": {extraction.StatusCanceled, extraction.CodeCanceled, new(store.Change).SentAt(time.Now()), false, store.PhaseRecheck},
		"canceled before":    {extraction.StatusCanceled, extraction.CodeCanceled, nil, false, store.PhaseNone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			old := r.ended(t, tt.status, tt.code, tt.change)
			e, err := r.Retry(t.Context(), "acme", old.ID, tt.resubmit)
			if err != nil {
				t.Fatal(err)
			}
			if e.Status != extraction.StatusQueued || string(e.RetryOf) != old.ID || e.ID == old.ID || e.Document.SHA256 != old.Document.SHA256 {
				t.Errorf("retried as %+v", e)
			}
			got, sought := r.record(t, e.ID), store.Record{}
			if tt.want == store.PhaseRecheck {
				sought = store.Record{Sought: old.ID, VendorID: old.VendorID, SentAt: old.SentAt}
			}
			if got.Phase != tt.want || got.Sought != sought.Sought || got.VendorID != sought.VendorID || !got.SentAt.Equal(sought.SentAt) {
				t.Errorf("it begins in phase %q and looks for %q, %q, sent at %v; want phase %q and %+v",
					got.Phase, got.Sought, got.VendorID, got.SentAt, tt.want, sought)
			}
			if got := r.record(t, old.ID).Extraction(); string(got.RetriedBy) != e.ID || got.Status != tt.status {
				t.Errorf("the old one is %s, retried by %q", got.Status, got.RetriedBy)
			}
			if got := r.document(t, e.ID); got != "the document" {
				t.Errorf("its document is %q", got)
			}
			if _, err := r.Retry(t.Context(), "acme", old.ID, true); !errors.Is(err, ErrRetried) {
				t.Errorf("second Retry = %v, want %v", err, ErrRetried)
			}
			if _, err := r.Delete(t.Context(), "acme", e.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Retry(t.Context(), "acme", old.ID, true); !errors.Is(err, ErrRetried) {
				t.Errorf("Retry after its repetition was deleted = %v, want %v", err, ErrRetried)
			}
		})
	}
}

func TestRetryRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	running, err := r.Submit(t.Context(), submission("x"))
	if err != nil {
		t.Fatal(err)
	}
	gone := r.ended(t, extraction.StatusError, extraction.CodeVendorFailed, nil)
	if err := r.blobs.DeleteDocument(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]error{
		running.ID: ErrNotFinal,
		gone.ID:    ErrDocumentGone,
		r.ended(t, extraction.StatusSuccess, "", nil).ID: ErrSucceeded,
		store.NewID(): store.ErrNotFound,
	} {
		if _, err := r.Retry(t.Context(), "acme", id, false); !errors.Is(err, want) {
			t.Errorf("Retry = %v, want %v", err, want)
		}
	}
	if got := r.record(t, gone.ID); got.RetriedBy != "" {
		t.Errorf("a refused retry was claimed by %q", got.RetriedBy)
	}
}

// A process that died between the claim and the record of a repetition leaves one
// that the next call completes, under the claimed id.
func TestRetryAfterCrash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := r.ended(t, extraction.StatusError, extraction.CodeVendorFailed, nil)
	claimed := store.NewID()
	if _, err := r.records.ClaimRetry(t.Context(), old.Input, claimed); err != nil {
		t.Fatal(err)
	}
	e, err := r.Retry(t.Context(), "acme", old.ID, false)
	if err != nil || e.ID != claimed {
		t.Errorf("Retry = %q, %v, want %q", e.ID, err, claimed)
	}
}

// A Redis that has forgotten a repetition makes the same one again, and no second one.
func TestRetryAfterALoss(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := r.ended(t, extraction.StatusError, extraction.CodeVendorFailed, nil)
	then := r.rdb.Dump(t.Context(), "extractq:{acme}:r:"+old.ID).Val()
	first, err := r.Retry(t.Context(), "acme", old.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.rdb.RestoreReplace(t.Context(), "extractq:{acme}:r:"+old.ID, 0, then).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Retry(t.Context(), "acme", old.ID, false); !errors.Is(err, ErrRetried) || !strings.Contains(err.Error(), first.ID) {
		t.Errorf("Retry = %v, want %v by %s", err, ErrRetried, first.ID)
	}
	if err := r.rdb.RestoreReplace(t.Context(), "extractq:{acme}:r:"+old.ID, 0, then).Err(); err != nil {
		t.Fatal(err)
	}
	r.rdb.Del(t.Context(), "extractq:{acme}:r:"+first.ID, "extractq:{acme}:x:"+first.ID)
	if second, err := r.Retry(t.Context(), "acme", old.ID, false); err != nil || second.ID != first.ID {
		t.Errorf("Retry = %s, %v, want %s", second.ID, err, first.ID)
	}
}

// Of many who repeat one extraction at once, one does.
func TestRetryAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := r.ended(t, extraction.StatusError, extraction.CodeVendorFailed, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 8 {
		wg.Go(func() {
			_, err := r.Retry(t.Context(), "acme", old.ID, false)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, ErrRetried) {
				t.Errorf("Retry = %v", err)
			}
		})
	}
	wg.Wait()
	if got := r.queued(t, "acme.submit"); won != 1 || len(got) != 2 {
		t.Errorf("%d won, the queue holds %v; want one and two tasks", won, got)
	}
}

// What is deleted leaves nothing in Redis but its tombstone and the account's
// name, and nothing in the document store.
func TestDelete(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T, *rig) string{
		"queued": func(t *testing.T, r *rig) string {
			e, err := r.Submit(t.Context(), submission("x"))
			if err != nil {
				t.Fatal(err)
			}
			return e.ID
		},
		"in progress": func(t *testing.T, r *rig) string {
			e, err := r.Adopt(t.Context(), submission("x"), "v1")
			if err != nil {
				t.Fatal(err)
			}
			return e.ID
		},
		"sent": func(t *testing.T, r *rig) string {
			return r.ended(t, extraction.StatusError, extraction.CodeSubmitUncertain, new(store.Change).SentAt(time.Now())).ID
		},
		"ended": func(t *testing.T, r *rig) string {
			rec := r.ended(t, extraction.StatusSuccess, "", new(store.Change).Vendor("v1").Result(1))
			if _, err := r.blobs.PutResult(t.Context(), rec.ID, 1, extraction.NewResult([]byte(`{}`))); err != nil {
				t.Fatal(err)
			}
			return rec.ID
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			id := make(t, r)
			left, err := r.Delete(t.Context(), "acme", id)
			if err != nil {
				t.Fatal(err)
			}
			if left.ID != id || left.Provider != "sensible" || (left.VendorID == "v1") != (name == "in progress" || name == "ended") || (left.Token == id) != (name == "sent") {
				t.Errorf("remains %+v", left)
			}
			if err := r.ForgetEvents(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			for _, key := range r.rdb.Keys(t.Context(), "*").Val() {
				body, err := r.rdb.Dump(t.Context(), key).Result()
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasSuffix(key, ":tombs") && strings.Contains(key+body, id) {
					t.Errorf("%s still names the extraction", key)
				}
			}
			if has, err := r.blobs.HasDocument(t.Context(), id); has || err != nil {
				t.Errorf("the document is still there: %v, %v", has, err)
			}
			if files, err := os.ReadDir(r.dir); len(files) != 0 || err != nil {
				t.Errorf("the document store holds %v, %v", files, err)
			}
			if _, err := r.Delete(t.Context(), "acme", id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("second Delete = %v", err)
			}
			s := submission("x")
			s.ID = id
			if _, err := r.Submit(t.Context(), s); !errors.Is(err, store.ErrErased) {
				t.Errorf("Submit under the deleted id = %v, want %v", err, store.ErrErased)
			}
		})
	}
}

// The callback that counts canceled ones is called once, also where it is deleted at once.
func TestCanceledIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var told []string
	r.cfg.Canceled = func(rec store.Record) { told = append(told, rec.ID) }
	var ids []string
	for range 2 {
		e, err := r.Submit(t.Context(), submission("the document"))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	if _, err := r.Cancel(t.Context(), "acme", ids[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Cancel(t.Context(), "acme", ids[0]); !errors.Is(err, store.ErrFinal) {
		t.Fatalf("a second Cancel = %v", err)
	}
	for _, id := range ids {
		if _, err := r.Delete(t.Context(), "acme", id); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(told, ids) {
		t.Errorf("reported %v, want %v", told, ids)
	}
}
