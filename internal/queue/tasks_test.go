package queue

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

func record() store.Record {
	return store.Record{
		Input: store.Input{
			ID: "01JD8Z3V5K7M9N0P2Q4R6S8T0W", Account: "acme", Provider: "sensible", Type: "tax_forms",
			Customer: "c1", Batch: "b1", Metadata: map[string]string{"name": "Jane Doe"}, Options: map[string]any{"o": "secret-option"},
			Document: extraction.Document{Name: "Jane Doe 1040.pdf", URL: "https://files.test/?sig=s", SHA256: "abcd"},
		},
		VendorID: "v1", VendorStatus: "WAITING for Jane", Polls: 3,
		Failure: extraction.NewFailure(extraction.CodeVendorFailed, "Jane", "Jane"),
		Trouble: &extraction.Trouble{Message: "Jane"},
	}
}

// The payloads are stored and read by other versions: their shape is fixed.
func TestPayloadShape(t *testing.T) {
	t.Parallel()
	at := time.Now()
	for _, tt := range []struct {
		name string
		task func() (*asynq.Task, []asynq.Option)
		kind string
		body string
	}{
		{
			"submit", func() (*asynq.Task, []asynq.Option) { return newStep(extraction.StepSubmit, For(record(), 7), at) }, "extraction:submit",
			`{"v":1,"id":"01JD8Z3V5K7M9N0P2Q4R6S8T0W","account":"acme","seq":7,"type":"tax_forms","customer":"c1","batch":"b1","polls":3,"vendor_status":"WAITINGforJane"}`,
		},
		{"poll", func() (*asynq.Task, []asynq.Option) {
			return newStep(extraction.StepPoll, For(store.Record{Input: store.Input{ID: "I", Account: "a"}}, 2), at)
		}, "extraction:poll", `{"v":1,"id":"I","account":"a","seq":2}`},
	} {
		task, _ := tt.task()
		if task.Type() != tt.kind || string(task.Payload()) != tt.body {
			t.Errorf("%s: %s %s, want %s %s", tt.name, task.Type(), task.Payload(), tt.kind, tt.body)
		}
	}
}

// What is personal or secret stays in the store.
func TestPayloadHoldsNothingPersonal(t *testing.T) {
	t.Parallel()
	r := record()
	r.VendorStatus = ""
	task, _ := newStep(extraction.StepSubmit, For(r, 1), time.Time{})
	for _, s := range []string{"Jane", "1040", "sig=", "files.test", "secret", "abcd", "v1\""} {
		if strings.Contains(string(task.Payload()), s) {
			t.Errorf("the payload %s holds %q", task.Payload(), s)
		}
	}
}

func options(opts []asynq.Option) map[asynq.OptionType]any {
	out := map[asynq.OptionType]any{}
	for _, o := range opts {
		out[o.Type()] = o.Value()
	}
	return out
}

func TestOptions(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(time.Minute)
	p := For(record(), 7)
	for step, want := range map[extraction.Step]struct {
		queue   string
		timeout time.Duration
	}{
		extraction.StepSubmit: {"acme.submit", submitTimeout},
		extraction.StepPoll:   {"acme.poll", pollTimeout},
	} {
		_, opts := newStep(step, p, at)
		got := options(opts)
		if got[asynq.QueueOpt] != want.queue || got[asynq.TimeoutOpt] != want.timeout ||
			got[asynq.TaskIDOpt] != p.ID+":7" || got[asynq.MaxRetryOpt] != math.MaxInt32 || got[asynq.ProcessAtOpt] != at {
			t.Errorf("options of %s: %v", step, got)
		}
		// Only the task that ended the extraction stays that long; see Passed.
		if got[asynq.RetentionOpt] != finishedShown {
			t.Errorf("%s is retained for %v, want %v", step, got[asynq.RetentionOpt], finishedShown)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	want := For(record(), 7)
	task, _ := newStep(extraction.StepPoll, want, time.Time{})
	if got, err := Decode(task); err != nil || got != want {
		t.Errorf("Decode = %+v, %v, want %+v", got, err, want)
	}
	for body, sentinel := range map[string]error{
		`{"v":1,"id":"I","account":"a","seq":2,"later":{"x":1}}`: nil, // Members only grow.
		`{"v":2,"id":"I","account":"a","seq":2}`:                 ErrNewer,
	} {
		if _, err := Decode(asynq.NewTask(TypePoll, []byte(body))); !errors.Is(err, sentinel) {
			t.Errorf("Decode(%s) = %v, want %v", body, err, sentinel)
		}
	}
	for _, bad := range []string{``, `x`, `[]`, `{"seq":"7"}`} {
		if _, err := Decode(asynq.NewTask(TypePoll, []byte(bad))); err == nil {
			t.Errorf("Decode(%q) worked", bad)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"id":"I","account":"a","seq":2}`))
	f.Add([]byte(`{"v":99}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := Decode(asynq.NewTask(TypePoll, body))
		if err == nil && p.Version > payloadVersion {
			t.Errorf("version %d was accepted", p.Version)
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	if got := SubmitQueue("acme") + " " + PollQueue("acme") + " " + TaskID("I", 12); got != "acme.submit acme.poll I:12" {
		t.Errorf("names %s", got)
	}
}
