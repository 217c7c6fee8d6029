package bench

import (
	"math"
	"math/rand/v2"
	"time"
)

// job is one document on its way.
type job struct {
	arrives, latency  time.Duration
	submitted, finish time.Duration
	// notYet is when the vendor last said so; 0 where it has not.
	notYet time.Duration
	polls  int32
	turn   int32
	// slot is where it stands among those in flight, -1 where it does not; place its
	// place among all submissions.
	slot     int32
	place    int
	measured bool
	loses    bool // Its webhook never comes.
	hooked   bool // A webhook has reported its end,
	listed   bool // or a ready list.
	asking   bool // It waits for the rate to be asked for.
	over     bool
}

// hinted reports that a webhook or a list has reported its end.
func (j *job) hinted() bool { return j.hooked || j.listed }

// run is one policy carrying all documents.
type run struct {
	cfg    Config
	policy policy
	now    time.Duration
	events events
	jobs   []job
	left   int // Jobs of the present stage that are not over.
	flying []*job
	vendor *bucket
	learner

	frozen bool // Nothing is learned any more.
	// submits and polls wait for the rate; tat is when it allows the next call.
	submits, polls queue
	tat            time.Duration
	waking         bool

	// sent are all submissions; tending and willRead say that a decision about the lists,
	// and a reading, are planned.
	sent              []*job
	tending, willRead bool

	tally tally
}

// carry lets a policy carry all documents: first those to learn from, then those
// that are measured.
func carry(c Config, p policy) *run {
	r := &run{cfg: c, policy: p, jobs: draw(c), vendor: newBucket(c.Rate)}
	r.learner = newLearner(c)
	r.tally = tally{delays: make([]time.Duration, 0, c.Documents)}
	if p.learns {
		r.stage(r.jobs[:c.WarmUp])
		r.schedule = nil
		r.known(r)
		r.frozen = c.frozen
	}
	r.stage(r.jobs[c.WarmUp:])
	return r
}

// draw makes the documents: the same for every policy.
func draw(c Config) []job {
	rng := rand.New(rand.NewPCG(c.Seed, 0x62656e6368))
	jobs := make([]job, c.WarmUp+c.Documents)
	latencies := c.Latencies()
	for i := range jobs {
		at := rng.Float64() // Within a second, where all come at once.
		if n := i - c.WarmUp; n >= 0 && c.Arrive > 0 {
			at = (float64(n) + at) / c.Arrive
		}
		jobs[i] = job{
			arrives: seconds(at), latency: latencies[i], slot: -1,
			measured: i >= c.WarmUp, loses: rng.Float64() >= c.Webhooks,
		}
	}
	if c.change != nil {
		c.change(jobs)
	}
	return jobs
}

// Latencies are how long the documents take: first those of the warm-up, then those
// that are measured.
func (c Config) Latencies() []time.Duration {
	rng := rand.New(rand.NewPCG(c.Seed, 0x74696d6573))
	var all []time.Duration
	for _, n := range []int{c.WarmUp, c.Documents} {
		for _, at := range rng.Perm(n) {
			if c.drawn {
				all = append(all, c.Law.Draw(rng))
				continue
			}
			all = append(all, c.Law.Quantile((float64(at)+rng.Float64())/float64(n)))
		}
	}
	return all
}

// stage carries some of the documents until all are over.
func (r *run) stage(jobs []job) {
	begin := r.now
	for i := range jobs {
		r.events.add(event{at: begin + jobs[i].arrives, kind: arrives, job: &jobs[i]})
	}
	if r.policy.lists && !r.tending {
		r.tending = true
		r.events.add(event{at: begin + tendEvery, kind: tends})
	}
	for r.left = len(jobs); r.left > 0; {
		e := r.events.next()
		r.now = e.at
		switch e.kind {
		case arrives:
			r.arrive(e.job)
		case due:
			if e.turn == e.job.turn && !e.job.over && !r.replanned(e.job) {
				r.ask(e.job)
			}
		case hooked:
			if !e.job.over {
				e.job.hooked = true
				r.ask(e.job)
			}
		case tends:
			r.tend()
		case reads:
			r.read()
		case wakes:
			r.waking = false
			r.dispatch()
		}
	}
}

func (r *run) arrive(j *job) {
	if j.measured && r.tally.count(j) {
		r.tally.began = r.now
	}
	if !r.policy.knowsLimits {
		r.submit(j)
		return
	}
	r.submits.add(j)
	r.dispatch()
}

// ask makes the call, or lets it wait for the rate.
func (r *run) ask(j *job) {
	if !r.policy.knowsLimits {
		r.poll(j)
		return
	}
	if !j.asking {
		j.asking = true
		r.polls.add(j)
		r.dispatch()
	}
}

// dispatch makes the calls that wait, as far as the rate allows.
func (r *run) dispatch() {
	for {
		wantsSubmit := !r.submits.empty() && (r.cfg.MaxInFlight == 0 || len(r.flying) < r.cfg.MaxInFlight)
		switch {
		case r.polls.empty() && !wantsSubmit:
			return
		case r.tat > r.now:
			if !r.waking {
				r.waking = true
				r.events.add(event{at: r.tat, kind: wakes})
			}
			return
		}
		if r.cfg.Rate > 0 {
			r.tat = r.now + seconds(headroom/r.cfg.Rate)
		}
		if !r.polls.empty() { // What they find makes room.
			j := r.polls.next()
			j.asking = false
			r.poll(j)
			continue
		}
		r.submit(r.submits.next())
	}
}

// headroom is the limiter's.
const headroom = 1.03

// submit is one call: the vendor takes the document, or refuses it for its rate.
func (r *run) submit(j *job) {
	r.tally.submit(j)
	if !r.vendor.allows(r.now) {
		r.tally.refused(j)
		if r.policy.givesUp {
			r.end(j, true)
			return
		}
		r.events.add(event{at: r.backOff(j), kind: arrives, job: j})
		j.polls++
		return
	}
	r.tally.took(j, r.now)
	j.polls, j.submitted, j.finish = 0, r.now, r.now+j.latency
	j.slot = int32(len(r.flying))
	r.flying = append(r.flying, j)
	r.placed++
	j.place = r.placed
	if r.policy.lists {
		r.sent = append(r.sent, j)
	}
	if r.policy.hooks && !j.loses {
		r.events.add(event{at: j.finish, kind: hooked, job: j})
	}
	r.plan(j)
}

// backOff is when a call that was refused is made again.
func (r *run) backOff(j *job) time.Duration {
	return r.now + spread(max(0, r.policy.next(r, j)-r.now), r.rng.Float64())
}

// plan plans the next poll.
func (r *run) plan(j *job) {
	j.turn++
	r.events.add(event{at: max(r.policy.next(r, j), r.now), kind: due, job: j, turn: j.turn})
}

// poll is one call: the vendor says "not yet", or gives the result.
func (r *run) poll(j *job) {
	if j.over {
		return
	}
	allowed := r.vendor.allows(r.now)
	j.polls++
	r.tally.poll(j)
	if r.cfg.asked != nil {
		r.cfg.asked(j, r.now)
	}
	switch {
	case !allowed:
		r.tally.refused(j)
		if r.policy.givesUp {
			r.end(j, true)
			return
		}
		j.turn++
		r.events.add(event{at: r.backOff(j), kind: due, job: j, turn: j.turn})
	case j.finish > r.now && r.cfg.deadline > 0 && r.now-j.submitted >= r.cfg.deadline:
		r.end(j, true)
	case j.finish > r.now:
		j.notYet = r.now
		r.plan(j)
	default:
		if r.policy.learns && !r.frozen {
			r.learn(r, j)
		}
		r.end(j, false)
	}
}

// end is the end of a document for us, found or lost.
func (r *run) end(j *job, lost bool) {
	j.over = true
	r.left--
	if j.slot >= 0 {
		last := r.flying[len(r.flying)-1]
		r.flying[j.slot], last.slot = last, j.slot
		r.flying = r.flying[:len(r.flying)-1]
	}
	r.tally.end(j, r.now, lost)
	if r.policy.knowsLimits {
		r.dispatch() // A slot is free.
	}
}

// bucket is the vendor's limit, as the sandbox has it: so many calls a second, and
// as many at once after a second without. It is nil where there is none.
type bucket struct {
	rate, burst, tokens float64
	at                  time.Duration
}

func newBucket(rate float64) *bucket {
	if rate <= 0 {
		return nil
	}
	burst := max(1, math.Floor(rate))
	return &bucket{rate: rate, burst: burst, tokens: burst}
}

func (b *bucket) allows(now time.Duration) bool {
	if b == nil {
		return true
	}
	b.tokens = min(b.burst, b.tokens+b.rate*(now-b.at).Seconds())
	b.at = now
	if b.tokens < 1-1e-9 {
		return false
	}
	b.tokens--
	return true
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
