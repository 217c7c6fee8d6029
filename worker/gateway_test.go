package worker

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
)

// gateway is the error for a status after the whole body went out.
func gateway(status string) error {
	return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New(status)}
}

// probeDue lets the time of a paused account's next probe come.
func (r *rig) probeDue() {
	r.t.Helper()
	if err := r.rdb.HSet(r.t.Context(), "extractq:{acme}:account", "probe_at", 1).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// A gateway answers with an error although the vendor behind it has taken the document:
// nothing is paid twice, and what the list shows is found.
func TestGatewayFailsAfterTheBody(t *testing.T) {
	t.Parallel()
	v := newVendor()
	random := rand.New(rand.NewPCG(1, 2))
	v.onSubmit = func(n int, s extraction.Submission) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if random.Float64() < 0.3 {
			id := "lost-" + extraction.TokenID(s.Name)
			v.bodies[id], v.names[id] = "taken", s.Name
			v.ready = append(v.ready, extraction.ReadyItem{VendorID: id, Name: s.Name})
			return gateway([]string{"500 Internal Server Error", "502 Bad Gateway", "504 Gateway Timeout"}[n%3])
		}
		return nil
	}
	r := newRig(t, v)
	r.cfg.UncertainWindow = time.Minute
	var ids []string
	for range 200 {
		ids = append(ids, r.submit("x"))
	}
	r.start()
	found := 0
	for _, id := range ids {
		r.await(id+" to be final", func() bool { r.probeIfPaused(); return r.get(id).Status.Final() })
		got := r.get(id)
		if got.Status != extraction.StatusSuccess {
			t.Errorf("%s is %s %+v", id, got.Status, got.Failure)
		}
		if strings.HasPrefix(got.VendorID, "lost-") {
			found++
		}
	}
	paid := map[string]int{}
	for _, name := range v.names {
		paid[name]++
	}
	for name, n := range paid {
		if n != 1 {
			t.Errorf("%s was submitted %d times", name, n)
		}
	}
	if found == 0 || len(paid) != len(ids) {
		t.Errorf("%d of %d documents at the vendor, %d of them found by the list", len(paid), len(ids), found)
	}
}

// probeIfPaused makes a probe due where the account is paused.
func (r *rig) probeIfPaused() {
	if s, err := r.limiter.State(r.t.Context(), "acme"); err == nil && s.Reason != limiter.Active && !s.TrialFree {
		r.probeDue()
	}
}

// A vendor that answers everything but takes no submission is sent a few documents, then
// one for each probe. The rest wait, and succeed when it is over.
func TestOutageOfSubmissions(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var healed bool
	v.onSubmit = func(int, extraction.Submission) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if healed {
			return nil
		}
		return gateway("500 Internal Server Error")
	}
	r := newRig(t, v)
	inFlight := r.polled(v, &healed)
	var ids []string
	for range 60 {
		ids = append(ids, r.submit("x"))
	}
	r.start()
	r.await("the pause", func() bool {
		s, err := r.limiter.State(t.Context(), "acme")
		return err == nil && s.Reason == limiter.Unavailable
	})
	const probes = 3
	for range probes {
		r.probeDue()
		r.await("a trial", func() bool {
			s, err := r.limiter.State(t.Context(), "acme")
			return err == nil && s.Trial && !s.TrialFree
		})
	}
	if got := r.final(inFlight); got.Status != extraction.StatusSuccess {
		t.Errorf("what was in flight ended %s while submissions fail", got.Status)
	}
	v.mu.Lock()
	sent := v.submits - 1
	healed = true
	v.mu.Unlock()
	if most := 5 + r.cfg.Concurrency + probes; sent > most {
		t.Errorf("%d documents were sent in the outage, want at most %d", sent, most)
	}
	r.await("the end of the pause", func() bool { // A trial of before may take up a probe's.
		r.probeDue()
		s, err := r.limiter.State(t.Context(), "acme")
		return err == nil && s.Reason == limiter.Active
	})
	ended := map[extraction.Status]int{}
	for _, id := range ids {
		// Failures of the outage that are reported late may pause the account once more.
		r.awaitFor(2*time.Minute, id+" to be final", func() bool { r.probeIfPaused(); return r.get(id).Status.Final() })
		got := r.get(id)
		if ended[got.Status]++; got.Status == extraction.StatusError && got.Failure.Code != extraction.CodeSubmitUncertain {
			t.Errorf("%s ended %+v", id, got.Failure)
		}
	}
	if ended[extraction.StatusError] > sent || ended[extraction.StatusSuccess] < len(ids)-sent {
		t.Errorf("ended %v with %d sent in the outage", ended, sent)
	}
	s, err := r.limiter.State(t.Context(), "acme")
	if err != nil || s.Reason != limiter.Active || s.Trial {
		t.Errorf("the account is %+v, %v, want it active", s, err)
	}
}

// polled makes an extraction that is at the vendor before the outage.
func (r *rig) polled(v *vendor, healed *bool) string {
	r.t.Helper()
	v.mu.Lock()
	*healed = true
	v.mu.Unlock()
	id := r.polling(r.worker(), "before", time.Second)
	v.mu.Lock()
	*healed = false
	v.mu.Unlock()
	return id
}

// While the account is paused, the search for a lost submission decides nothing: its
// window begins again when the vendor answers.
func TestWindowWaitsForThePause(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(int, extraction.Submission) error { return gateway("504 Gateway Timeout") }
	r := newRig(t, v)
	r.cfg.UncertainWindow = time.Hour
	w := r.worker()
	id := r.submit("lost")
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Trouble == nil || !strings.Contains(got.Trouble.Message, "504 Gateway Timeout") ||
		!strings.Contains(got.Trouble.Message, "until") {
		t.Errorf("last error %+v, want why and until when it is looked for", got.Trouble)
	}
	if _, err := r.limiter.Pause(t.Context(), "acme", limiter.Unavailable, "", "down"); err != nil {
		t.Fatal(err)
	}
	r.hset(id, "unc", ago(time.Minute), "sent", ago(2*time.Hour))
	if err := r.limiter.Lift(t.Context(), "acme", limiter.Unavailable); err != nil {
		t.Fatal(err)
	}
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status.Final() {
		t.Errorf("it ended %+v right after the pause", got.Failure)
	}
	if err := r.rdb.HSet(t.Context(), "extractq:{acme}:account", "resumed", ago(61*time.Minute)).Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Failure == nil || got.Failure.Code != extraction.CodeSubmitUncertain {
		t.Errorf("an hour later it is %s %+v", got.Status, got.Failure)
	}
}

// A refusal of one document pauses nothing where the key works otherwise: it is tried
// once more and then rejected, with the vendor's words. A refused probe pauses the account.
func TestRefusedDocument(t *testing.T) {
	t.Parallel()
	for _, works := range []bool{true, false} {
		v := newVendor()
		refused := &extraction.Error{
			Op: "submit", Kind: extraction.KindUnauthorized, Status: 403,
			Vendor: map[string]any{"message": "blocked by the firewall"}, Err: errors.New("403 Forbidden"),
		}
		v.onSubmit = func(int, extraction.Submission) error { return refused }
		v.onProbe = func() error {
			if works {
				return nil
			}
			return refused
		}
		r := newRig(t, v)
		w := r.worker()
		id := r.submit("odd")
		for range 2 {
			if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
		}
		s, err := r.limiter.State(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		got := r.get(id)
		switch {
		case works && (s.Reason != limiter.Active || got.Failure == nil || got.Failure.Code != extraction.CodeVendorRejected || v.submits != 2):
			t.Errorf("the key works: account %q, %s %+v after %d submissions, want vendor_rejected after 2", s.Reason, got.Status, got.Failure, v.submits)
		case !works && (s.Reason != limiter.Unauthorized || got.Status.Final() || !strings.Contains(s.Message, "blocked by the firewall")):
			t.Errorf("the key is refused: account %q (%s), %s", s.Reason, s.Message, got.Status)
		}
	}
}

// A 429 that does not say when to come back stops the account for a minute; the third in
// a row, a minute apart, means that the plan is used up.
func TestPlainThrottling(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(int, extraction.Submission) error {
		return &extraction.Error{Op: "submit", Kind: extraction.KindRateLimited, Status: 429, Err: errors.New("429")}
	}
	r := newRig(t, v)
	w := r.worker()
	id := r.submit("x")
	for n, want := range []limiter.Reason{limiter.Active, limiter.Active, limiter.Quota} {
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
		s, err := r.limiter.State(t.Context(), "acme")
		if err != nil || s.Reason != want {
			t.Errorf("after %d answers: %q, %v, want %q", n+1, s.Reason, err, want)
		}
		if got := r.get(id); n == 0 && (time.Until(got.Due) < 50*time.Second || got.Because != extraction.BecauseRate) {
			t.Errorf("due in %v because of %s, want a minute's wait for the rate", time.Until(got.Due), got.Because)
		}
		r.rdb.HDel(t.Context(), "extractq:{acme}:limits", "blocked")
		r.rdb.HSet(t.Context(), "extractq:{acme}:account", "throttled_at", ago(time.Minute))
	}
}
