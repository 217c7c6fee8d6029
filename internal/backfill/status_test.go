package backfill

import (
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// TestStatusSaysWhatItWaitsFor goes through the states of an account.
func TestStatusSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	in24 := now.Add(24 * time.Second)
	trouble := func(code extraction.Code, message string, ago time.Duration) limiter.Trouble {
		return limiter.Trouble{Code: string(code), Message: message, At: now.Add(-ago)}
	}
	for name, tt := range map[string]struct {
		state limiter.State
		want  string
	}{
		"active": {limiter.State{}, ""},
		"down": {
			limiter.State{Reason: limiter.Unavailable, ProbeAt: in24, Message: "submit: transient: dial tcp 127.0.0.1:9: connect: connection refused"},
			"paused, next try in 24s: Sensible does not work (connection refused)\nnothing is lost, Ctrl-C is safe, Enter tries now",
		},
		"probe is due": {
			limiter.State{Reason: limiter.Unavailable, ProbeAt: now.Add(-time.Minute), Message: "\x1b[31m"},
			"paused, next try now: Sensible does not work (" + render.Escape("\x1b[31m") + ")\nnothing is lost, Ctrl-C is safe, Enter tries now",
		},
		"trial": {
			limiter.State{Reason: limiter.Unavailable, Trial: true, ProbeAt: in24, LastError: trouble("internal", "submit: 500", time.Second)},
			"next try in 24s, with one document: Sensible took none of the latest (500)\nnothing is lost, Ctrl-C is safe, Enter tries now",
		},
		"operator": {limiter.State{Reason: limiter.Operator}, "paused by an operator\nextractq accounts resume acme ends that"},
		"quota": {
			limiter.State{Reason: limiter.Quota, Message: "submit: 429: Plan usage limit exceeded"},
			"the quota at Sensible is used up: Plan usage limit exceeded\nwaiting for what was submitted before",
		},
		"store": {
			limiter.State{StoreSince: now, StoreProbeAt: in24, LastError: trouble(extraction.CodeStoreUnavailable, "write: no space left on device", 0)},
			"the document store fails, next try in 24s: no space left on device\nnothing is lost, Ctrl-C is safe",
		},
		"rate": {
			limiter.State{LastError: trouble(extraction.CodeRateLimited, "429 Too Many Requests", 10*time.Second)},
			"Sensible limits the calls (429) below the configured rate\nset a lower rate for acme, or --rate",
		},
		"rate, long ago": {limiter.State{LastError: trouble(extraction.CodeRateLimited, "429", time.Hour)}, ""},
	} {
		s := status{vendor: "Sensible", account: "acme", hastens: true}
		if got := s.text(tt.state, now); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestStatusOfASlowVendor says the vendor's last word once nothing has ended for a while.
func TestStatusOfASlowVendor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s := status{vendor: "Sensible", account: "acme"}
	record := func(id string, ago time.Duration) store.Record {
		return store.Record{
			Input: store.Input{ID: id}, Step: extraction.StepPoll, SubmittedAt: now.Add(-ago), VendorStatus: "PROCESSING",
		}
	}
	s.moved(0, now.Add(-time.Minute))
	s.note(record("new", time.Minute), "new.pdf")
	s.note(record("old", 3*time.Minute), "old.pdf")
	if got, want := s.text(limiter.State{}, now), "Sensible still works on what was submitted (PROCESSING), the oldest for 3m0s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.moved(1, now)
	if got := s.text(limiter.State{}, now); got != "" {
		t.Errorf("%q while extractions end", got)
	}
	s.note(store.Record{Input: store.Input{ID: "gone"}, PollErrors: 3, Trouble: &extraction.Trouble{Message: "404 Not Found"}}, "gone.pdf")
	if got := s.text(limiter.State{}, now); !strings.HasPrefix(got, "gone.pdf: asked 3 times: 404") {
		t.Errorf("%q, want the document for which polls fail", got)
	}
}

// TestRefusals holds all but the first documents back until the vendor has taken one.
func TestRefusals(t *testing.T) {
	t.Parallel()
	no := extraction.NewFailure(extraction.CodeVendorRejected, "no such type", nil)
	other := extraction.NewFailure(extraction.CodeVendorRejected, "too many pages", nil)
	failed := extraction.NewFailure(extraction.CodeVendorFailed, "no text", nil)
	open := func(r *refusals) bool {
		select {
		case <-r.over:
			return true
		default:
			return false
		}
	}
	for name, tt := range map[string]struct {
		ends []*extraction.Failure
		ok   time.Time
		why  string
		over bool
	}{
		"nothing yet":     {nil, time.Time{}, "", false},
		"all refused":     {many(no, firstDocuments), time.Time{}, "no such type", false},
		"not yet all":     {many(no, firstDocuments-1), time.Time{}, "", false},
		"one taken":       {many(no, firstDocuments), time.Unix(1, 0), "", true},
		"one succeeded":   {append(many(no, firstDocuments-1), nil), time.Time{}, "", true},
		"another reason":  {append(many(no, firstDocuments-1), other), time.Time{}, "", true},
		"one that failed": {append(many(no, firstDocuments-1), failed), time.Time{}, "", true},
	} {
		r := newRefusals()
		for _, f := range tt.ends {
			r.ended(f)
		}
		if got := r.all(tt.ok); got != tt.why || open(r) != tt.over {
			t.Errorf("%s: refuses all for %q and %t, want %q and %t", name, got, open(r), tt.why, tt.over)
		}
	}
	r := newRefusals()
	for range firstDocuments {
		if err := r.admit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waited := make(chan error)
	go func() { waited <- r.admit(t.Context()) }()
	r.release() // One was refused here, and never submitted.
	if err := <-waited; err != nil {
		t.Error(err)
	}
	go func() { waited <- r.admit(t.Context()) }()
	r.ended(nil)
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func many(f *extraction.Failure, n int) []*extraction.Failure {
	out := make([]*extraction.Failure, n)
	for i := range out {
		out[i] = f
	}
	return out
}
