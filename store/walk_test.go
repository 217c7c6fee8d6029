package store

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/extractq/extractq/extraction"
)

// walk is a random life of a few extractions: several workers do what they may
// and may not, at any moment, some of it twice, and reconcile takes leases away.
type walk struct {
	*rig
	rt      *rapid.T
	fences  []Fence                      // What each extraction is, by index.
	tokens  []map[int64]string           // Who begun which seq.
	seqs    map[string]int64             // The largest seq seen.
	final   map[string]extraction.Status // What has ended.
	created int
}

// TestRandomWalk lets several workers act on the same extractions in random
// order, with replays and outdated knowledge, and checks after each act what
// must hold at every moment.
func TestRandomWalk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rapid.Check(t, func(rt *rapid.T) {
		if err := r.rdb.FlushDB(t.Context()).Err(); err != nil {
			rt.Fatal(err)
		}
		r.window(rapid.SampledFrom([]Window{wide, {Released: 1, InFlight: 2}, {}}).Draw(rt, "window"))
		w := &walk{rig: r, rt: rt, seqs: map[string]int64{}, final: map[string]extraction.Status{}}
		for range rapid.IntRange(1, 4).Draw(rt, "extractions") {
			f := r.create()
			w.fences = append(w.fences, f)
			w.tokens = append(w.tokens, map[int64]string{})
			w.created++
		}
		rt.Repeat(map[string]func(*rapid.T){
			"":        func(*rapid.T) { w.check() },
			"begin":   w.begin,
			"mark":    w.mark,
			"next":    w.next,
			"finish":  w.finish,
			"reissue": w.reissue,
			"touch":   w.touch,
			"resolve": w.resolve,
			"cancel":  w.cancel,
			"retry":   w.retry,
			"lapse":   w.lapse,
			"release": w.release,
			"window":  w.window,
			"pause":   w.pause,
			"hint":    w.hint,
		})
	})
}

// pick draws an extraction, a seq at or beside the present one, and the token of
// whoever began it or of a stranger.
func (w *walk) pick(rt *rapid.T) (int, Fence) {
	i := rapid.IntRange(0, len(w.fences)-1).Draw(rt, "extraction")
	f := w.fences[i]
	f.Seq = max(0, w.seqs[f.Input.ID]+int64(rapid.IntRange(-2, 1).Draw(rt, "seq")))
	f.Token = NewToken()
	if token, ok := w.tokens[i][f.Seq]; ok && rapid.Bool().Draw(rt, "own") {
		f.Token = token
	}
	return i, f
}

// twice repeats a call as go-redis repeats one whose answer was lost: the second
// answer must be the first.
func (w *walk) twice(rt *rapid.T, what string, call func() error) error {
	err := call()
	if !rapid.Bool().Draw(rt, "replayed") {
		return w.allowed(what, err)
	}
	again := call()
	if err == nil && again != nil {
		w.rt.Fatalf("%s won and its replay says %v", what, again)
	}
	return w.allowed(what, err)
}

func (w *walk) allowed(what string, err error) error {
	for _, a := range []error{nil, ErrStale, ErrBusy, ErrFinal, ErrWaits, ErrKnown, ErrSupplanted} {
		if errors.Is(err, a) {
			return err
		}
	}
	w.rt.Fatalf("%s: %v", what, err)
	return err
}

func (w *walk) begin(rt *rapid.T) {
	i, f := w.pick(rt)
	step := w.getRecord(f).Step
	if rapid.IntRange(0, 9).Draw(rt, "other step") == 0 {
		step = extraction.StepPoll
	}
	waited := w.waits(f)
	var answers []error
	_ = w.twice(rt, "begin", func() error {
		_, err := w.s.Begin(w.t.Context(), f, step, testLease)
		answers = append(answers, err)
		return err
	})
	if errors.Is(answers[0], ErrWaits) && (!w.waits(f) || !errors.Is(answers[len(answers)-1], ErrWaits)) {
		w.rt.Fatalf("%s was told to wait, and then %v", f.Input.ID, answers)
	}
	if answers[0] != nil {
		return
	}
	if waited {
		w.rt.Fatalf("%s was begun while it waited", f.Input.ID)
	}
	if old, ok := w.tokens[i][f.Seq]; ok && old != f.Token {
		w.rt.Fatalf("seq %d of %s was begun twice", f.Seq, f.Input.ID)
	}
	w.tokens[i][f.Seq] = f.Token
}

func (w *walk) change(rt *rapid.T) *Change {
	c := new(Change).Polls(rapid.IntRange(0, 9).Draw(rt, "polls"))
	switch rapid.IntRange(0, 5).Draw(rt, "change") {
	case 0:
		c.Phase(rapid.SampledFrom([]Phase{PhaseNone, PhaseSending, PhaseOpened, PhaseSent, PhaseUncertain}).Draw(rt, "phase"))
	case 1:
		c.Vendor(fmt.Sprintf("v%d", rapid.IntRange(0, 5).Draw(rt, "vendor"))).Upload("https://u.test/?s=1", time.Now())
	case 2:
		c.Vendor("").Upload("", time.Time{})
	case 3:
		c.Trouble(extraction.Trouble{Code: extraction.CodeVendorFailed})
	}
	return c
}

func (w *walk) mark(rt *rapid.T) {
	_, f := w.pick(rt)
	c := w.change(rt)
	err := w.twice(rt, "mark", func() error { return w.s.Mark(w.t.Context(), f, c) })
	if err == nil && w.getRecord(f).Owner != f.Token {
		w.rt.Fatal("a mark without the lease")
	}
}

func (w *walk) next(rt *rapid.T) {
	_, f := w.pick(rt)
	step := rapid.SampledFrom([]extraction.Step{extraction.StepSubmit, extraction.StepPoll}).Draw(rt, "step")
	if w.getRecord(f).Step == extraction.StepPoll {
		step = extraction.StepPoll // What is at the vendor is never submitted again.
	}
	delay := time.Duration(rapid.IntRange(0, 5000).Draw(rt, "delay")) * time.Millisecond
	var c *Change // Who holds no lease knows nothing to write.
	if w.getRecord(f).Owner == f.Token {
		c = w.change(rt)
	}
	_ = w.twice(rt, "next", func() error {
		_, err := w.s.Next(w.t.Context(), f, step, delay, extraction.BecauseScheduled, c)
		return err
	})
}

func (w *walk) finish(rt *rapid.T) {
	_, f := w.pick(rt)
	status := rapid.SampledFrom([]extraction.Status{
		extraction.StatusSuccess, extraction.StatusError, extraction.StatusExpired, extraction.StatusCanceled,
	}).Draw(rt, "status")
	before := w.getRecord(f).Status
	err := w.twice(rt, "finish", func() error {
		_, err := w.s.Finish(w.t.Context(), f, status, testKept, new(Change).Result(f.Seq))
		return err
	})
	if err == nil && !before.Final() {
		w.final[f.Input.ID] = status
	}
}

func (w *walk) cancel(rt *rapid.T) {
	_, f := w.pick(rt)
	f.Token = NewToken()
	before := w.getRecord(f).Status
	err := w.twice(rt, "cancel", func() error { return w.s.Cancel(w.t.Context(), f.Input, f.Token, testKept) })
	if (err == nil) == before.Final() {
		w.rt.Fatalf("cancel of a %s extraction: %v", before, err)
	}
	if err == nil {
		w.final[f.Input.ID] = extraction.StatusCanceled
	}
}

// retry claims the repetition of an extraction: only a final one has one, and it
// is always the same.
func (w *walk) retry(rt *rapid.T) {
	_, f := w.pick(rt)
	before := w.getRecord(f)
	got, err := w.s.ClaimRetry(w.t.Context(), f.Input, NewID())
	if (err == nil) != before.Status.Final() {
		w.rt.Fatalf("retry of a %s extraction: %v", before.Status, err)
	}
	if err == nil && before.RetriedBy != "" && got != before.RetriedBy {
		w.rt.Fatalf("repeated by %s and by %s", before.RetriedBy, got)
	}
}

func (w *walk) reissue(rt *rapid.T) {
	_, f := w.pick(rt)
	f.Token = NewToken()
	held := w.getRecord(f)
	err := w.twice(rt, "reissue", func() error {
		_, _, err := w.s.Reissue(w.t.Context(), f)
		return err
	})
	if err == nil && held.Owner != "" && held.Lease.After(time.Now()) {
		w.rt.Fatal("a held step was reissued")
	}
}

func (w *walk) touch(rt *rapid.T) {
	_, f := w.pick(rt)
	orphaned := rapid.Bool().Draw(rt, "orphaned")
	_ = w.twice(rt, "touch", func() error { return w.s.Touch(w.t.Context(), f, time.Second, orphaned) })
}

func (w *walk) resolve(rt *rapid.T) {
	_, f := w.pick(rt)
	f.Token = NewToken()
	_ = w.twice(rt, "resolve", func() error {
		_, err := w.s.Resolve(w.t.Context(), f.Input, f.Token, "found")
		return err
	})
}

func (w *walk) lapse(rt *rapid.T) {
	_, f := w.pick(rt)
	if w.getRecord(f).Owner != "" {
		w.rig.lapse(f)
	}
}

func (w *walk) hint(rt *rapid.T) {
	_, f := w.pick(rt)
	vendorID := w.getRecord(f).VendorID
	if vendorID == "" || rapid.Bool().Draw(rt, "guessed") {
		vendorID = fmt.Sprintf("v%d", rapid.IntRange(0, 5).Draw(rt, "vendor"))
	}
	if rapid.Bool().Draw(rt, "unknown") {
		if _, err := w.s.Hooked(w.t.Context(), "acme", vendorID); err != nil {
			w.rt.Fatal(err)
		}
	}
	var first Hinted
	_ = w.twice(rt, "hint", func() error {
		got, err := w.s.Hint(w.t.Context(), "acme", f.Input.ID, vendorID, SourceHook)
		if err == nil && first.Step != "" && (got.Step != first.Step || got.Seq != first.Seq) {
			w.rt.Fatalf("the hint said %+v, replayed %+v", first, got)
		}
		first = got
		return err
	})
}

func (w *walk) release(rt *rapid.T) {
	limit := rapid.IntRange(1, 3).Draw(rt, "limit")
	let, err := w.s.Release(w.t.Context(), "acme", limit)
	if err != nil || len(let) > limit {
		w.rt.Fatalf("released %d of at most %d: %v", len(let), limit, err)
	}
	for _, r := range let {
		if r.Status != extraction.StatusQueued || w.waits(Fence{Input: r.Input}) {
			w.rt.Fatalf("%s is %s, released, and waits: %v", r.ID, r.Status, w.waits(Fence{Input: r.Input}))
		}
	}
}

func (w *walk) window(rt *rapid.T) {
	w.rig.window(Window{
		Released: rapid.IntRange(0, 3).Draw(rt, "released"), InFlight: rapid.IntRange(0, 3).Draw(rt, "in flight"),
	})
}

func (w *walk) pause(rt *rapid.T) {
	reason := rapid.SampledFrom([]string{"", "", "operator"}).Draw(rt, "reason")
	if err := w.rdb.HSet(w.t.Context(), w.k.state(), "reason", reason).Err(); err != nil {
		w.rt.Fatal(err)
	}
}

func (w *walk) getRecord(f Fence) Record { return w.get(f) }

// check is what must hold at every moment.
func (w *walk) check() {
	counts := map[extraction.Status]int{}
	for _, f := range w.fences {
		id := f.Input.ID
		rec := w.getRecord(f)
		counts[rec.Status]++
		if rec.Seq < w.seqs[id] {
			w.rt.Fatalf("seq of %s fell from %d to %d", id, w.seqs[id], rec.Seq)
		}
		w.seqs[id] = rec.Seq
		if want, ok := w.final[id]; ok != rec.Status.Final() || ok && want != rec.Status {
			w.rt.Fatalf("%s is %s, ended %q", id, rec.Status, want)
		}
		waits := w.waits(f)
		if waits && (rec.Status != extraction.StatusQueued || rec.Owner != "") {
			w.rt.Fatalf("%s (%s, held by %q) waits for its turn", id, rec.Status, rec.Owner)
		}
		if _, ok := w.score(w.k.due(), id); ok == waits {
			w.rt.Fatalf("%s (%s) waits for its turn: %v, has a due entry: %v", id, rec.Status, waits, ok)
		}
		if _, ok := w.score(w.k.released(), id); ok && (waits || rec.Status.Final() || rec.Status == extraction.StatusInProgress) {
			w.rt.Fatalf("%s (%s) waits: %v, and has its turn", id, rec.Status, waits)
		}
		atVendor := rec.Status == extraction.StatusSubmitting || rec.Status == extraction.StatusInProgress
		if w.inFlight(f) != atVendor {
			w.rt.Fatalf("%s is %s in phase %q and holds a slot: %v", id, rec.Status, rec.Phase, w.inFlight(f))
		}
		if _, ready := w.score(w.k.ready(), id); ready != rec.Status.Final() {
			w.rt.Fatalf("%s is %s and on the ready list: %v", id, rec.Status, ready)
		}
		if rec.Owner == "" != rec.Lease.IsZero() {
			w.rt.Fatalf("%s has owner %q and a lease until %v", id, rec.Owner, rec.Lease)
		}
		if url, err := w.s.UploadURL(w.t.Context(), f.Input); err != nil || url != "" && rec.Status.Final() {
			w.rt.Fatalf("%s is final and has an upload URL, %v", id, err)
		}
		if pending := w.rdb.HExists(w.t.Context(), w.k.record(id), fieldHint).Val(); pending && rec.Status.Final() {
			w.rt.Fatalf("%s is %s and waits for the answer to a hint", id, rec.Status)
		}
		if broken, err := w.s.audit(w.t.Context(), f.Input); err != nil || len(broken) > 0 {
			w.rt.Fatalf("%s is %s: broken: %q, %v", id, rec.Status, broken, err)
		}
		if events := w.statuses(f); events[len(events)-1] != rec.Status {
			w.rt.Fatalf("%s is %s, the events say %v", id, rec.Status, events)
		}
	}
	for status, n := range w.counts() {
		if counts[status] != n {
			w.rt.Fatalf("the batch counts %d %s, there are %d", n, status, counts[status])
		}
	}
	if len(w.counts()) != len(counts) {
		w.rt.Fatalf("the batch counts %v, there are %v", w.counts(), counts)
	}
}
