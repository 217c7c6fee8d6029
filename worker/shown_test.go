package worker

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/tasks"
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
	e, err := r.client.Submit(t.Context(), tasks.Submission{
		Account: "acme", Provider: "fake", Type: "t", Name: "a.pdf", URL: "https://example.com/a.pdf",
	})
	if err != nil {
		t.Fatal(err)
	}
	r.start()
	r.final(good)
	r.final(e.ID)
	inspector := asynq.NewInspectorFromRedisClient(r.rdb)
	shown := func() map[string]tasks.Outcome {
		out := map[string]tasks.Outcome{}
		for _, queue := range []string{tasks.SubmitQueue("acme"), tasks.PollQueue("acme")} {
			completed, err := inspector.ListCompletedTasks(queue)
			if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
				t.Fatal(err)
			}
			for _, task := range completed {
				var p tasks.Payload
				var o tasks.Outcome
				if err := errors.Join(json.Unmarshal(task.Payload, &p), json.Unmarshal(task.Result, &o)); err != nil {
					t.Fatal(err)
				}
				out[queue+" "+p.ID] = o
			}
		}
		return out
	}
	want := map[string]tasks.Outcome{
		tasks.PollQueue("acme") + " " + good:   {Status: extraction.StatusSuccess, Polls: 2},
		tasks.SubmitQueue("acme") + " " + e.ID: {Status: extraction.StatusError, ErrorCode: extraction.CodeDocumentUnavailable},
	}
	r.await("both to be completed tasks", func() bool { return len(shown()) == 2 })
	if diff := cmp.Diff(want, shown()); diff != "" {
		t.Errorf("completed tasks (-want +got):\n%s", diff)
	}
	for _, queue := range []string{tasks.SubmitQueue("acme"), tasks.PollQueue("acme")} {
		info, err := inspector.GetQueueInfo(queue)
		if err != nil || info.Size != info.Completed {
			t.Errorf("%s holds %+v, %v; want completed tasks only", queue, info, err)
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
	shown := func() tasks.Payload {
		t.Helper()
		task, err := asynq.NewInspectorFromRedisClient(r.rdb).GetTaskInfo(tasks.PollQueue("acme"), tasks.TaskID(id, r.get(id).Seq))
		if err != nil {
			t.Fatal(err)
		}
		var p tasks.Payload
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
