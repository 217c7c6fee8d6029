package worker

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
)

// A provider that panics once costs one attempt, and its document is not lost.
func TestProviderPanics(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var polled atomic.Bool
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		if polled.CompareAndSwap(false, true) {
			panic("index out of range")
		}
		return done(), nil
	}
	v.onSubmit = func(n int, s extraction.Submission) error {
		if n == 1 { // After the document has gone out.
			v.mu.Lock()
			v.ready = []extraction.ReadyItem{{VendorID: "lost", Name: s.Name}}
			v.mu.Unlock()
			panic("nil pointer")
		}
		return nil
	}
	r := newRig(t, v)
	id := r.submit("x")
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess || v.submits != 1 || got.VendorID != "lost" {
		t.Errorf("ended %s at %s after %d submissions", got.Status, got.VendorID, v.submits)
	}
}

// nonsense is a provider whose first answers make no sense.
type nonsense struct {
	*vendor
	receipt extraction.Receipt
	times   int
}

func (n *nonsense) Submit(ctx context.Context, s extraction.Submission) (extraction.Receipt, error) {
	got, err := n.vendor.Submit(ctx, s)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.times--; n.times >= 0 {
		n.ready = []extraction.ReadyItem{{VendorID: got.VendorID, Name: s.Name}}
		return n.receipt, err
	}
	return got, err
}

// A submission that is answered without an id is uncertain, not lost.
func TestSubmitWithoutID(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, &nonsense{vendor: v, times: 1})
	id := r.submit("x")
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess || v.submits != 1 || got.VendorID != "v1" {
		t.Errorf("ended %s at %q after %d submissions", got.Status, got.VendorID, v.submits)
	}
}

// An opened upload without an id is opened again, which is free.
type nameless struct {
	uploader
	times int
}

func (u *nameless) Open(ctx context.Context, s extraction.Submission) (extraction.Upload, error) {
	got, err := u.uploader.Open(ctx, s)
	if u.times--; u.times >= 0 {
		got.VendorID = ""
	}
	return got, err
}

func TestOpenWithoutID(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, &nameless{uploader: uploader{v}, times: 1})
	id := r.submit("x")
	r.start()
	if got := r.final(id); got.Status != extraction.StatusSuccess || got.VendorID != "u2" || v.puts != 1 {
		t.Errorf("ended %s at %q with %d puts, want SUCCESS at u2 with 1", got.Status, got.VendorID, v.puts)
	}
}

// Polls whose answer makes no sense are "not yet", and a final status without
// the thing it promises still ends the extraction with something to show.
func TestPollNonsense(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		out  extraction.Outcome
		want extraction.Status
		code extraction.Code
	}{
		"zero":                 {extraction.Outcome{}, extraction.StatusInProgress, ""},
		"an unknown status":    {extraction.Outcome{Status: "FANCY", VendorStatus: "x\x00\n" + strings.Repeat("y", 500), Unknown: true}, extraction.StatusInProgress, ""},
		"queued":               {extraction.Outcome{Status: extraction.StatusQueued}, extraction.StatusInProgress, ""},
		"success, no result":   {extraction.Outcome{Status: extraction.StatusSuccess}, extraction.StatusInProgress, ""},
		"error, no failure":    {extraction.Outcome{Status: extraction.StatusError}, extraction.StatusError, extraction.CodeVendorFailed},
		"canceled, no failure": {extraction.Outcome{Status: extraction.StatusCanceled}, extraction.StatusCanceled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onPoll = func(string, int) (extraction.Outcome, error) { return tt.out, nil }
			r := newRig(t, v)
			w := r.worker()
			id := r.polling(w, "x", time.Second)
			if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			got := r.get(id)
			if got.Status != tt.want || tt.code != "" && got.Failure.Code != tt.code {
				t.Errorf("now %s %+v, want %s", got.Status, got.Failure, tt.want)
			}
		})
	}
}

// A 404 is "not yet" for a minute, then trouble for five, then the end.
func TestMissing(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		submitted, missing time.Duration // Ago; missing 0 for not yet seen.
		want               extraction.Status
		noted              bool
	}{
		"just submitted":        {10 * time.Second, 0, extraction.StatusInProgress, false},
		"the first after it":    {2 * time.Minute, 0, extraction.StatusInProgress, true},
		"missing four minutes":  {time.Hour, 4 * time.Minute, extraction.StatusInProgress, true},
		"missing six minutes":   {time.Hour, 6 * time.Minute, extraction.StatusExpired, true},
		"past the deadline too": {48 * time.Hour, 0, extraction.StatusInProgress, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			gone := true
			v.onPoll = func(string, int) (extraction.Outcome, error) {
				if gone {
					return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindNotFound, Status: 404, Err: errors.New("404")}
				}
				return pending(), nil
			}
			r := newRig(t, v)
			w := r.worker()
			id := r.polling(w, "x", tt.submitted)
			if tt.missing > 0 {
				r.hset(id, "nf", ago(tt.missing))
			}
			if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			got := r.get(id)
			if got.Status != tt.want || got.MissingSince.IsZero() == tt.noted {
				t.Errorf("now %s, missing since %v, want %s", got.Status, got.MissingSince, tt.want)
			}
			if tt.want == extraction.StatusInProgress && (got.Trouble == nil || !strings.Contains(got.Trouble.Message, "404")) {
				t.Errorf("last error %+v does not say 404", got.Trouble)
			}
			if tt.want == extraction.StatusExpired {
				if got.Failure == nil || got.Failure.Code != extraction.CodeExpired {
					t.Errorf("failure %+v, want expired", got.Failure)
				}
				return
			}
			// One answer ends the row.
			gone = false
			r.hset(id, "sub", ago(time.Minute))
			if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			if got := r.get(id); !got.MissingSince.IsZero() {
				t.Errorf("missing since %v after an answer", got.MissingSince)
			}
		})
	}
}
