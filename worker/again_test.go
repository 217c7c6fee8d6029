package worker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/limiter"
)

func pollFails(kind extraction.Kind) func(string, int) (extraction.Outcome, error) {
	return func(string, int) (extraction.Outcome, error) {
		return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: kind, Err: errors.New("no answer")}
	}
}

// What ended without a word of the vendor's about the document may be finished there: a
// repetition asks for it and pays nothing.
func TestRetryAsksWhereTheVendorSaidNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(r *rig, w *Worker, v *vendor) string{
		"every poll failed": func(r *rig, w *Worker, v *vendor) string {
			v.onPoll = pollFails(extraction.KindTransient)
			id := r.polling(w, "x", 2*time.Hour)
			r.hset(id, "pe", 4, "fs", ago(time.Minute))
			r.pollOn(w, id)
			return id
		},
		"too large": func(r *rig, w *Worker, v *vendor) string {
			v.onPoll = pollFails(extraction.KindTooLarge)
			id := r.polling(w, "x", time.Minute)
			r.pollOn(w, id)
			return id
		},
		"a repetition that only drew errors": func(r *rig, w *Worker, v *vendor) string {
			v.onPoll = func(_ string, n int) (extraction.Outcome, error) { return pending(), nil }
			id := r.late(w)
			v.onPoll = pollFails(extraction.KindTransient)
			id = r.repeat(w, id).ID
			r.hset(id, "se", 4, "fs", ago(2*time.Hour))
			r.stepOn(w, id)
			return id
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			r := newRig(t, v)
			w := r.worker()
			id := end(r, w, v)
			if got := r.get(id); got.Status != extraction.StatusError {
				t.Fatalf("it is %s", got.Status)
			}
			v.onPoll = nil // The vendor answers again.
			if got := r.repeat(w, id); got.Status != extraction.StatusSuccess || got.VendorID != "v1" || v.submits != 1 {
				t.Errorf("the repetition is %s under %q after %d submissions, want SUCCESS under v1 after 1", got.Status, got.VendorID, v.submits)
			}
		})
	}
}

// The vendor's own verdict is one: a repetition is submitted at once.
func TestRetryOfAVerdict(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		return extraction.Outcome{Status: extraction.StatusError}, nil
	}
	r := newRig(t, v)
	w := r.worker()
	id := r.polling(w, "x", time.Minute)
	r.hset(id, "pe", 3, "fs", ago(time.Minute))
	r.pollOn(w, id)
	if got := r.repeat(w, id); got.VendorID != "v2" || v.submits != 2 || v.polls["v1"] != 1 {
		t.Errorf("under %q after %d submissions and %d polls of the old one, want v2, 2 and 1", got.VendorID, v.submits, v.polls["v1"])
	}
}

func (r *rig) pollOn(w *Worker, id string) {
	r.t.Helper()
	if _, err := w.poll(r.t.Context(), r.payload(id)); err != nil {
		r.t.Fatal(err)
	}
}

// lose makes an extraction whose only submission lost its answer, and returns the
// vendor's name of it too.
func (r *rig) lose(w *Worker, v *vendor) (id, name string) {
	r.t.Helper()
	v.onSubmit = func(_ int, s extraction.Submission) error {
		name = s.Name
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	id = r.submit("x")
	r.stepOn(w, id)
	v.onSubmit = nil
	return id, name
}

// A vendor that was away lists nothing that came before: after a pause, a repetition looks
// for the old submission as long as a search does.
func TestRetryWaitsForThePause(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	r.cfg.UncertainWindow = time.Hour
	w := r.worker()
	id, name := r.sent(w, v)
	e, err := r.client.Retry(t.Context(), "acme", id, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.limiter.Pause(t.Context(), "acme", limiter.Unavailable, "", "down"); err != nil {
		t.Fatal(err)
	}
	r.hset(e.ID, "sent", ago(2*time.Hour))
	if err := r.limiter.Lift(t.Context(), "acme", limiter.Unavailable); err != nil {
		t.Fatal(err)
	}
	wantSought(t, "right after the pause", r.stepOn(w, e.ID))
	v.ready = []extraction.ReadyItem{{VendorID: "found", Name: name}}
	if got := r.stepOn(w, e.ID); got.VendorID != "found" || v.submits != 1 {
		t.Errorf("under %q after %d submissions, want found after 1", got.VendorID, v.submits)
	}
}

// A search that could not look at everything the vendor lists has not found that the
// vendor has nothing: it pays for nothing, whatever on_uncertain says.
func TestSearchThatSawNotAll(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(v *vendor) extraction.Provider{
		"an id that cannot be asked for": func(v *vendor) extraction.Provider {
			v.ready = []extraction.ReadyItem{{VendorID: "lost"}}
			v.onPoll = pollFails(extraction.KindTransient)
			return &listsIDs{v}
		},
		"a list without an end": func(v *vendor) extraction.Provider { return circle{v} },
	} {
		for _, repeated := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				v := newVendor()
				r := newRig(t, make(v))
				r.cfg.Accounts[0].Resubmit = true
				w := r.worker()
				var id string
				if repeated {
					old, _ := r.sent(w, v)
					e, err := r.client.Retry(t.Context(), "acme", old, false)
					if err != nil {
						t.Fatal(err)
					}
					id = e.ID
				} else {
					id, _ = r.lose(w, v)
				}
				for _, since := range []time.Duration{w.cfg.UncertainWindow, 2 * w.cfg.UncertainWindow, time.Hour} {
					if r.get(id).Status.Final() {
						break
					}
					r.hset(id, "sent", ago(since))
					if !repeated {
						r.hset(id, "unc", ago(since-w.cfg.UncertainWindow))
					}
					r.stepOn(w, id)
				}
				got := r.get(id)
				if v.submits != 1 || got.Failure == nil || got.Failure.Code != extraction.CodeSubmitUncertain {
					t.Errorf("it is %s %+v in phase %q after %d submissions, want submit_uncertain after 1",
						got.Status, got.Failure, got.Phase, v.submits)
				}
			})
		}
	}
}

// other is a vendor of another kind.
type other struct{ *vendor }

func (other) Traits() extraction.Traits {
	return extraction.Traits{Provider: "other", ReadyHasNames: true}
}

// An account that was given to another provider under running work does not send it what
// was accepted for the first, nor ask it for what the first has.
func TestProviderChanged(t *testing.T) {
	t.Parallel()
	before, after := newVendor(), newVendor()
	after.onPoll = pollFails(extraction.KindNotFound)
	r := newRig(t, before)
	w := r.worker()
	running, queued := r.polling(w, "running", 10*time.Minute), r.submit("queued")
	next := r.cfg.Accounts[0]
	next.Provider = other{after}
	r.reload(w, next)
	for range 3 {
		r.hset(running, "nf", ago(time.Hour))
		r.pollOn(w, running)
		r.stepOn(w, queued)
	}
	if after.submits != 0 || len(after.polls) != 0 {
		t.Errorf("the other provider got %d submissions and %d polls", after.submits, len(after.polls))
	}
	for _, id := range []string{running, queued} {
		if got := r.get(id); got.Status.Final() || got.Trouble == nil {
			t.Errorf("%s is %s %+v, want it to wait and to say why", id, got.Status, got.Failure)
		}
	}
	r.reload(w, r.cfg.Accounts[0])
	r.pollOn(w, running)
	r.stepOn(w, queued)
	if got := r.get(running); got.Status != extraction.StatusSuccess {
		t.Errorf("with its provider again it is %s", got.Status)
	}
	if got := r.get(queued); got.VendorID != "v2" {
		t.Errorf("with its provider again the queued one is %s under %q", got.Status, got.VendorID)
	}
}

// A provider that speaks another's dialect goes by the configuration's name for it.
func TestProviderName(t *testing.T) {
	t.Parallel()
	r := newRig(t, other{newVendor()})
	r.cfg.Accounts[0].ProviderName = "fake"
	id := r.submit("the document")
	r.drive(r.worker(), id)
	if got := r.get(id); got.Status != extraction.StatusSuccess {
		t.Errorf("it is %s, %+v", got.Status, got.Trouble)
	}
}

// What another search came across while Redis had lost the record is found when the record
// is made anew, and so is what was adopted under the vendor's id before its own search came
// to it. Neither is paid again.
func TestFoundByAnother(t *testing.T) {
	t.Parallel()
	for name, come := range map[string]func(r *rig, w *Worker, id string){
		"while the record was lost": func(r *rig, w *Worker, id string) {
			old := r.get(id)
			r.forget(id)
			searching := r.submit("y")
			r.hset(searching, "ph", "uncertain", "sent", ago(time.Second), "unc", time.Now().Add(time.Minute).UnixMilli())
			r.stepOn(w, searching)
			if _, err := r.client.Resume(r.t.Context(), intake.Submission{
				ID: id, Account: "acme", Provider: "fake", Type: "t", Name: "a.pdf", Document: strings.NewReader("x"),
			}, intake.Begun{SentAt: old.SentAt}); err != nil {
				r.t.Fatal(err)
			}
			r.stepOn(w, id)
		},
		"by an adoption": func(r *rig, w *Worker, _ string) {
			e, err := r.client.Adopt(r.t.Context(), intake.Submission{Account: "acme", Provider: "fake", Type: "t"}, "lost")
			if err != nil {
				r.t.Fatal(err)
			}
			r.pollOn(w, e.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			r := newRig(t, &listsIDs{v})
			r.cfg.Accounts[0].Resubmit = true
			w := r.worker()
			id, vendorsName := r.lose(w, v)
			v.ready = []extraction.ReadyItem{{VendorID: "lost"}}
			v.onPoll = func(string, int) (extraction.Outcome, error) {
				out := done()
				out.Name = vendorsName
				return out, nil
			}
			come(r, w, id)
			r.hset(id, "unc", ago(time.Second), "sent", ago(w.cfg.UncertainWindow))
			for range 2 {
				if got := r.get(id); got.Step == extraction.StepSubmit {
					r.stepOn(w, id)
				}
			}
			if got := r.get(id); got.VendorID != "lost" {
				t.Errorf("it is %s under %q after %d submissions, want lost", got.Status, got.VendorID, v.submits)
			}
		})
	}
}

// forget takes a record out of Redis, as a Redis that goes back in time does.
func (r *rig) forget(id string) {
	r.t.Helper()
	for _, key := range []string{"due", "list", "inflight", "released", "queued"} {
		r.rdb.ZRem(r.t.Context(), "extractq:{acme}:"+key, id)
	}
	if err := r.rdb.Del(r.t.Context(), r.recordKey(id), "extractq:{acme}:x:"+id).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// A vendor that gives one id to two documents does not make one's result the other's.
func TestAnswerAboutAnotherDocument(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var first string
	v.onSubmit = func(n int, s extraction.Submission) error {
		if n == 1 {
			first = s.Name
		}
		return nil
	}
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		out := done()
		out.Name = first
		return out, nil
	}
	r := newRig(t, v)
	w := r.worker()
	one, two := r.polling(w, "one", time.Minute), r.polling(w, "two", time.Minute)
	r.hset(two, "vid", r.get(one).VendorID)
	r.pollOn(w, two)
	if got := r.get(two); got.Status != extraction.StatusInProgress || got.Trouble == nil || !strings.Contains(got.Trouble.Message, "another document") {
		t.Errorf("the second is %s, last error %+v", got.Status, got.Trouble)
	}
	r.pollOn(w, one)
	if got := r.get(one); got.Status != extraction.StatusSuccess {
		t.Errorf("the first is %s", got.Status)
	}
}
