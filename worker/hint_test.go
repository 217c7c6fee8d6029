package worker

import (
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// distant makes the account's polls so dear that they are minutes away.
func (r *rig) distant() { r.cfg.Accounts[0].PollPrice = time.Hour }

// A webhook makes the vendor be asked at once, and once: what it says is not
// believed, and when it was wrong the plan goes on.
func TestWebhookIsAHint(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
		if n < 2 {
			return pending(), nil
		}
		return done(), nil
	}
	r := newRig(t, v)
	r.distant()
	r.start()
	id := r.submit("x")
	waits := func(polls int) func() bool {
		return func() bool {
			rec := r.get(id)
			return rec.Status == extraction.StatusInProgress && rec.Polls == polls && rec.Owner == "" && time.Until(rec.Due) > 45*time.Second
		}
	}
	r.await("the first poll to be far away", waits(0))
	hook := func() {
		t.Helper()
		if err := r.client.Hook(t.Context(), "acme", extraction.Hook{VendorID: "v1"}); err != nil {
			t.Fatal(err)
		}
	}
	hook() // It is wrong.
	r.await("the poll after the webhook, and the next to be as planned", waits(1))
	hook() // It counts two seconds after the first: reconcile makes the poll run.
	if got := r.final(id); got.Status != extraction.StatusSuccess || got.Polls != 2 || !got.Hooked {
		t.Errorf("%s after %d polls, hooked %v, want SUCCESS after 2 with a webhook", got.Status, got.Polls, got.Hooked)
	}
}

// The webhook overtakes the vendor's answer to the submission.
func TestWebhookComesFirst(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	v.onSubmit = func(int, extraction.Submission) error {
		return r.client.Hook(t.Context(), "acme", extraction.Hook{VendorID: "v1"})
	}
	w := r.worker()
	id := r.submit("x")
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); !got.Due.Before(got.PlannedAt) {
		t.Errorf("asked for at %v, want it at once and not as planned at %v", got.Due, got.PlannedAt)
	}
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusSuccess || !got.Hooked || got.Polls != 1 {
		t.Errorf("%s after %d polls, hooked %v", got.Status, got.Polls, got.Hooked)
	}
}

// The process that took the webhook died before it made the task run.
func TestReconcileRunsWhatIsHinted(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) { return pending(), nil }
	r := newRig(t, v)
	r.distant()
	w := r.worker()
	id := r.polling(w, "x", 5*time.Second)
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	rec := r.get(id)
	state := func() asynq.TaskState {
		t.Helper()
		info, err := asynq.NewInspectorFromRedisClient(r.rdb).GetTaskInfo(queue.PollQueue("acme"), queue.TaskID(id, rec.Seq))
		if err != nil {
			t.Fatal(err)
		}
		return info.State
	}
	r.overdue(id)
	if _, err := w.reconcile(t.Context(), w.accounts["acme"]); err != nil || state() != asynq.TaskStateScheduled {
		t.Fatalf("without a hint the poll is %v, %v, want it to wait for its time", state(), err)
	}
	if _, err := r.records.Hint(t.Context(), "acme", id, "v1", store.SourceHook); err != nil {
		t.Fatal(err)
	}
	for range 2 { // Reconcile dies and does it again.
		r.overdue(id)
		if _, err := w.reconcile(t.Context(), w.accounts["acme"]); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != asynq.TaskStatePending {
			t.Errorf("the poll is %v, want it to run", got)
		}
	}
	if got := r.get(id); got.Seq != rec.Seq {
		t.Errorf("its seq went from %d to %d: it was issued again", rec.Seq, got.Seq)
	}
}

// The vendor is told where to call, and to say there whose extraction it is; the
// URL is in no task.
func TestSubmissionHasTheWebhook(t *testing.T) {
	t.Parallel()
	const url = "https://extractq.test/v1/hooks/acme/geheim"
	v := newVendor()
	told := make(chan extraction.Submission, 1)
	v.onSubmit = func(_ int, s extraction.Submission) error {
		told <- s
		return nil
	}
	r := newRig(t, v)
	r.cfg.Accounts[0].HookURL = url
	w := r.worker()
	id := r.submit("x")
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	s := <-told
	if s.Webhook == nil || *s.Webhook != (extraction.Webhook{URL: url, Payload: id}) {
		t.Errorf("the vendor is told %+v", s.Webhook)
	}
	for _, key := range r.rdb.Keys(t.Context(), "*").Val() {
		if strings.Contains(r.rdb.Dump(t.Context(), key).Val(), "geheim") {
			t.Errorf("%s has the URL in it", key)
		}
	}
}
