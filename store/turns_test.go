package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/extractq/extractq/extraction"
)

// add creates an extraction of a customer and returns its first fence.
func (r *rig) add(customer string, p extraction.Priority) (Fence, Record) {
	r.t.Helper()
	in := testInput()
	in.Customer, in.Priority = customer, p
	rec, err := r.s.Create(r.t.Context(), in, Creation{Token: NewToken()})
	if err != nil {
		r.t.Fatalf("Create: %v", err)
	}
	return Fence{Input: in, Seq: rec.Seq, Token: NewToken()}, rec
}

// release returns the ids of what is released.
func (r *rig) release(limit int) []string {
	r.t.Helper()
	let, err := r.s.Release(r.t.Context(), "acme", limit)
	if err != nil {
		r.t.Fatalf("Release: %v", err)
	}
	ids := make([]string, len(let))
	for i, rec := range let {
		ids[i] = rec.ID
	}
	return ids
}

// send lets a released extraction call the vendor, and returns the fence of its poll.
func (r *rig) send(f Fence) Fence {
	r.t.Helper()
	f.Seq, f.Token = r.get(f).Seq, NewToken()
	held := r.begin(f).Fence
	if err := r.s.Mark(r.t.Context(), held, new(Change).Phase(PhaseSending)); err != nil {
		r.t.Fatalf("Mark: %v", err)
	}
	return r.next(held, extraction.StepPoll, new(Change).Phase(PhaseNone).Vendor("v-"+f.Input.ID))
}

// In an idle account nothing waits, and before a worker has said how much it takes,
// everything does.
func TestTurnAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, rec := r.add("a", ""); rec.Waiting || rec.Because != extraction.BecauseScheduled {
		t.Errorf("in an idle account, waiting: %v, because of %s", rec.Waiting, rec.Because)
	}
	r.rdb.Del(t.Context(), r.k.gate())
	f, rec := r.add("a", "")
	if !rec.Waiting || !r.waits(f) || len(r.release(10)) != 0 {
		t.Errorf("without a worker, waiting: %v", rec.Waiting)
	}
	r.window(wide)
	if got := r.release(10); !slices.Equal(got, []string{f.Input.ID}) {
		t.Errorf("a worker has come, and %v were released, want %s", got, f.Input.ID)
	}
}

func TestTurnWindow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.window(Window{Released: 2, InFlight: 3, Because: extraction.BecauseRate})
	var fences []Fence
	var because []extraction.Because
	for range 6 {
		f, rec := r.add("a", "")
		fences, because = append(fences, f), append(because, rec.Because)
	}
	if want := []extraction.Because{"scheduled", "scheduled", "rate", "rate", "rate", "rate"}; !slices.Equal(because, want) {
		t.Errorf("they wait because of %v, want %v", because, want)
	}
	if got := r.release(10); len(got) != 0 {
		t.Errorf("%v were released beyond the window", got)
	}
	// Beginning gives up no place: the call has not been admitted.
	held := r.begin(fences[0]).Fence
	if got := r.release(10); len(got) != 0 {
		t.Errorf("%v were released beside one that only began", got)
	}
	// Who is sent back for the rate keeps its turn.
	at, err := r.s.Next(t.Context(), held, extraction.StepSubmit, time.Second, extraction.BecauseRate, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.release(10); len(got) != 0 {
		t.Errorf("%v were released beside one that comes back", got)
	}
	first := r.send(Fence{Input: held.Input, Seq: at.Seq})
	if got := r.release(10); !slices.Equal(got, []string{fences[2].Input.ID}) {
		t.Errorf("after one call, %v were released, want the third", got)
	}
	// Two have their turn and one is at the vendor: all slots are taken.
	r.send(fences[1])
	if got := r.release(10); len(got) != 0 {
		t.Errorf("%v were released beyond the slots", got)
	}
	if _, rec := r.add("a", ""); rec.Because != extraction.BecauseInFlight {
		t.Errorf("beyond the slots, it waits because of %s", rec.Because)
	}
	last := r.begin(first).Fence
	if _, err := r.s.Finish(t.Context(), last, extraction.StatusSuccess, testKept, nil); err != nil {
		t.Fatal(err)
	}
	if got := r.release(10); !slices.Equal(got, []string{fences[3].Input.ID}) {
		t.Errorf("after one has finished, %v were released, want the fourth", got)
	}
}

// While the account is paused for any reason, nothing is released.
func TestTurnPaused(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"operator", "unauthorized", "quota", "unavailable"} {
		r := newRig(t)
		r.rdb.HSet(t.Context(), r.k.state(), "reason", reason)
		f, rec := r.add("a", "")
		if got := r.release(10); len(got) != 0 || rec.Because != extraction.BecauseAccountPaused {
			t.Errorf("%s: released %v, it waits because of %s", reason, got, rec.Because)
		}
		r.rdb.HDel(t.Context(), r.k.state(), "reason")
		if got := r.release(10); !slices.Equal(got, []string{f.Input.ID}) {
			t.Errorf("after %s, %v were released", reason, got)
		}
	}
}

// What fails has had its turn: its repetition stands in the line where others wait,
// in front of what its customer brought later, and goes at once where none waits.
func TestTurnAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.window(Window{Released: 1, InFlight: 10})
	first, _ := r.add("a", "")
	second, _ := r.add("a", "")
	again := r.next(r.begin(first).Fence, extraction.StepSubmit, nil)
	if got := r.release(10); !slices.Equal(got, []string{second.Input.ID}) {
		t.Fatalf("beside one that failed, %v were released", got)
	}
	third, _ := r.add("a", "")
	l, err := r.s.Begin(t.Context(), again, extraction.StepSubmit, testLease)
	r.want("Begin of a repetition", err, ErrWaits)
	if l.Record.Seq != again.Seq+1 || !l.Record.Waiting || l.Record.Type != "tax_forms" {
		t.Errorf("it waits as %+v, want seq %d", l.Record, again.Seq+1)
	}
	before := r.dump()
	replay, err := r.s.Begin(t.Context(), again, extraction.StepSubmit, testLease)
	r.want("replayed Begin", err, ErrWaits)
	if replay.Record.Seq != l.Record.Seq || len(before) != len(r.dump()) {
		t.Errorf("a replay gave seq %d, want %d", replay.Record.Seq, l.Record.Seq)
	}
	r.send(second)
	if got := r.release(10); !slices.Equal(got, []string{first.Input.ID}) {
		t.Fatalf("%v were released, want the repetition", got)
	}
	r.send(first)
	if got := r.release(10); !slices.Equal(got, []string{third.Input.ID}) {
		t.Fatalf("%v were released, want the third", got)
	}
	alone := r.next(r.begin(third).Fence, extraction.StepSubmit, nil)
	r.begin(alone) // None waits.
}

// A record that an older version wrote is due and stands in no line.
func TestTurnOfOlder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old, other := r.create(), r.create()
	for _, f := range []Fence{old, other} {
		r.rdb.ZRem(t.Context(), r.k.released(), f.Input.ID)
	}
	r.window(Window{Released: 1, InFlight: 10})
	r.begin(old)
	_, err := r.s.Begin(t.Context(), other, extraction.StepSubmit, testLease)
	r.want("Begin beyond the window", err, ErrWaits)
	if _, ok := r.score(r.k.due(), other.Input.ID); ok || !r.waits(other) {
		t.Errorf("it waits: %v, and is due: %v", r.waits(other), ok)
	}
}

// One of another customer goes next, however many wait, and one that canceled most of
// what it had does not pay for it.
func TestTurnOfFew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.window(Window{Released: 1, InFlight: 10_000})
	var many []Fence
	for range 300 {
		f, _ := r.add("a", "")
		many = append(many, f)
	}
	few, _ := r.add("b", "")
	next := func() string {
		t.Helper()
		got := r.release(10)
		if len(got) != 1 {
			t.Fatalf("%v were released, want one", got)
		}
		return got[0]
	}
	for turn := 1; ; turn++ {
		r.send(many[turn-1])
		if next() == few.Input.ID {
			break
		}
		if turn == 2 {
			t.Fatal("two others went before it")
		}
	}
	r.send(few)
	for _, f := range many[1:] {
		if r.waits(f) {
			if err := r.s.Cancel(t.Context(), f.Input, NewToken(), testKept); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, key := range []string{r.k.line(), r.k.turns()} {
		if n := r.rdb.ZCard(t.Context(), key).Val(); n > 0 {
			t.Errorf("after all were canceled, %d are left in %s", n, key)
		}
	}
	r.rdb.Del(t.Context(), r.k.released())
	blocker, _ := r.add("c", "")
	var c []Fence
	for range 5 {
		f, _ := r.add("c", "")
		c = append(c, f)
	}
	late, _ := r.add("a", "")
	r.send(blocker)
	got := []string{next()}
	if got[0] != late.Input.ID {
		r.send(c[0])
		got = append(got, next())
	}
	if !slices.Contains(got, late.Input.ID) {
		t.Errorf("first %v went, want %s among them", got, late.Input.ID)
	}
}

// lineup is a random life of an account's line.
type lineup struct {
	*rig
	rt     *rapid.T
	window Window
	// waiting are those in the line by place, in the order they came. since counts
	// for each place who went since it last had its turn, or came.
	waiting map[string][]string
	since   map[string]map[string]int
	fences  map[string]Fence
	ahead   []string // Released and not sent.
	polls   []Fence
	created int
	went    map[string]bool
}

// TestTurns lets customers come and cancel, and vendors take and finish, in any order.
// Who goes is fair at every moment.
func TestTurns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rapid.Check(t, func(rt *rapid.T) {
		if err := r.rdb.FlushDB(t.Context()).Err(); err != nil {
			rt.Fatal(err)
		}
		l := &lineup{
			rig: r, rt: rt, waiting: map[string][]string{}, since: map[string]map[string]int{}, fences: map[string]Fence{},
			went: map[string]bool{},
			window: Window{
				Released: rapid.IntRange(1, 4).Draw(rt, "window"), InFlight: rapid.IntRange(1, 6).Draw(rt, "slots"),
			},
		}
		r.window(l.window)
		rt.Repeat(map[string]func(*rapid.T){
			"":        func(*rapid.T) { l.check() },
			"come":    l.come,
			"many":    func(rt *rapid.T) { l.come(rt); l.come(rt); l.come(rt) },
			"cancel":  l.cancel,
			"release": l.release,
			"send":    l.send,
			"finish":  l.finish,
		})
		// None is forgotten.
		r.window(wide)
		for l.total() > 0 {
			before := l.total()
			l.window = wide
			if l.release(rt); l.total() == before {
				rt.Fatalf("%d wait forever", before)
			}
		}
		if len(l.went) != l.created {
			rt.Fatalf("%d of %d went", len(l.went), l.created)
		}
	})
}

func (l *lineup) total() (n int) {
	for _, w := range l.waiting {
		n += len(w)
	}
	return n
}

func (l *lineup) come(rt *rapid.T) {
	class := rapid.SampledFrom([]extraction.Priority{"", extraction.PriorityNormal, extraction.PriorityBulk}).Draw(rt, "class")
	customer := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(rt, "customer")
	f, rec := l.add(customer, class)
	l.created++
	l.fences[f.Input.ID] = f
	place := "n" + customer
	if class == extraction.PriorityBulk {
		place = "b" + customer
	}
	if !rec.Waiting {
		if l.total() > 0 {
			l.rt.Fatalf("%s went past %d others", f.Input.ID, l.total())
		}
		l.went[f.Input.ID] = true
		l.ahead = append(l.ahead, f.Input.ID)
		return
	}
	if len(l.waiting[place]) == 0 {
		l.since[place] = map[string]int{}
	}
	l.waiting[place] = append(l.waiting[place], f.Input.ID)
}

func (l *lineup) release(rt *rapid.T) {
	for _, id := range l.rig.release(rapid.IntRange(1, 3).Draw(rt, "limit")) {
		var place string
		for p, w := range l.waiting {
			if slices.Contains(w, id) {
				place = p
			}
		}
		if place == "" {
			l.rt.Fatalf("%s went and did not wait", id)
		}
		if l.waiting[place][0] != id {
			l.rt.Fatalf("%s went before the older %s of the same customer", id, l.waiting[place][0])
		}
		for p, w := range l.waiting {
			if len(w) == 0 || p == place {
				continue
			}
			if place[0] == 'b' && p[0] == 'n' {
				l.rt.Fatalf("%s is bulk and went before %s", id, w[0])
			}
			if p[0] == place[0] {
				if l.since[p][place]++; l.since[p][place] > 2 {
					l.rt.Fatalf("%q had %d turns while %q waited for one", place, l.since[p][place], p)
				}
			}
		}
		l.waiting[place] = l.waiting[place][1:]
		l.since[place] = map[string]int{}
		l.went[id] = true
		l.ahead = append(l.ahead, id)
	}
}

func (l *lineup) cancel(rt *rapid.T) {
	place := rapid.SampledFrom([]string{"n", "na", "nb", "b", "ba", "bb"}).Draw(rt, "place")
	w := l.waiting[place]
	if len(w) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w)-1).Draw(rt, "which")
	if err := l.s.Cancel(l.t.Context(), l.fences[w[i]].Input, NewToken(), testKept); err != nil {
		l.rt.Fatal(err)
	}
	l.went[w[i]] = true
	l.waiting[place] = slices.Delete(slices.Clone(w), i, i+1)
}

func (l *lineup) send(*rapid.T) {
	if len(l.ahead) == 0 {
		return
	}
	l.polls = append(l.polls, l.rig.send(l.fences[l.ahead[0]]))
	l.ahead = l.ahead[1:]
}

func (l *lineup) finish(*rapid.T) {
	if len(l.polls) == 0 {
		return
	}
	held := l.begin(l.polls[0]).Fence
	if _, err := l.s.Finish(l.t.Context(), held, extraction.StatusSuccess, testKept, nil); err != nil {
		l.rt.Fatal(err)
	}
	l.polls = l.polls[1:]
}

func (l *lineup) check() {
	if len(l.ahead) > l.window.Released || len(l.ahead)+len(l.polls) > l.window.InFlight {
		l.rt.Fatalf("%d have their turn and %d are at the vendor, with a window of %+v", len(l.ahead), len(l.polls), l.window)
	}
	if n := l.rdb.ZCard(l.t.Context(), l.k.line()).Val(); int(n) != l.total() {
		l.rt.Fatalf("%d stand in the line, want %d", n, l.total())
	}
	if load, err := l.s.Load(l.t.Context(), "acme"); err != nil || int(load.Queued) != l.total()+len(l.ahead) {
		l.rt.Fatalf("%d are counted as queued, want %d and %d", load.Queued, l.total(), len(l.ahead))
	}
}

// The cost of a release does not grow with the number that wait.
func BenchmarkRelease(b *testing.B) {
	for _, waiting := range []int{100, 100_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			r := newRig(b)
			r.window(Window{})
			pipe := r.rdb.Pipeline()
			for i := range waiting {
				place := "n" + customerDigest(fmt.Sprint("c", i%1000)) + "/"
				pipe.ZAdd(b.Context(), r.k.line(), z(0, place+NewID()))
				pipe.ZAdd(b.Context(), r.k.turns(), z(1, place))
			}
			if _, err := pipe.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
			r.window(Window{Released: 1 << 30, InFlight: 1 << 30})
			for i := 0; b.Loop(); i++ {
				r.release(1)
				place := "n" + customerDigest(fmt.Sprint("c", i%1000)) + "/"
				r.rdb.ZAdd(b.Context(), r.k.line(), z(0, place+NewID()))
			}
		})
	}
}
