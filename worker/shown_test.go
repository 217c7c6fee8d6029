package worker

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
)

// What a person sees in the queue: an extraction that is over is one completed
// task with its outcome, in the queue of the step that ended it, and nothing else
// of it is left.
func TestFinishedIsShownOnce(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
		if n < 2 {
			return pending(), nil
		}
		return done(), nil
	}
	r := newRig(t, v)
	good := r.submit("good")
	e, err := r.client.Submit(t.Context(), intake.Submission{
		Account: "acme", Provider: "fake", Type: "t", Name: "a.pdf", URL: "https://example.com/a.pdf",
	})
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	r.final(good)
	r.final(e.ID)
	inspector := asynq.NewInspectorFromRedisClient(r.rdb)
	shown := func() map[string]queue.Outcome {
		out := map[string]queue.Outcome{}
		for _, name := range []string{queue.SubmitQueue("acme"), queue.PollQueue("acme")} {
			completed, err := inspector.ListCompletedTasks(name)
			if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
				t.Fatal(err)
			}
			for _, task := range completed {
				var p queue.Payload
				var o queue.Outcome
				if err := errors.Join(json.Unmarshal(task.Payload, &p), json.Unmarshal(task.Result, &o)); err != nil {
					t.Fatal(err)
				}
				out[name+" "+p.ID] = o
			}
		}
		return out
	}
	want := map[string]queue.Outcome{
		queue.PollQueue("acme") + " " + good:   {Status: extraction.StatusSuccess, Polls: 2},
		queue.SubmitQueue("acme") + " " + e.ID: {Status: extraction.StatusError, ErrorCode: extraction.CodeDocumentUnavailable},
	}
	r.await("both to be completed tasks", func() bool { return len(shown()) == 2 })
	if diff := cmp.Diff(want, shown()); diff != "" {
		t.Errorf("completed tasks (-want +got):\n%s", diff)
	}
	for _, name := range []string{queue.SubmitQueue("acme"), queue.PollQueue("acme")} {
		info, err := inspector.GetQueueInfo(name)
		if err != nil || info.Size != info.Completed {
			t.Errorf("%s holds %+v, %v; want completed tasks only", name, info, err)
		}
	}
}

// The task that waits shows what the vendor said last, not what it had said
// before that.
func TestTaskShowsTheVendorsLastWord(t *testing.T) {
	t.Parallel()
	v := newVendor()
	words := []string{"QUEUED", "PROCESSING"}
	v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
		return extraction.Outcome{Status: extraction.StatusInProgress, VendorStatus: words[n-1]}, nil
	}
	r := newRig(t, uploader{v})
	w := r.worker()
	id := r.submit("a")
	shown := func() queue.Payload {
		t.Helper()
		task, err := asynq.NewInspectorFromRedisClient(r.rdb).GetTaskInfo(queue.PollQueue("acme"), queue.TaskID(id, r.get(id).Seq))
		if err != nil {
			t.Fatal(err)
		}
		var p queue.Payload
		if err := json.Unmarshal(task.Payload, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if p := shown(); p.VendorStatus != "WAITING" || p.Polls != 0 {
		t.Errorf("after the submission: %q after %d polls, want WAITING after none", p.VendorStatus, p.Polls)
	}
	for i, word := range words {
		if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
		if p := shown(); p.VendorStatus != word || p.Polls != i+1 {
			t.Errorf("after poll %d: %q after %d polls, want %s", i+1, p.VendorStatus, p.Polls, word)
		}
	}
}
