package limiter

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"
)

// walk is a random life of an account, in Redis and in the model, while time passes.
type walk struct {
	ctx    context.Context
	rt     *rapid.T
	redis  *miniredis.Miniredis
	rdb    *redis.Client
	l      *Limiter
	k      keys
	m      *model
	raw    int64 // Redis's own time.
	tokens []string
	states []State // As callers have seen them, which may be long ago.
}

// TestRandomWalk compares Redis with the model after every call. Redis has the time that the
// walk gives it.
func TestRandomWalk(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr(), DisableIdentity: true})
	t.Cleanup(func() { _ = rdb.Close() })
	rapid.Check(t, func(rt *rapid.T) {
		server.FlushAll()
		w := &walk{ctx: t.Context(), rt: rt, redis: server, rdb: rdb, l: New(rdb, anyTime{rdb}), k: accountKeys("acme"), m: newModel()}
		w.setTime(1_800_000_000_000_000)
		w.rt.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { w.compare() }, "time": w.time, "time passes": w.time,
			"admit": w.admit, "admit many": w.admitMany, "block": w.block, "used": w.used, "pause": w.pause, "probed": w.probed,
			"lift": w.lift, "trial": w.trial, "line": w.line, "report": w.report, "failures": w.failures, "throttled": w.throttled, "trouble": w.trouble,
			"store": w.store, "store again": w.store, "serve": w.serve,
		})
	})
}

func (w *walk) setTime(us int64) {
	w.m.us += us - w.raw
	w.raw = us
	w.redis.SetTime(time.UnixMicro(us))
}

// time lets time pass, or go back; often to a moment at which something ends, or beside it.
func (w *walk) time(rt *rapid.T) {
	a, at := w.m.account, []int64{w.m.us/1_000_000*1_000_000 + 1_000_000}
	for _, name := range []string{"tat", "blocked", "far"} {
		at = append(at, w.m.limits.num(name))
	}
	for name, after := range map[string]int64{"probe_at": 0, "store_probe_at": 0, "throttled_at": 50_000, "store_over": 600_000} {
		at = append(at, 1000*(a.num(name)+after))
	}
	at = append(at, 1000*(a.num("throttled_at")+600_000))
	for _, seen := range w.m.workers {
		at = append(at, 1000*(seen+servedFor.Milliseconds()))
	}
	slices.Sort(at)
	at = slices.DeleteFunc(at, func(us int64) bool { return (us-w.m.us)/1e6 > 1e6 || us < w.m.us-1e6 })
	by := rapid.SampledFrom([]time.Duration{
		1, 1, time.Microsecond, 50 * time.Millisecond, time.Second, 7 * time.Second, 10 * time.Second, 35 * time.Second, 11 * time.Minute, -10 * time.Second, -time.Minute,
	}).Draw(rt, "step").Microseconds()
	if len(at) > 0 && rapid.Bool().Draw(rt, "to a moment") {
		by = rapid.SampledFrom(at).Draw(rt, "moment") - w.m.us + rapid.SampledFrom([]int64{0, 0, 1, -1, 1000, -1000}).Draw(rt, "beside")
	}
	w.setTime(w.raw + by)
	if rapid.IntRange(0, 9).Draw(rt, "a jump is taken back") == 0 {
		jump := rapid.Int64Range(-5, 5).Draw(rt, "jump") * 1000
		w.m.us += 1000 * (jump - w.m.account.num("clock"))
		w.m.account.set("clock", jump)
		w.rdb.HSet(w.ctx, w.k.state(), "clock", jump)
	}
}

// same fails where Redis gave another answer than the model.
func (w *walk) same(what string, got, want any, err error) {
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		w.rt.Fatalf("%s: %v (-model +Redis):\n%s", what, err, diff)
	}
}

// compare compares all that Redis holds with the model.
func (w *walk) compare() {
	want, got := map[string]fields{}, map[string]fields{}
	for key, f := range map[string]fields{w.k.state(): w.m.account, w.k.limits(): w.m.limits} {
		want[key], got[key] = f, w.rdb.HGetAll(w.ctx, key).Val()
		maps.DeleteFunc(want[key], func(_, v string) bool { return v == "" })
		maps.DeleteFunc(got[key], func(_, v string) bool { return v == "" })
	}
	for key, submissions := range map[string]bool{w.k.failing(): false, w.k.failingSubmits(): true} {
		want[key], got[key] = fields{}, w.rdb.HGetAll(w.ctx, key).Val()
		if r := w.m.rows[submissions]; r.n > 0 {
			want[key].set("", r.n)
			maps.Copy(want[key], r.from)
		}
	}
	want["workers"], got["workers"] = fields{}, fields{}
	for worker, at := range w.m.workers {
		want["workers"].set(worker, at)
	}
	for _, z := range w.rdb.ZRangeWithScores(w.ctx, w.k.workers(), 0, -1).Val() {
		got["workers"].set(z.Member.(string), int64(z.Score))
	}
	w.same("Redis", got, want, nil)
}

// twice makes a call, and sometimes again, as go-redis does where the answer is lost.
func (w *walk) twice(rt *rapid.T, call func()) {
	call()
	if rapid.IntRange(0, 3).Draw(rt, "answer lost") == 0 {
		w.compare()
		before := [2]fields{maps.Clone(w.m.account), maps.Clone(w.m.limits)}
		call()
		w.same("a repeated call", [2]fields{w.m.account, w.m.limits}, before, nil)
	}
}

func (w *walk) token(rt *rapid.T) string {
	if len(w.tokens) == 0 || rapid.Bool().Draw(rt, "another token") {
		w.tokens = append(w.tokens, fmt.Sprint("t", len(w.tokens)))
	}
	return rapid.SampledFrom(w.tokens[max(0, len(w.tokens)-3):]).Draw(rt, "token")
}

func (w *walk) admit(rt *rapid.T) {
	op := rapid.SampledFrom([]Op{OpSubmit, OpResubmit, OpPoll, OpPoll, OpRepoll, OpReady, OpSweep, OpProbe}).Draw(rt, "op")
	rate := rapid.SampledFrom([]float64{0, 0.5, 0.5, 2, 10}).Draw(rt, "rate")
	w.admitAs(op, rate, rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond, time.Second}).Draw(rt, "patience"))
}

// admitMany is a crowd that comes at once.
func (w *walk) admitMany(rt *rapid.T) {
	op := rapid.SampledFrom([]Op{OpPoll, OpPoll, OpRepoll, OpSubmit}).Draw(rt, "op")
	rate := rapid.SampledFrom([]float64{0.5, 2, 10}).Draw(rt, "rate")
	for range rapid.IntRange(2, 25).Draw(rt, "calls") {
		w.admitAs(op, rate, op.Patience())
	}
}

func (w *walk) admitAs(op Op, rate float64, patience time.Duration) {
	got, err := w.l.Admit(w.ctx, "acme", op, rate, patience)
	verdict, wait := w.m.admit(op, interval(rate), min(patience, op.Patience()).Microseconds(), op.lead().Microseconds())
	w.same(fmt.Sprint("admit ", op), got, Admission{verdict, time.Duration(wait) * time.Microsecond}, err)
}

// line is a crowd of polls, a whole second later another one that comes new, and then one of
// the crowd that comes back.
func (w *walk) line(rt *rapid.T) {
	rate := rapid.SampledFrom([]float64{2, 10}).Draw(rt, "rate")
	for range 25 {
		w.admitAs(OpPoll, rate, time.Second)
	}
	second := w.m.us / 1_000_000 * 1_000_000
	w.setTime(w.raw + second - w.m.us + 1_000_000*rapid.Int64Range(1, 3).Draw(rt, "seconds") + rapid.SampledFrom([]int64{0, 99_999, 100_000, 500_000}).Draw(rt, "after"))
	for _, op := range []Op{OpPoll, OpRepoll, OpPoll} {
		w.admitAs(op, rate, op.Patience())
	}
}

func (w *walk) block(rt *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{time.Millisecond, 500 * time.Millisecond, 3 * time.Second, 20 * time.Minute}).Draw(rt, "for")
	w.twice(rt, func() {
		err := w.l.Block(w.ctx, "acme", d)
		w.m.block(d.Microseconds())
		w.same("block", nil, nil, err)
	})
}

func (w *walk) used(*rapid.T) {
	got, err := w.l.Used(w.ctx, "acme")
	w.same("used", fmt.Sprintf("%.3f", got), w.m.used(), err)
}

func (w *walk) reason(rt *rapid.T) Reason {
	return rapid.SampledFrom([]Reason{Unavailable, Unavailable, Unavailable, Unauthorized, Quota, Operator}).Draw(rt, "reason")
}

func (w *walk) pause(rt *rapid.T) {
	r, message := w.reason(rt), rapid.SampledFrom([]string{"401", "503"}).Draw(rt, "message")
	if rapid.IntRange(0, 5).Draw(rt, "an operator resumes it") == 0 {
		w.same("resume", nil, nil, w.l.Resume(w.ctx, "acme"))
		w.m.account.unset("reason", "since", "probe_at", "probes", "key", "message", "doubts", "trial", "trial_free", "throttled", "throttled_at")
		w.m.rows = map[bool]*row{true: {}, false: {}}
	}
	got, err := w.l.Pause(w.ctx, "acme", r, "key", message)
	w.same("pause", got, w.m.pause(r, "key", message), err)
	s, err := w.l.State(w.ctx, "acme")
	w.same("state", string(s.Reason), w.m.account["reason"], err)
	w.states = append(w.states, s)
}

func (w *walk) probed(rt *rapid.T) {
	if len(w.states) == 0 {
		rt.Skip("never paused")
	}
	s := w.states[max(0, len(w.states)-1-rapid.IntRange(0, 1).Draw(rt, "seen before"))]
	key := rapid.SampledFrom([]string{"", "key", "other"}).Draw(rt, "key")
	known := slices.Clone(s.Keys)
	if key != "" && !slices.Contains(known, key) {
		known = append(known, key)
	}
	w.twice(rt, func() {
		w.same("probed", nil, nil, w.l.Probed(w.ctx, "acme", s, key, "504"))
		w.m.probed(s, strings.Join(known, " "), "504")
	})
}

func (w *walk) lift(rt *rapid.T) {
	r, doubt := w.reason(rt), rapid.IntRange(0, 1).Draw(rt, "in doubt")
	if now := Reason(w.m.account["reason"]); now != Active && rapid.IntRange(0, 3).Draw(rt, "the present one") > 0 {
		r = now
	}
	w.twice(rt, func() {
		w.same("lift", nil, nil, w.l.lift(w.ctx, "acme", r, doubt))
		w.m.lift(r, doubt == 1)
	})
}

// trial is how a pause becomes one: submissions fail, and a probe works.
func (w *walk) trial(rt *rapid.T) {
	for range unavailableFailures {
		w.reportAs(rt, OpSubmit, false)
	}
	_, err := w.l.Pause(w.ctx, "acme", Unavailable, "key", "503")
	w.m.pause(Unavailable, "key", "503")
	w.same("pause", nil, nil, err)
	w.same("lift", nil, nil, w.l.Lift(w.ctx, "acme", Unavailable))
	w.m.lift(Unavailable, false)
	w.compare()
	w.admit(rt)
}

func (w *walk) report(rt *rapid.T) {
	w.reportAs(rt, rapid.SampledFrom([]Op{OpSubmit, OpResubmit, OpPoll, OpReady}).Draw(rt, "op"), rapid.Bool().Draw(rt, "worked"))
}

// failures are some in a row.
func (w *walk) failures(rt *rapid.T) {
	op := rapid.SampledFrom([]Op{OpSubmit, OpPoll}).Draw(rt, "op")
	for range rapid.IntRange(3, 6).Draw(rt, "failures") {
		w.reportAs(rt, op, false)
	}
}

func (w *walk) reportAs(rt *rapid.T, op Op, ok bool) {
	id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "extraction")
	token := fmt.Sprint("report ", len(w.tokens))
	w.tokens = append(w.tokens, token)
	w.twice(rt, func() {
		got, err := w.l.report(w.ctx, "acme", token, id, op, ok)
		w.same("report", got, w.m.report(token, id, op == OpSubmit || op == OpResubmit, ok), err)
	})
}

func (w *walk) throttled(rt *rapid.T) {
	w.twice(rt, func() {
		got, err := w.l.Throttled(w.ctx, "acme")
		w.same("throttled", got, w.m.throttled() >= usedUpAfter, err)
	})
}

func (w *walk) trouble(rt *rapid.T) {
	code := rapid.SampledFrom([]string{"vendor_failed", storeCode}).Draw(rt, "code")
	w.twice(rt, func() {
		w.same("trouble", nil, nil, w.l.Trouble(w.ctx, "acme", code, "502"))
		w.m.trouble(code, "502")
	})
}

func (w *walk) store(rt *rapid.T) {
	token, every := w.token(rt), StoreWait{First: time.Second, Most: 30 * time.Second}
	if at := max(w.m.account.num("store_over")+600_000, w.m.account.num("store_probe_at")); rapid.IntRange(0, 3).Draw(rt, "at its moment") == 0 && at > w.m.now() {
		w.setTime(w.raw + 1000*at - w.m.us)
	}
	call := map[string]func(){
		"fails": func() {
			began, wait, err := w.l.StoreFails(w.ctx, "acme", token, every, "disk full")
			is, ms := w.m.storeFails(token, every, "disk full")
			w.same("store fails", fmt.Sprint(began, wait.Milliseconds()), fmt.Sprint(is, ms), err)
		},
		"probe": func() {
			mine, err := w.l.ProbeStore(w.ctx, "acme", token, every)
			w.same("probe store", mine, w.m.storeProbe(token, every), err)
		},
		"works": func() {
			lasted, ended, err := w.l.StoreWorks(w.ctx, "acme", token)
			ms := w.m.storeWorks(token)
			w.same("store works", ended, ms >= 0, err)
			w.same("how long the store failed", lasted.Milliseconds(), ms, nil)
		},
	}[rapid.SampledFrom([]string{"fails", "fails", "probe", "works"}).Draw(rt, "store")]
	w.twice(rt, call)
}

func (w *walk) serve(rt *rapid.T) {
	worker := rapid.SampledFrom([]string{"w1", "w2", "w3"}).Draw(rt, "worker")
	served, err := w.l.Served(w.ctx, "acme")
	w.same("served", served, w.m.serving() > 0, err)
	w.twice(rt, func() {
		got, err := w.l.Serve(w.ctx, "acme", worker)
		w.same("serve", got, w.m.serve(worker), err)
	})
}
