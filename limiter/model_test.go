package limiter

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// model is what the limiter's state of one account is meant to be: the scripts without Redis.
type model struct {
	us      int64 // The account's time, in microseconds.
	account fields
	limits  fields
	rows    map[bool]*row // Failures in a row, of submissions and of all else.
	workers map[string]int64
}

// row is the failures in a row: how many, and whose the latest of each extraction are.
type row struct {
	n    int64
	from map[string]string
}

// fields are a hash in Redis.
type fields map[string]string

func newModel() *model {
	return &model{account: fields{}, limits: fields{}, rows: map[bool]*row{true: {}, false: {}}, workers: map[string]int64{}}
}

func (f fields) num(name string) int64 {
	n, _ := strconv.ParseInt(f[name], 10, 64)
	return n
}

func (f fields) has(name string) bool { return f[name] != "" }

// set writes names and values, each after its name.
func (f fields) set(pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		f[pairs[i].(string)] = fmt.Sprint(pairs[i+1])
	}
}

func (f fields) unset(names ...string) {
	maps.DeleteFunc(f, func(name, _ string) bool { return slices.Contains(names, name) })
}

func (m *model) now() int64 { return m.us / 1000 }

func (m *model) admit(op Op, interval, patience, lead int64) (Verdict, int64) {
	a, now := m.account, m.us
	submits, poll := op == OpSubmit || op == OpResubmit, op == OpPoll || op == OpRepoll
	open := a["reason"] == "quota" && poll || a.has("trial") && (!submits || a["trial_free"] == "1")
	switch {
	case op == OpProbe: // It may end the pause.
	case a.has("reason") && !open:
		return Paused, 5_000_000
	case a.has("store_since"):
		return StoreFails, max(1000*a.num("store_probe_at")-now, 1_000_000)
	}
	tat, far := m.limits.num("tat"), m.limits.num("far")
	if tat > now+1_000_000+max(interval, 10_000_000) {
		tat = 0
	}
	at := max(now, tat, m.limits.num("blocked"))
	if at-now <= patience && at-now > lead {
		return Wait, at - now - lead
	}
	if far > at+301_000_000+interval {
		far = 0
	}
	ready := at-now <= patience
	if op == OpPoll && far > now { // Those of the line come first, right after whole seconds.
		second := now / 1_000_000 * 1_000_000
		if ready && now-second < 100_000 {
			return Wait, second + 100_000 - now
		}
		ready = ready && at < second+1_000_000
	}
	switch {
	case ready:
		slot, old, n, before := at/10_000_000, m.limits.num("slot"), m.limits.num("slot.now"), m.limits.num("slot.before")
		if slot != old {
			before = map[bool]int64{true: n}[slot == old+1]
			n = 0
		}
		m.limits.set("tat", at+interval, "slot", slot, "slot.now", n+1, "slot.before", before)
		if a.has("trial") && submits {
			a.unset("trial_free")
		}
		return Go, at - now
	case submits, op == OpSweep, op == OpProbe, op == OpRepoll && at-now < 1_000_000+2*interval:
		return Later, max(at-now-900_000, 1000)
	}
	far = min(max(at, far), at+300_000_000)
	m.limits.set("far", far+interval)
	return Later, max(far-now-900_000, 1000)
}

func (m *model) block(us int64) {
	m.limits.set("blocked", max(m.limits.num("blocked"), m.us+us))
}

func (m *model) used() string {
	at, now := m.limits.num("slot"), float64(m.us)/1e6
	n, before := float64(m.limits.num("slot.now")), float64(m.limits.num("slot.before"))
	slot := math.Floor(now / 10)
	over := now/10 - slot
	used := map[int64]float64{0: (before*(1-over) + n) / 10, -1: n * (1 - over) / 10, 1: before / over / 10}[at-int64(slot)]
	return fmt.Sprintf("%.3f", used)
}

func (m *model) pause(r Reason, key, message string) bool {
	a := m.account
	if a["reason"] == string(r) || a["reason"] == "operator" {
		return false
	}
	a.unset("trial", "trial_free", "resumed")
	a.set("reason", r, "since", m.now(), "probe_at", m.now()+r.probeAfter(0).Milliseconds(), "probes", 0, "key", key, "message", message)
	return true
}

func (m *model) probed(s State, key, message string) {
	if m.account["reason"] == string(s.Reason) {
		probes := s.Probes + 1
		m.account.set("probes", probes, "probe_at", m.now()+s.Reason.probeAfter(probes).Milliseconds(), "key", key, "message", message)
	}
}

// active ends the pause.
func (m *model) active() {
	m.account.unset("reason", "since", "probe_at", "probes", "key", "message", "trial", "trial_free")
	m.account.set("resumed", m.now())
}

// over says that the vendor's trouble is over.
func (m *model) over() {
	if a := m.account; a.has("err_at") && !a.has("err_over") {
		a.set("err_over", m.now())
	}
}

func (m *model) lift(r Reason, doubt bool) {
	a := m.account
	if a["reason"] != string(r) {
		return
	}
	m.rows[false] = &row{}
	if r == Unavailable && m.rows[true].n >= unavailableFailures {
		a.set("trial", 1, "trial_free", 1)
		if !a.has("resumed") {
			a.set("resumed", m.now())
		}
		return
	}
	m.active()
	m.rows[true] = &row{}
	switch {
	case doubt:
		a.set("doubts", a.num("doubts")+1)
		return
	case !a.has("store_since"):
		m.over()
	}
	a.unset("doubts")
}

func (m *model) report(token, id string, submission, ok bool) bool {
	a := m.account
	if ok {
		m.rows[submission] = &row{}
		a.unset("doubts", "throttled", "throttled_at")
		a.set("last_ok", m.now())
		if submission {
			a.set("last_submit_ok", m.now())
			if a.has("trial") {
				m.active()
			}
		}
		if !a.has("reason") && !a.has("store_since") {
			m.over()
		}
		return false
	}
	r := m.rows[submission]
	if r.from == nil {
		r.from = map[string]string{}
	}
	if r.from[id] != token {
		r.n++
	}
	r.from[id] = token
	down := r.n >= unavailableFailures && len(r.from) >= unavailableFrom
	if down && !submission {
		a.unset("trial", "trial_free", "resumed")
	}
	return down
}

func (m *model) throttled() int64 {
	a, passed := m.account, m.now()-m.account.num("throttled_at")
	n := a.num("throttled")
	if n > 0 && passed >= 0 && passed < 50_000 {
		return n
	}
	if passed > 600_000 {
		n = 0
	}
	a.set("throttled", n+1, "throttled_at", m.now())
	return n + 1
}

func (m *model) trouble(code, message string) {
	m.account.unset("err_over")
	m.account.set("err_code", code, "err_message", message, "err_at", m.now())
}

func waitOf(every StoreWait, tries int64) int64 {
	return min(every.First.Milliseconds()<<tries, every.Most.Milliseconds())
}

func (m *model) storeFails(token string, every StoreWait, message string) (bool, int64) {
	a := m.account
	if !a.has("store_since") {
		tries := int64(0)
		if m.now()-a.num("store_over") < 600_000 {
			tries = a.num("store_tries") + 1
		}
		a.set("store_since", m.now(), "store_by", token, "store_tries", tries, "store_probe_at", m.now()+waitOf(every, tries))
	}
	m.trouble(storeCode, message)
	return a["store_by"] == token, max(a.num("store_probe_at")-m.now(), 0)
}

func (m *model) storeProbe(token string, every StoreWait) bool {
	a := m.account
	switch {
	case !a.has("store_since"):
		return false
	case a["store_prober"] == token:
		return true
	case m.now() < a.num("store_probe_at"):
		return false
	}
	tries := a.num("store_tries") + 1
	a.set("store_prober", token, "store_tries", tries, "store_probe_at", m.now()+waitOf(every, tries))
	return true
}

func (m *model) storeWorks(token string) int64 {
	a := m.account
	switch {
	case a["store_ended"] == token:
		return a.num("store_lasted")
	case !a.has("store_since"):
		return -1
	}
	lasted := max(m.now()-a.num("store_since"), 0)
	a.unset("store_since", "store_probe_at", "store_by", "store_prober")
	a.set("store_over", m.now(), "store_ended", token, "store_lasted", lasted)
	if a["err_code"] == storeCode {
		m.over()
	}
	return lasted
}

// serving is how many workers have said within servedFor that they serve the account.
func (m *model) serving() int {
	n := 0
	for _, at := range m.workers {
		if at >= m.now()-servedFor.Milliseconds() {
			n++
		}
	}
	return n
}

func (m *model) serve(worker string) int {
	m.workers[worker] = m.now()
	maps.DeleteFunc(m.workers, func(_ string, at int64) bool { return at <= m.now()-servedFor.Milliseconds() })
	return len(m.workers)
}
