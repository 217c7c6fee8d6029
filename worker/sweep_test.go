package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/polling"
	"github.com/extractq/extractq/polling/plan"
	"github.com/extractq/extractq/store"
)

// slow teaches the account that its vendor takes a minute or more, and that its
// lists are to be read.
func (r *rig) slow(every time.Duration) {
	r.t.Helper()
	r.cfg.Accounts[0].Sweep = true
	h := plan.Histogram{}
	for s := 60.0; s < 120; s++ {
		h.Add(s, 10)
	}
	if err := r.polls.Record(r.t.Context(), "acme", "t", polling.Observation{Bins: h}); err != nil {
		r.t.Fatal(err)
	}
	if every > 0 {
		l := polling.ReadyList{Every: every, Trusted: true, TrustedSince: time.Now()}
		if err := r.polls.SetReadyList(r.t.Context(), "acme", l); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) pollState(id string) asynq.TaskState {
	r.t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(r.rdb).GetTaskInfo(queue.PollQueue("acme"), queue.TaskID(id, r.get(id).Seq))
	if err != nil {
		r.t.Fatal(err)
	}
	return info.State
}

// What is listed and ours is asked for now; what is others', unknown or has ended is
// left alone, and the list itself is believed in nothing.
func TestSweep(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	r.slow(time.Second)
	w := r.worker()
	a := w.accounts["acme"]
	var ids []string
	for range 4 {
		ids = append(ids, r.polling(w, "x", time.Second))
	}
	r.hset(ids[3], "hn", 1)                                           // Or its poll would be put off.
	if _, err := w.poll(t.Context(), r.payload(ids[3])); err != nil { // It ends.
		t.Fatal(err)
	}
	v.ready = []extraction.ReadyItem{{VendorID: "v1"}, {VendorID: "v2"}, {VendorID: "v4"}, {VendorID: "others"}}
	got, err := w.sweep(t.Context(), a)
	if err != nil || got != (swept{Pages: 1, Items: 4, Hinted: 2}) {
		t.Fatalf("sweep = %+v, %v, want two of four items", got, err)
	}
	for i, want := range []asynq.TaskState{asynq.TaskStatePending, asynq.TaskStatePending, asynq.TaskStateScheduled} {
		if got := r.pollState(ids[i]); got != want {
			t.Errorf("the poll of the %dth is %v, want %v", i+1, got, want)
		}
	}
	if n := len(v.polls); n != 1 {
		t.Errorf("%d extractions were asked for by the sweep itself", n-1)
	}
	if rec := r.get(ids[0]); !rec.Listed || rec.Hooked || rec.Status != extraction.StatusInProgress {
		t.Errorf("listed %v, hooked %v, %s", rec.Listed, rec.Hooked, rec.Status)
	}
	// Another worker has just done it.
	if got, err := w.sweep(t.Context(), a); err != nil || got.Pages != 0 {
		t.Errorf("again at once: %+v, %v, want no call", got, err)
	}
	if l, err := r.polls.ReadyList(t.Context(), "acme"); err != nil || l.Requests < 1 || l.Requests > 1.1 || !l.Alive() {
		t.Errorf("listing %+v, %v", l, err)
	}
	// The poll after it ends it and says that the list was right.
	if _, err := w.poll(t.Context(), r.payload(ids[0])); err != nil {
		t.Fatal(err)
	}
	a.planner.Flush(t.Context())
	all, _, err := r.polls.Histories(t.Context(), "acme", "t")
	if err != nil || all.ListMissed >= 1 {
		t.Errorf("the lists are said to miss %v, %v", all.ListMissed, err)
	}
}

// Pages are followed while there are any, but not round in a circle forever.
func TestSweepPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, circle{newVendor()})
	r.slow(time.Second)
	w := r.worker()
	r.polling(w, "x", time.Second)
	got, err := w.sweep(t.Context(), w.accounts["acme"])
	if err != nil || got.Pages != sweepPages {
		t.Errorf("sweep = %+v, %v, want %d pages", got, err, sweepPages)
	}
}

// circle is a vendor whose list has no end.
type circle struct{ *vendor }

func (circle) Ready(context.Context, extraction.ReadyQuery) (extraction.ReadyPage, error) {
	return extraction.ReadyPage{Items: []extraction.ReadyItem{{VendorID: "others"}}, NextCursor: "again"}, nil
}

// Nothing is asked where nothing is in flight, where lists are switched off, and while
// the account is paused or blocked.
func TestNoSweep(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(r *rig){
		"nothing in flight": func(*rig) {},
		"not decided": func(r *rig) {
			r.polling(r.worker(), "x", time.Second)
			if err := r.polls.SetReadyList(r.t.Context(), "acme", polling.ReadyList{}); err != nil {
				r.t.Fatal(err)
			}
		},
		"switched off": func(r *rig) {
			r.polling(r.worker(), "x", time.Second)
			r.cfg.Accounts[0].Sweep = false
		},
		"paused": func(r *rig) {
			r.polling(r.worker(), "x", time.Second)
			if _, err := r.limiter.Pause(r.t.Context(), "acme", limiter.Operator, "", ""); err != nil {
				r.t.Fatal(err)
			}
		},
		"blocked": func(r *rig) {
			r.polling(r.worker(), "x", time.Second)
			if err := r.limiter.Block(r.t.Context(), "acme", time.Hour); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onReady = func() { t.Error("the list was asked for") }
			r := newRig(t, v)
			r.slow(time.Second)
			prepare(r)
			w := r.worker()
			if got, err := w.sweep(t.Context(), w.accounts["acme"]); err != nil || got.Pages != 0 {
				t.Errorf("sweep = %+v, %v", got, err)
			}
		})
	}
}

// A poll that was planned before the lists were trusted is put off without a call; a
// hint is not.
func TestPollIsPutOff(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) { return pending(), nil }
	r := newRig(t, v)
	early := r.polling(r.worker(), "x", 5*time.Second) // Planned by the prior.
	r.slow(time.Second)
	w := r.worker()
	past := ago(time.Millisecond)
	r.hset(early, "due", past, "pn", past)
	before := r.get(early)
	if _, err := w.poll(t.Context(), r.payload(early)); err != nil {
		t.Fatal(err)
	}
	after := r.get(early)
	if v.polls["v1"] != 0 || after.Seq != before.Seq+1 || time.Until(after.Due) < 30*time.Second || after.Polls != 0 {
		t.Errorf("asked %d times, seq %d after %d, due in %v", v.polls["v1"], after.Seq, before.Seq, time.Until(after.Due))
	}
	if err := w.queue.Hint(t.Context(), r.records, "acme", early, "v1", store.SourceList); err != nil {
		t.Fatal(err)
	}
	if _, err := w.poll(t.Context(), r.payload(early)); err != nil {
		t.Fatal(err)
	}
	if v.polls["v1"] != 1 {
		t.Errorf("after a hint asked %d times", v.polls["v1"])
	}
}

// A hint for a poll that is due already, and has not begun, hurries nothing: that poll
// answers it, and is not put off.
func TestHintedPollIsNotPutOff(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	id := r.polling(r.worker(), "x", 5*time.Second) // Planned by the prior.
	r.slow(time.Second)
	w := r.worker()
	past := ago(time.Millisecond)
	r.hset(id, "due", past, "pn", past)
	if err := r.client.Hook(t.Context(), "acme", extraction.Hook{VendorID: "v1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if rec := r.get(id); v.polls["v1"] != 1 || rec.Status != extraction.StatusSuccess {
		t.Errorf("asked %d times, it is %s and due in %v", v.polls["v1"], rec.Status, time.Until(rec.Due))
	}
}

// Lists that are to be read and cannot be, because the plan is used up or the vendor does
// not show them, are not relied on: polls are planned as if there were none.
func TestUnreadListsAreNotTrusted(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]extraction.Provider{"used up": newVendor(), "not shown": listBroken{newVendor(), extraction.KindTransient}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, p)
			r.slow(time.Second)
			w := r.worker()
			r.polling(w, "x", time.Second)
			r.rdb.HSet(t.Context(), "extractq:{acme}:listing", "on", ago(time.Hour))
			if name == "used up" {
				if _, err := r.limiter.Pause(t.Context(), "acme", limiter.Quota, "", ""); err != nil {
					t.Fatal(err)
				}
			}
			_, _ = w.sweep(t.Context(), w.accounts["acme"])
			if l, err := r.polls.ReadyList(t.Context(), "acme"); err != nil || l.Every == 0 || l.Alive() {
				t.Errorf("%+v is relied on, %v", l, err)
			}
		})
	}
}

// listBroken is a vendor that answers every reading of its list with an error.
type listBroken struct {
	*vendor
	kind extraction.Kind
}

func (v listBroken) Ready(context.Context, extraction.ReadyQuery) (extraction.ReadyPage, error) {
	return extraction.ReadyPage{}, &extraction.Error{Op: "ready", Kind: v.kind, Err: errors.New("out of order")}
}

// What a reading tells of the whole account acts on it, and says why, before any
// extraction has met it; what may concern the list alone does not.
func TestListTellsOfTheAccount(t *testing.T) {
	t.Parallel()
	for kind, want := range map[extraction.Kind]struct {
		reason limiter.Reason
		code   string
	}{
		extraction.KindUnauthorized: {limiter.Unauthorized, "unauthorized"},
		extraction.KindQuota:        {limiter.Quota, "vendor_quota"},
		extraction.KindRateLimited:  {limiter.Active, "rate_limited"},
		extraction.KindTransient:    {limiter.Active, ""},
	} {
		r := newRig(t, listBroken{newVendor(), kind})
		r.slow(time.Second)
		w := r.worker()
		r.polling(w, "x", time.Second)
		if _, err := w.sweep(t.Context(), w.accounts["acme"]); err == nil {
			t.Errorf("%v is no error of the sweep", kind)
		}
		got, err := r.limiter.State(t.Context(), "acme")
		if err != nil || got.Reason != want.reason || got.LastError.Code != want.code {
			t.Errorf("after %v the account is %q for %+v, %v; want %q for %q", kind, got.Reason, got.LastError, err, want.reason, want.code)
		}
	}
}

// A list that takes long to come is read once at a time, and leaves room for what else
// belongs to no account.
func TestSlowListIsReadOnce(t *testing.T) {
	t.Parallel()
	v := newVendor()
	var calls atomic.Int32
	begun, end := make(chan struct{}, 10), make(chan struct{})
	v.onReady = func() {
		calls.Add(1)
		begun <- struct{}{}
		<-end
	}
	r := newRig(t, v)
	r.slow(time.Second)
	w := r.worker()
	r.polling(w, "x", time.Second)
	var wg sync.WaitGroup
	read := func() <-chan struct{} {
		r.rdb.HDel(t.Context(), "extractq:{acme}:listing", "at") // Time passes.
		ended := make(chan struct{})
		wg.Go(func() { defer close(ended); _, _ = w.sweep(context.Background(), w.accounts["acme"]) })
		return ended
	}
	read()
	<-begun
	for range 3 {
		select {
		case <-read():
		case <-time.After(10 * time.Second):
			t.Error("a second reading waits for the first")
		}
	}
	close(end)
	wg.Wait()
	if n := calls.Load(); n != 1 {
		t.Errorf("the list was asked for %d times at once", n)
	}
	r.rdb.HDel(t.Context(), "extractq:{acme}:listing", "at")
	if got, err := w.sweep(t.Context(), w.accounts["acme"]); err != nil || got.Pages != 1 {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

// The decision of a tick is written, and taken back when nothing is in flight.
func TestDecideReadyList(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	r.slow(0)
	w := r.worker()
	a := w.accounts["acme"]
	listing := func() polling.ReadyList {
		t.Helper()
		if _, err := w.reconcile(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		l, err := r.polls.ReadyList(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := listing(); l.Every != 0 {
		t.Errorf("with nothing in flight %+v", l)
	}
	var ids []string
	for range 40 {
		ids = append(ids, r.polling(w, "x", time.Second))
	}
	if l := listing(); !l.Trusted || l.Every == 0 || !l.Alive() {
		t.Errorf("with forty in flight %+v", l)
	}
	for _, id := range ids {
		if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
	}
	if l := listing(); l.Every != 0 || l.Trusted {
		t.Errorf("when all have ended %+v", l)
	}
}

// A reading of the lists with ten thousand in flight, of which a hundred are on it.
func BenchmarkSweep(b *testing.B) {
	v := newVendor()
	for i := range 100 {
		v.ready = append(v.ready, extraction.ReadyItem{VendorID: fmt.Sprintf("v%d", i*100)})
	}
	r := newRig(b, v)
	r.slow(time.Second)
	records := make([]any, 0, 20_000)
	for i := range 10_000 {
		id := store.NewID()
		in, err := json.Marshal(store.Input{ID: id, Account: "acme", Type: "t"})
		if err != nil {
			b.Fatal(err)
		}
		r.rdb.HSet(b.Context(), r.recordKey(id), "st", "IN_PROGRESS", "step", "poll", "seq", 1, "vid", fmt.Sprintf("v%d", i), "due", ago(-time.Hour))
		r.rdb.HSet(b.Context(), "extractq:{acme}:x:"+id, "in", in)
		r.rdb.ZAdd(b.Context(), "extractq:{acme}:inflight", z(float64(ago(time.Second)), id))
		records = append(records, fmt.Sprintf("v%d", i), id)
	}
	r.rdb.HSet(b.Context(), "extractq:{acme}:vids", records...)
	w := r.worker()
	for b.Loop() {
		r.rdb.HDel(b.Context(), "extractq:{acme}:listing", "at")
		if got, err := w.sweep(b.Context(), w.accounts["acme"]); err != nil || got.Hinted != 100 {
			b.Fatalf("sweep = %+v, %v", got, err)
		}
	}
}
