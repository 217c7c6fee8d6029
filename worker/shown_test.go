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
