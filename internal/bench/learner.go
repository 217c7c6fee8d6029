package bench

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"

	"github.com/extractq/extractq/polling/plan"
)

// What a worker and the scripts of the store do with latencies, in one process and
// without Redis: worker/forecast.go and store/learn.lua say why.

const (
	// memory is how many extractions a histogram remembers.
	memory = 1000
	// mostWeight bounds what one weighs that came long after the latest of those.
	mostWeight = 100
	// planFor is how long a schedule is used.
	planFor = 2 * time.Second
	// runningLimit is how many of those in flight are looked at.
	runningLimit = 500
	// endsRemembered is over how many ends the share without a notification is counted.
	endsRemembered = 30
	// listChance is how many ends lists may miss before they show any.
	listChance = 5
	// toldWithin is how soon after the end a notification may still come.
	toldWithin = 3 * time.Second
)

// learner is what is known of the vendor.
type learner struct {
	rng *rand.Rand
	// placed counts submissions, latest is the place of the latest that was learned
	// from; one so many later weighs e times as much. What place base weighs is the unit
	// of bins.
	placed, latest, base int
	bins                 plan.Histogram
	hooks, lists         missing
	// listing is how the ready lists are read, reading what the latest took.
	listing plan.Listing
	reading float64

	at       time.Duration
	law      plan.Law
	schedule *plan.Schedule
	listed   time.Duration // The age up to which lists tell of an end.
}

// missing is the share of ends whose notification did not come.
type missing struct {
	share float64 // 1 if unknown.
	ends  int
}

// learn adds an end.
func (m *missing) learn(known bool) {
	m.ends++
	miss := 1.0
	if known {
		miss = 0
	}
	m.share += (miss - m.share) / float64(min(m.ends+1, endsRemembered))
}

// orElse is the share, or the prior before any end is known.
func (m missing) orElse(share float64) float64 {
	if m.share >= 1 && m.ends < listChance {
		return share
	}
	return m.share
}

func newLearner(c Config) learner {
	return learner{rng: rand.New(rand.NewPCG(c.Seed, 0x6c6561726e)), bins: plan.Histogram{}, hooks: missing{share: 1}, lists: missing{share: 1}, reading: 1}
}

// known is the schedule now, of what was seen up to at most two seconds ago.
func (l *learner) known(r *run) *plan.Schedule {
	if l.schedule != nil && (r.now-l.at < cmp.Or(r.cfg.keep, planFor) || r.frozen) {
		return l.schedule
	}
	seen := plan.Histogram{}
	seen.Merge(l.bins, age(l.base, l.latest))
	running := r.stillRunning(l.rng)
	// The one type of these documents has seen what its account has seen.
	account := plan.Estimate(seen, running, plan.Prior())
	l.law = plan.Estimate(seen, running, account)
	l.listed = 0
	if l.listing.Trusted {
		l.listed = seconds(account.Quantile(plan.WindowShare))
	}
	unnotified := plan.Unnotified(l.hooks.share, l.lists.orElse(listMissed), l.listed)
	l.at, l.schedule = r.now, l.law.Schedule(plan.Terms{Price: r.cfg.price(), Unnotified: unnotified})
	return l.schedule
}

// stillRunning are the documents in flight of which the vendor has said "not yet", or a
// sample of them.
func (r *run) stillRunning(rng *rand.Rand) []plan.Running {
	n := min(len(r.flying), runningLimit)
	each := float64(len(r.flying)) / float64(max(n, 1))
	var out []plan.Running
	for i := range n {
		if n < len(r.flying) { // Any n of them, by as many steps of a shuffle.
			k := i + rng.IntN(len(r.flying)-i)
			a, b := r.flying[i], r.flying[k]
			r.flying[i], r.flying[k], a.slot, b.slot = b, a, b.slot, a.slot
		}
		if j := r.flying[i]; j.notYet > 0 {
			out = append(out, plan.Running{Age: (j.notYet - j.submitted).Seconds(), Weight: each * r.weigh(j)})
		}
	}
	return out
}

// weigh is what a document weighs beside those that were learned from.
func (l *learner) weigh(j *job) float64 {
	return min(age(j.place, l.latest), mostWeight)
}

// age is what a place weighs beside a later one, or an earlier one.
func age(place, beside int) float64 { return math.Exp(float64(place-beside) / memory) }

// learn adds what the end of a document shows.
func (l *learner) learn(r *run, j *job) {
	l.known(r)
	observed := plan.Histogram{}
	if r.cfg.Intervals {
		from := 0.0
		if j.notYet > 0 {
			from = (j.notYet - j.submitted).Seconds()
		}
		observed.AddBetween(from, (r.now - j.submitted).Seconds(), 1, l.law)
	} else {
		observed.Add(j.latency.Seconds(), 1)
	}
	l.latest = max(l.latest, j.place)
	if l.latest-l.base > 14*memory {
		scaled := plan.Histogram{}
		scaled.Merge(l.bins, age(l.base, l.latest))
		l.bins, l.base = scaled, l.latest
	}
	l.bins.Merge(observed, age(j.place, l.base))
	// A poll that comes right after the end says nothing of who else would have known.
	soon := !r.cfg.Intervals && r.now-j.finish < toldWithin
	if r.policy.hooks && (j.hooked || !soon) {
		l.hooks.learn(j.hooked)
	}
	if j.listed || j.latency < l.listed && !j.hooked && !soon {
		l.lists.learn(j.listed)
	}
}

// learnedNext is when the planner would ask.
func learnedNext(r *run, j *job) time.Duration { return r.planned(j, r.now) }

// planned is when to ask for a job after an answer at some moment.
func (r *run) planned(j *job, last time.Duration) time.Duration {
	schedule := r.known(r)
	if r.cfg.offGrid {
		return j.submitted + schedule.After(last-j.submitted, r.cfg.deadline)
	}
	epoch := time.Unix(0, 0)
	return schedule.Due(epoch.Add(j.submitted), epoch.Add(last), r.cfg.deadline).Sub(epoch)
}

// replanned plans a poll anew that was planned before more was known, where it is
// much too early by now.
func (r *run) replanned(j *job) bool {
	if !r.policy.learns || j.hinted() {
		return false
	}
	at := r.planned(j, max(j.notYet, j.submitted))
	if at-r.now <= time.Second {
		return false
	}
	j.turn++
	r.events.add(event{at: at, kind: due, job: j, turn: j.turn})
	return true
}
