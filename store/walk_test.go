package store

import (
	"errors"
	flags "flag"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
)

// walk is a random life of a few extractions, in Redis and in the model: workers,
// producers, webhooks and reconcile do what they may and may not, at any moment, some of it
// twice, some of it long after, while the clock goes on and jumps.
type walk struct {
	*rig
	rt      *rapid.T
	m       *model
	inputs  []Input             // What was ever created, or refused.
	tokens  map[string][]string // Who began a step of each.
	past    []op
	seqs    map[string]int64
	vendors map[string]string
	// attempts are the tokens of attempts at anything, only the extraction that is picked;
	// nil for any.
	attempts []string
	only     *Input
	ends     map[string]extraction.Status
	seen     modelView // What Redis held after the latest operation.
	cursor   string    // The end of the events then.
}

// op is one call to the store, made in Redis and in the model.
type op struct {
	name   string
	redis  func() verdict
	model  func() verdict
	repeat repeat
	won    bool
}

// repeat says what the same call does a second time, after an answer that was lost.
type repeat int

const (
	// anew: it has its effect again.
	anew repeat = iota
	// confirmed at once; later it has its effect again, while it may.
	atOnce
	// confirmed at once, and without effect forever.
	forever
	// refused, and without effect forever.
	refused
	// refused at once; later it has its effect again, where there is something to do.
	refusedAtOnce
)

// TestRandomWalk compares Redis with the model after every operation, and checks what must
// hold at every moment.
func TestRandomWalk(t *testing.T) {
	// A walk is long: 40 of them by default, more with -rapid.checks.
	if f := flags.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("40"); err != nil {
			t.Fatal(err)
		}
	}
	t.Parallel()
	for name, client := range map[string]func(*testing.T) *redis.Client{
		"redis":  func(t *testing.T) *redis.Client { return redistest.Client(t) },
		"valkey": func(t *testing.T) *redis.Client { return redistest.StartValkey(t).Client() },
		"memory": func(t *testing.T) *redis.Client {
			c := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), DisableIdentity: true})
			t.Cleanup(func() { _ = c.Close() })
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newClockedRig(t, client(t))
			rapid.Check(t, func(rt *rapid.T) { newWalk(r, rt).run() })
		})
	}
}

func newWalk(r *rig, rt *rapid.T) *walk {
	if err := r.rdb.FlushDB(r.t.Context()).Err(); err != nil {
		rt.Fatal(err)
	}
	return &walk{
		rig: r, rt: rt, m: newModel(), tokens: map[string][]string{}, seqs: map[string]int64{}, vendors: map[string]string{},
		ends: map[string]extraction.Status{}, seen: modelView{}, cursor: "0-0",
	}
}

func (w *walk) run() {
	w.setTime(1_800_000_000_000)
	if rapid.IntRange(0, 9).Draw(w.rt, "window set") > 0 {
		w.setWindow(rapid.SampledFrom([]Window{wide, wide, {Released: 1, InFlight: 2}, {}}).Draw(w.rt, "window"))
	}
	for range rapid.IntRange(1, 3).Draw(w.rt, "lives") {
		w.life(w.rt)
	}
	actions := map[string]func(*rapid.T){
		"create": w.create, "create more": w.create,
		"work 1": w.work, "work 2": w.work, "work 3": w.work, "work 4": w.work,
		"begin": w.anyBegin, "renew": w.renew, "mark": w.anyMark, "next": w.anyNext, "finish": w.anyFinish,
		"reissue": w.reissue, "touch": w.touch, "resolve": w.resolve, "cancel": w.cancel,
		"claim": w.claim, "refetch": w.refetch, "erase": w.erase, "forget": w.forget,
		"deliver": w.deliver, "delivered": w.anyDelivered, "redeliver": w.redeliver, "acknowledge": w.acknowledge,
		"hint": w.hint, "hooked": w.hooked, "release": w.release,
		"again": w.again, "clock": w.clock, "conditions": w.conditions,
	}
	w.rt.Repeat(actions)
	w.rt.Repeat(actions) // Once is too short for what takes several steps and a jump of the clock.
}

// do makes a call in Redis and in the model, and sometimes again at once.
func (w *walk) do(rt *rapid.T, o op) {
	o.won = w.call(o).Word == "won"
	w.past = append(w.past, o)
	if rapid.IntRange(0, 3).Draw(rt, "answer lost") > 0 {
		return
	}
	before := w.seen
	word := w.call(o).Word
	if o.won && o.repeat != anew && (word == "won") == (o.repeat >= refused) {
		w.rt.Fatalf("%s won, and its replay was answered %q", o.name, word)
	}
	if !o.won || o.repeat != anew {
		w.unchanged(o, before)
	}
}

// again repeats a call of the past, whatever has happened since.
func (w *walk) again(rt *rapid.T) {
	if len(w.past) == 0 {
		rt.Skip("no past")
	}
	i := max(0, len(w.past)-1-rapid.IntRange(0, 20).Draw(rt, "ago"))
	o, before := w.past[i], w.seen
	for _, d := range w.m.docs {
		if !d.final() && d.vendor != "" && strings.Contains(o.name, "vid "+d.vendor+" ") && !strings.Contains(o.name, d.id) {
			rt.Skip("the vendor gives an id to one extraction")
		}
	}
	w.call(o)
	if o.won && (o.repeat == forever || o.repeat == refused) {
		w.unchanged(o, before)
	}
}

func (w *walk) unchanged(o op, before modelView) {
	if diff := cmp.Diff(before, w.seen); diff != "" {
		w.rt.Fatalf("a replay of %s changed Redis (-before +after):\n%s", o.name, diff)
	}
}

// call makes a call in both worlds and compares them.
func (w *walk) call(o op) verdict {
	got, want := o.redis(), o.model()
	if diff := cmp.Diff(want, got); diff != "" {
		w.rt.Fatalf("%s (-model +Redis):\n%s", o.name, diff)
	}
	w.seen = w.held()
	if diff := cmp.Diff(w.m.view(w.k), w.seen); diff != "" {
		w.rt.Fatalf("after %s (-model +Redis):\n%s", o.name, diff)
	}
	events, err := w.s.Events(w.t.Context(), "acme", w.cursor, 1000)
	if err != nil {
		w.rt.Fatal(err)
	}
	var told []string
	for _, e := range events {
		told, w.cursor = append(told, e.ID+" "+string(e.Status)), e.Cursor
	}
	if diff := cmp.Diff(w.m.events, told); diff != "" {
		w.rt.Fatalf("%s told (-model +Redis):\n%s", o.name, diff)
	}
	w.m.events = nil
	w.check(o.name)
	return got
}

// check is what must hold at every moment, whatever the model says.
func (w *walk) check(what string) {
	led, err := w.s.led(w.t.Context(), w.k)
	if err != nil {
		w.rt.Fatal(err)
	}
	for _, in := range w.inputs {
		broken, err := w.s.audit(w.t.Context(), in, led[in.ID])
		if err != nil || len(broken) > 0 {
			w.rt.Fatalf("after %s, for %s: broken: %q, %v", what, in.ID, broken, err)
		}
		d := w.m.docs[in.ID]
		if d == nil {
			continue
		}
		if d.seq < w.seqs[d.id] {
			w.rt.Fatalf("after %s: seq of %s fell from %d to %d", what, d.id, w.seqs[d.id], d.seq)
		}
		w.seqs[d.id] = d.seq
		if had := w.vendors[d.id]; had != "" && d.vendor != "" && had != d.vendor {
			w.rt.Fatalf("after %s: %s was submitted as %s and is %s now", what, d.id, had, d.vendor)
		}
		w.vendors[d.id] = d.vendor
		if end, ok := w.ends[d.id]; ok && end != d.status {
			w.rt.Fatalf("after %s: %s is %s, and ended as %s", what, d.id, d.status, end)
		}
		if d.final() {
			w.ends[d.id] = d.status
		}
	}
	wrong, err := w.s.auditBatches(w.t.Context(), w.k)
	if err != nil || len(wrong) > 0 {
		w.rt.Fatalf("after %s: batches %q do not have the counts of their extractions, %v", what, wrong, err)
	}
}

// words are the verdicts that are errors in Go.
var words = map[string]error{
	"gone": ErrNotFound, "final": ErrFinal, "stale": ErrStale, "busy": ErrBusy, "known": ErrKnown, "supplanted": ErrSupplanted,
	"waits": ErrWaits, "exists": ErrExists, "erased": ErrErased, "followed": ErrFollowed, "backlog": ErrBacklog,
}

// said is the verdict of a call: what it returned, or the error.
func (w *walk) said(v verdict, err error) verdict {
	if err == nil {
		v.Word = "won"
		return v
	}
	if repeated, ok := errors.AsType[*RepeatedError](err); ok {
		return verdict{Word: "repeated", Rest: repeated.ID + " " + repeated.Fingerprint}
	}
	for word, sentinel := range words {
		if errors.Is(err, sentinel) {
			return is(word)
		}
	}
	w.rt.Fatal(err)
	return verdict{}
}

func (w *walk) step(at Scheduled, err error) verdict {
	return w.said(verdict{Now: millis(at.Now), Seq: at.Seq, Due: millis(at.Due)}, err)
}

func millis(t time.Time) int64 { return extraction.Time{Time: t}.Millis() }

// clock lets time go on, or jump, as Redis's may after a failover; often to the moment at
// which something becomes due, or beside it.
func (w *walk) clock(rt *rapid.T) {
	if at := w.m.moments(); len(at) > 0 && rapid.Bool().Draw(rt, "to a moment") {
		w.setTime(rapid.SampledFrom(at).Draw(rt, "moment") + rapid.Int64Range(-1, 1).Draw(rt, "beside"))
		return
	}
	w.setTime(w.m.now + rapid.SampledFrom([]time.Duration{
		time.Millisecond, 400 * time.Millisecond, 2 * time.Second, 2 * time.Second, grace, 10 * time.Second, testLease + time.Millisecond,
		2 * time.Minute, 4000 * time.Second, 25 * time.Hour, 8 * 24 * time.Hour, -time.Second, -10 * time.Minute, -30 * time.Hour,
	}).Draw(rt, "step").Milliseconds())
}

func (w *walk) setTime(ms int64) {
	w.m.now = ms
	w.setClock(ms)
}

func (w *walk) setWindow(window Window) {
	w.window(window)
	w.m.line.window = &window
}

// conditions are what the limiter and the workers say of the account.
func (w *walk) conditions(rt *rapid.T) {
	l := &w.m.line
	switch rapid.IntRange(0, 3).Draw(rt, "condition") {
	case 0:
		w.setWindow(Window{
			Released: rapid.IntRange(0, 3).Draw(rt, "released"), InFlight: rapid.IntRange(0, 4).Draw(rt, "in flight"),
			Because: rapid.SampledFrom([]extraction.Because{"", extraction.BecauseRate}).Draw(rt, "because"),
		})
		return
	case 1:
		w.setWindow(wide)
		return
	case 2:
		l.paused = rapid.SampledFrom([]string{"", "", "operator"}).Draw(rt, "reason")
		l.trial = rapid.Bool().Draw(rt, "trial")
	case 3:
		l.store = rapid.Bool().Draw(rt, "store away")
	}
	pairs := []any{"reason", l.paused, "trial_free", flag(l.trial)}
	if l.store {
		pairs = append(pairs, "store_since", w.m.now)
	}
	w.rdb.Del(w.t.Context(), w.k.state())
	if err := w.rdb.HSet(w.t.Context(), w.k.state(), pairs...).Err(); err != nil {
		w.rt.Fatal(err)
	}
}

// pick draws an extraction, which may be erased.
func (w *walk) pick(rt *rapid.T) (Input, *doc) {
	if w.only != nil {
		return *w.only, w.m.docs[w.only.ID]
	}
	in := w.inputs[rapid.IntRange(0, len(w.inputs)-1).Draw(rt, "extraction")]
	return in, w.m.docs[in.ID]
}

// token draws the name of an attempt: mostly a fresh one, sometimes that of an attempt at
// something else.
func (w *walk) token(rt *rapid.T) string {
	if len(w.attempts) == 0 || rapid.IntRange(0, 4).Draw(rt, "fresh token") > 0 {
		w.attempts = append(w.attempts, NewToken())
		return w.attempts[len(w.attempts)-1]
	}
	return rapid.SampledFrom(w.attempts[max(0, len(w.attempts)-4):]).Draw(rt, "token of another")
}

// life brings a new extraction as far as chance will have it: what takes many steps would be
// rare otherwise.
func (w *walk) life(rt *rapid.T) {
	w.create(rt)
	in := w.inputs[len(w.inputs)-1]
	for range rapid.IntRange(0, 9).Draw(rt, "steps") {
		if w.m.docs[in.ID] != nil {
			w.workOn(rt, in)
		}
	}
}

// fence draws an extraction, a seq at or beside the present one, and the token of its
// holder, of an earlier one, or of a stranger.
func (w *walk) fence(rt *rapid.T) Fence {
	in, d := w.pick(rt)
	f := Fence{Input: in, Seq: 1, Token: w.token(rt)}
	if d == nil {
		return f
	}
	f.Seq = max(0, d.seq+rapid.SampledFrom([]int64{0, 0, 0, 0, -1, -2, 1}).Draw(rt, "beside"))
	tokens := w.tokens[d.id]
	switch who := rapid.IntRange(0, 3).Draw(rt, "who"); {
	case who <= 1 && d.owner != "":
		f.Token = d.owner
	case who == 2 && len(tokens) > 0:
		f.Token = rapid.SampledFrom(tokens).Draw(rt, "token")
	}
	return f
}

// work does what is due for an extraction, as a worker that knows its state.
func (w *walk) work(rt *rapid.T) {
	in, d := w.pick(rt)
	if d == nil {
		rt.Skip("erased")
	}
	w.workOn(rt, in)
}

func (w *walk) workOn(rt *rapid.T, in Input) {
	w.only = &in
	defer func() { w.only = nil }()
	d := w.m.docs[in.ID]
	f := Fence{Input: in, Seq: d.seq, Token: d.owner}
	switch {
	case w.m.line.has(d):
		w.release(rt)
	case d.step == "deliver":
		w.delivered(rt, in, d.delivery)
	case d.over():
		[]func(*rapid.T){w.refetch, w.refetch, w.redeliver, w.claim, w.erase}[rapid.IntRange(0, 4).Draw(rt, "after the end")](rt)
	case !d.final() && d.vendor == "" && d.phase != "" && rapid.IntRange(0, 3).Draw(rt, "found") == 0:
		w.resolve(rt)
	case d.owner == "" && d.step == "poll" && rapid.IntRange(0, 3).Draw(rt, "webhook") == 0:
		w.hintAt(rt, in, d.vendor)
	case d.owner == "":
		f.Token = NewToken()
		w.begin(rt, f, d.step)
	default:
		[]func(*rapid.T, Fence){w.mark, w.mark, w.next, w.next, w.finish}[rapid.IntRange(0, 4).Draw(rt, "held")](rt, f)
	}
}

func (w *walk) create(rt *rapid.T) {
	if len(w.m.docs) >= 6 {
		rt.Skip("enough")
	}
	in := testInput()
	c := Creation{
		Token: NewToken(), Key: rapid.SampledFrom([]string{"", "", "", "k1", "k2"}).Draw(rt, "key"),
		Fingerprint: rapid.SampledFrom([]string{"f1", "f2"}).Draw(rt, "fingerprint"),
		MaxBacklog:  rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(rt, "backlog"),
	}
	if len(w.inputs) > 0 && rapid.IntRange(0, 4).Draw(rt, "same id") == 0 {
		in, _ = w.pick(rt)
	} else {
		in.Customer = rapid.SampledFrom([]string{"", "acme", "initech"}).Draw(rt, "customer")
		in.Priority = rapid.SampledFrom([]extraction.Priority{"", "", extraction.PriorityBulk}).Draw(rt, "priority")
		in.Batch = rapid.SampledFrom([]string{"", "b1", "b1", "b2"}).Draw(rt, "batch")
		in.CallbackURL = rapid.SampledFrom([]string{"", "https://producer.test/hook"}).Draw(rt, "callback")
		w.inputs = append(w.inputs, in)
	}
	switch rapid.IntRange(0, 7).Draw(rt, "how") {
	case 0:
		c.VendorID = w.newVendor(rt, in.ID)
	case 1:
		c.Change = new(Change).Phase(PhaseRecheck).Sought("old")
	case 2: // A process that died had begun to submit it.
		c.Change = new(Change).Phase(PhaseOpened).Vendor(w.newVendor(rt, in.ID)).Upload("https://u.test/", time.UnixMilli(w.m.now))
	case 3:
		c.Change = new(Change).Phase(PhaseSent).SentAt(time.UnixMilli(w.m.now))
	}
	w.do(rt, op{
		fmt.Sprint("create ", in.ID, " vid ", c.VendorID, " ", c.Change.args()), func() verdict {
			r, err := w.s.Create(w.t.Context(), in, c)
			return w.said(verdict{Rest: fmt.Sprint(millis(r.CreatedAt), string(r.Because), r.Waiting)}, err)
		}, func() verdict { return w.m.create(in, c) }, forever, false,
	})
}

func (w *walk) vendor(rt *rapid.T) string {
	// They look like a seq: only its script tells one call from another then.
	return strconv.Itoa(rapid.IntRange(1, 6).Draw(rt, "vendor"))
}

// newVendor is the id that the vendor gives to an extraction. Only what has ended may share
// it: with its repetition, which takes over what the vendor has.
func (w *walk) newVendor(rt *rapid.T, id string) string {
	vendor := w.vendor(rt)
	for _, d := range w.m.docs {
		if d.vendor == vendor && d.id != id && !d.final() {
			return "of-" + id
		}
	}
	return vendor
}

func (w *walk) anyBegin(rt *rapid.T) {
	f := w.fence(rt)
	step := rapid.SampledFrom([]string{"submit", "poll"}).Draw(rt, "step")
	d := w.m.docs[f.Input.ID]
	if d != nil && rapid.IntRange(0, 4).Draw(rt, "its step") > 0 {
		step = d.step
	}
	if d == nil || f.Token != d.owner {
		f.Token = NewToken() // Each lease has a token of its own.
	}
	w.begin(rt, f, step)
}

// begin takes a lease, with a rider that admits the first call, with one that does not, or
// without.
func (w *walk) begin(rt *rapid.T, f Fence, step string) {
	answer := rapid.SampledFrom([]string{"", "go", "later"}).Draw(rt, "admission")
	var first *Rider
	if answer != "" {
		first = &Rider{Lua: says, Args: []any{answer}}
	}
	w.tokens[f.Input.ID] = append(w.tokens[f.Input.ID], f.Token)
	w.do(rt, op{
		fmt.Sprint("begin ", f.Input.ID, " ", f.Seq, " ", step, " ", answer), func() verdict {
			l, err := w.s.BeginWith(w.t.Context(), first, f, extraction.Step(step), testLease)
			v := w.said(verdict{}, err)
			if v.Word == "won" || v.Word == "waits" {
				v.Now, v.Seq = millis(l.Now), l.Record.Seq
			}
			if v.Word == "won" {
				v.Rest = fmt.Sprint(l.Admitted, l.Crowded)
			}
			return v
		}, func() verdict { return w.m.begin(f, step, testLease.Milliseconds(), answer == "go") }, forever, false,
	})
}

func (w *walk) renew(rt *rapid.T) {
	f, n := w.fence(rt), w.s.calls.Add(1)
	w.do(rt, op{
		"renew " + f.Input.ID, func() verdict { return w.said(verdict{}, w.s.renew(w.t.Context(), f, n, 2*testLease)) },
		func() verdict { return w.m.renew(f, n, 2*testLease.Milliseconds()) }, forever, false,
	})
}

// change is something that a worker notes of an extraction.
func (w *walk) change(rt *rapid.T, in Input) *Change {
	d := w.m.docs[in.ID]
	c := new(Change).Polls(rapid.IntRange(0, 9).Draw(rt, "polls"))
	at := time.UnixMilli(w.m.now)
	what := rapid.IntRange(0, 8).Draw(rt, "change")
	if d != nil && d.final() && what <= 2 {
		what = 7 // A poll for a result that is fetched again is no submission.
	}
	switch what {
	case 0:
		c.Phase(rapid.SampledFrom([]Phase{PhaseNone, PhaseSending, PhaseOpened, PhaseSent, PhaseUncertain}).Draw(rt, "phase"))
	case 1:
		c.Vendor(w.newVendor(rt, in.ID)).Upload("https://u.test/?s=1", at)
	case 2:
		c.Vendor("").Upload("", time.Time{}).UploadGone(true)
	case 3:
		c.Trouble(extraction.Trouble{Code: extraction.CodeVendorFailed})
	case 4:
		c.TroubleOver(at)
	case 5:
		c.SentAt(at).Uncertain(at).WaitingSince(at).NotYetAt(at)
	case 6:
		c.PlannedAt(at)
	case 8:
		c.PollErrors(2).FailingSince(at).MissingSince(at).UploadGone(rapid.Bool().Draw(rt, "gone")).Upload("https://u.test/", at)
		if d != nil && d.final() {
			c = new(Change).PollErrors(2).FailingSince(at).MissingSince(at)
		}
	}
	return c
}

func (w *walk) anyMark(rt *rapid.T) { w.mark(rt, w.fence(rt)) }

func (w *walk) mark(rt *rapid.T, f Fence) {
	c, n := w.change(rt, f.Input), w.s.calls.Add(1)
	w.do(rt, op{
		fmt.Sprint("mark ", f.Input.ID, c.pairs), func() verdict { return w.said(verdict{}, w.s.mark(w.t.Context(), f, n, c)) },
		func() verdict { return w.m.mark(f, n, c) }, forever, false,
	})
}

func (w *walk) anyNext(rt *rapid.T) { w.next(rt, w.fence(rt)) }

func (w *walk) next(rt *rapid.T, f Fence) {
	d := w.m.docs[f.Input.ID]
	step := rapid.SampledFrom([]extraction.Step{extraction.StepSubmit, extraction.StepPoll}).Draw(rt, "step")
	if d != nil && d.step == "poll" {
		step = extraction.StepPoll // What is at the vendor is never submitted again.
	}
	delay := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 999, 1000, 5000, 700_000_000}).Draw(rt, "delay")) * time.Millisecond
	because := rapid.SampledFrom([]extraction.Because{
		extraction.BecauseScheduled, extraction.BecauseRate, extraction.BecauseAccountPaused, extraction.BecauseRetry,
	}).Draw(rt, "because")
	c := w.change(rt, f.Input)
	w.do(rt, op{
		fmt.Sprint("next ", f.Input.ID, " ", f.Seq, " ", step, " ", c.pairs), func() verdict {
			at, err := w.s.Next(w.t.Context(), f, step, delay, because, c)
			return w.step(at, err)
		}, func() verdict { return w.m.next(f, string(step), delay.Milliseconds(), string(because), c) }, forever, false,
	})
}

func (w *walk) anyFinish(rt *rapid.T) { w.finish(rt, w.fence(rt)) }

func (w *walk) finish(rt *rapid.T, f Fence) {
	d := w.m.docs[f.Input.ID]
	status := rapid.SampledFrom([]extraction.Status{
		extraction.StatusSuccess, extraction.StatusSuccess, extraction.StatusError, extraction.StatusExpired, extraction.StatusCanceled,
	}).Draw(rt, "status")
	c, kept := w.change(rt, f.Input), w.kept(rt)
	if status == extraction.StatusSuccess {
		c.Result(f.Seq + 1).ResultSum("sum")
	} else if d == nil || !d.final() {
		c.Failure(extraction.NewFailure(extraction.CodeVendorFailed, "no", nil))
	}
	w.do(rt, op{
		fmt.Sprint("finish ", f.Input.ID, " ", status, " ", c.pairs), func() verdict {
			at, err := w.s.Finish(w.t.Context(), f, status, kept, c)
			return w.said(verdict{Now: millis(at.At)}, err)
		}, func() verdict { return w.m.finish(f, status, kept, c) }, forever, false,
	})
}

func (w *walk) kept(rt *rapid.T) Kept {
	return rapid.SampledFrom([]Kept{testKept, {Record: time.Hour, Document: 2 * time.Hour}, {Record: time.Hour}}).Draw(rt, "kept")
}

func (w *walk) cancel(rt *rapid.T) {
	in, _ := w.pick(rt)
	token, kept := w.token(rt), w.kept(rt)
	w.do(rt, op{
		"cancel " + in.ID, func() verdict { return w.said(verdict{}, w.s.Cancel(w.t.Context(), in, token, kept)) },
		func() verdict { return w.m.cancel(in, token, kept) }, forever, false,
	})
}

func (w *walk) claim(rt *rapid.T) {
	in, _ := w.pick(rt)
	by := NewID()
	w.do(rt, op{
		"claim " + in.ID, func() verdict {
			got, err := w.s.ClaimRetry(w.t.Context(), in, by)
			return w.said(verdict{Rest: got}, err)
		}, func() verdict { return w.m.claim(in, by) }, forever, false,
	})
}

func (w *walk) reissue(rt *rapid.T) {
	f := w.fence(rt)
	f.Token = w.token(rt)
	w.do(rt, op{
		fmt.Sprint("reissue ", f.Input.ID, " ", f.Seq), func() verdict {
			_, at, err := w.s.Reissue(w.t.Context(), f)
			return w.step(at, err)
		}, func() verdict { return w.m.reissue(f) }, forever, false,
	})
}

func (w *walk) touch(rt *rapid.T) {
	f, orphaned := w.fence(rt), rapid.Bool().Draw(rt, "orphaned")
	w.do(rt, op{
		fmt.Sprint("touch ", f.Input.ID, " ", f.Seq), func() verdict {
			return w.said(verdict{}, w.s.Touch(w.t.Context(), f, time.Second, orphaned))
		}, func() verdict { return w.m.touch(f, 1000, orphaned) }, refusedAtOnce, false,
	})
}

func (w *walk) resolve(rt *rapid.T) {
	in, _ := w.pick(rt)
	token, vendor := w.token(rt), w.newVendor(rt, in.ID)
	w.do(rt, op{
		"resolve " + in.ID + " vid " + vendor + " ", func() verdict {
			at, err := w.s.Resolve(w.t.Context(), in, token, vendor)
			return w.step(at, err)
		}, func() verdict { return w.m.resolve(in, token, vendor) }, atOnce, false, // Later it is as if the list had been read again.
	})
}

func (w *walk) refetch(rt *rapid.T) {
	in, d := w.pick(rt)
	token, result := w.token(rt), int64(0)
	if d != nil {
		result = number(d.data[fieldResultSeq]) + rapid.SampledFrom([]int64{0, 0, 0, -1}).Draw(rt, "another result")
	}
	w.do(rt, op{
		"refetch " + in.ID, func() verdict {
			at, err := w.s.Refetch(w.t.Context(), in, token, result)
			return w.step(at, err)
		}, func() verdict { return w.m.refetch(in, token, result) }, atOnce, false,
	})
}

func (w *walk) erase(rt *rapid.T) {
	in, _ := w.pick(rt)
	force, kept := rapid.IntRange(0, 3).Draw(rt, "force") == 0, w.kept(rt)
	w.do(rt, op{
		"erase " + in.ID, func() verdict { return w.said(verdict{}, w.s.Erase(w.t.Context(), in, force, kept)) },
		func() verdict { return w.m.erase(in, force, kept) }, refused, false,
	})
}

func (w *walk) forget(rt *rapid.T) {
	batch := rapid.SampledFrom([]string{"b1", "b2"}).Draw(rt, "batch")
	w.do(rt, op{
		"forget " + batch, func() verdict {
			_, err := w.s.run(w.t.Context(), "forget", Input{Account: "acme", Batch: batch}, NewToken(), batch)
			return w.said(verdict{}, err)
		}, func() verdict { return w.m.forget(batch) }, refusedAtOnce, false,
	})
}

func (w *walk) deliver(rt *rapid.T) {
	in, d := w.pick(rt)
	n := int64(1)
	if d != nil {
		n = max(0, d.delivery-rapid.Int64Range(0, 1).Draw(rt, "earlier"))
	}
	w.do(rt, op{
		fmt.Sprint("deliver ", in.ID, " ", n), func() verdict {
			return w.said(verdict{}, w.s.Deliver(w.t.Context(), in, n, testLease))
		}, func() verdict { return w.m.delivering(in, n, testLease.Milliseconds()) }, atOnce, false,
	})
}

func (w *walk) anyDelivered(rt *rapid.T) {
	in, d := w.pick(rt)
	n := int64(1)
	if d != nil {
		n = max(0, d.delivery-rapid.Int64Range(0, 1).Draw(rt, "earlier"))
	}
	w.delivered(rt, in, n)
}

func (w *walk) delivered(rt *rapid.T, in Input, n int64) {
	token := NewToken()
	outcome := rapid.SampledFrom([]DeliveryState{DeliveryDelivered, DeliveryFailed, DeliveryPending, DeliveryPending, DeliveryBusy}).Draw(rt, "outcome")
	status := rapid.SampledFrom([]int{0, 204, 503}).Draw(rt, "answer")
	problem := rapid.SampledFrom([]string{"", "no answer"}).Draw(rt, "problem")
	w.do(rt, op{
		fmt.Sprint("delivered ", in.ID, " ", n, " ", outcome), func() verdict {
			at, err := w.s.Delivered(w.t.Context(), in, token, n, outcome, status, 1500*time.Millisecond, problem)
			return w.step(at, err)
		}, func() verdict { return w.m.delivered(in, token, n, outcome, status, 1500, problem) }, forever, false,
	})
}

func (w *walk) redeliver(rt *rapid.T) {
	in, d := w.pick(rt)
	token, n, anew := NewToken(), int64(1), rapid.Bool().Draw(rt, "anew")
	if d != nil {
		n = max(0, d.delivery-rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(rt, "earlier"))
	}
	w.do(rt, op{
		fmt.Sprint("redeliver ", in.ID, " ", n), func() verdict {
			at, err := w.s.Redeliver(w.t.Context(), in, token, n, anew)
			return w.step(at, err)
		}, func() verdict { return w.m.redeliver(in, token, n, anew) }, forever, false,
	})
}

func (w *walk) acknowledge(rt *rapid.T) {
	in, _ := w.pick(rt)
	w.do(rt, op{
		"acknowledge " + in.ID, func() verdict {
			_, err := w.s.Acknowledge(w.t.Context(), "acme", in.ID)
			return w.said(verdict{}, err)
		}, func() verdict { return w.m.acknowledge(in.ID) }, atOnce, false,
	})
}

func (w *walk) hint(rt *rapid.T) {
	in, d := w.pick(rt)
	vendor := w.vendor(rt)
	if d != nil && d.vendor != "" && rapid.IntRange(0, 3).Draw(rt, "its own") > 0 {
		vendor = d.vendor
	}
	w.hintAt(rt, in, vendor)
}

func (w *walk) hintAt(rt *rapid.T, in Input, vendor string) {
	from := rapid.SampledFrom([]Source{SourceHook, SourceList}).Draw(rt, "source")
	w.do(rt, op{
		"hint " + in.ID, func() verdict {
			got, err := w.s.Hint(w.t.Context(), "acme", in.ID, vendor, from)
			v := w.step(got.Scheduled, err)
			v.Rest = string(got.Step)
			return v
		}, func() verdict { return w.m.hint(in.ID, vendor, from) }, atOnce, false,
	})
}

func (w *walk) hooked(rt *rapid.T) {
	vendor := w.vendor(rt)
	w.do(rt, op{
		"hooked " + vendor, func() verdict {
			id, err := w.s.Hooked(w.t.Context(), "acme", vendor)
			return w.said(verdict{Rest: id}, err)
		}, func() verdict { return w.m.hooked(vendor) }, atOnce, false,
	})
}

func (w *walk) release(rt *rapid.T) {
	limit := rapid.IntRange(1, 3).Draw(rt, "limit")
	w.do(rt, op{
		"release", func() verdict {
			let, err := w.s.Release(w.t.Context(), "acme", limit)
			ids := make([]string, len(let))
			for i, r := range let {
				ids[i] = r.ID
			}
			return w.said(verdict{Rest: fmt.Sprint(ids)}, err)
		}, func() verdict { return verdict{Word: "won", Rest: fmt.Sprint(w.m.release(limit))} }, anew, false,
	})
}
