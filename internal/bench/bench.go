// Package bench compares policies of asking a vendor for results: how many requests
// each takes for an extraction, and how late it learns of the end.
//
// Replay does it in virtual time: submissions, answers and ends are events of a
// simulation without a clock, a network or a Redis, in which the planner learns as it
// does in a worker. The same Config gives the same Report, number by number. What a
// real service makes of it is measured elsewhere and comes in the same Report.
package bench

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/extractq/extractq/polling/plan"
	"github.com/extractq/extractq/sandbox"
)

// Config is what is replayed.
type Config struct {
	// Law is how long documents take, from the submission to the end.
	Law sandbox.Latency
	// Documents are measured, after WarmUp others that are only learned from. Their
	// times, and those of the others, are even samples of Law: one from each of as many
	// equally likely parts of it, in random order. Two hundred times that are drawn one by
	// one scatter so much that a policy looks 7 % better or worse than it is.
	Documents, WarmUp int
	// Arrive is how many are submitted each second; 0 means all within one.
	Arrive float64
	// Seed makes other times of the same law.
	Seed uint64
	// Price is how many seconds of delay one request is worth; 0 means one.
	Price time.Duration
	// MaxInFlight is how many may be at the vendor at once; 0 means any number. The
	// vendors' SDK knows no such limit.
	MaxInFlight int
	// Rate is how many calls a second the vendor answers before it says 429; 0 means
	// any number.
	Rate float64
	// Intervals says that the vendor does not tell when it finished, so that only the
	// answers to polls are learned from.
	Intervals bool
	// Webhooks is the share of ends that a webhook tells of at once; 0 means that
	// there are none.
	Webhooks float64
	// Lists lets the planner use the vendor's ready lists, too.
	Lists bool
	// offGrid lets polls be due at any moment, as the theory has it; the product's
	// are due on whole seconds.
	offGrid bool
	// drawn draws each time independently, as a vendor's come.
	drawn bool
	// frozen lets the planner learn from the documents of the warm-up only.
	frozen bool
	// deadline ends a document that the vendor has not finished so long after its
	// submission; 0 is none.
	deadline time.Duration
	// keep is how long a schedule is used in place of planFor.
	keep time.Duration
	// change changes the documents before any is carried, asked is called for each poll.
	change func([]job)
	asked  func(j *job, now time.Duration)
}

// Limits of a Config.
const (
	maxDocuments = 10_000_000
	maxRate      = 1e6
)

// Validate reports all that is wrong with c.
func (c Config) Validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Documents < 1 || c.Documents > maxDocuments {
		wrong("documents %d: want 1 to %d", c.Documents, maxDocuments)
	}
	if c.WarmUp < 0 || c.WarmUp > maxDocuments {
		wrong("warm-up %d: want 0 to %d documents", c.WarmUp, maxDocuments)
	}
	if c.MaxInFlight < 0 {
		wrong("max in flight %d: want a number, or 0 for no limit", c.MaxInFlight)
	}
	for _, r := range []struct {
		name string
		rate float64
	}{{"arrive", c.Arrive}, {"rate", c.Rate}} {
		if !(r.rate == 0 || r.rate >= 1e-3 && r.rate <= maxRate) {
			wrong("%s %v a second: want 0.001 to %v, or 0 for no limit", r.name, r.rate, maxRate)
		}
	}
	if c.Price < 0 || c.Price > 0 && c.Price < time.Millisecond || c.Price > time.Hour {
		wrong("price %v: want 1ms to 1h", c.Price)
	}
	if !(c.Webhooks >= 0 && c.Webhooks <= 1) {
		wrong("webhooks %v: want the share that arrives, from 0 to 1", c.Webhooks)
	}
	return errors.Join(errs...)
}

func (c Config) price() time.Duration {
	if c.Price == 0 {
		return time.Second
	}
	return c.Price
}

// Replay lets every policy carry the same documents.
func Replay(c Config) (Report, error) {
	if err := c.Validate(); err != nil {
		return Report{}, err
	}
	r := Report{
		Mode: "replay", Law: c.Law.String(), Documents: c.Documents, WarmUp: c.WarmUp, Seed: c.Seed,
		Arrive: c.Arrive, Rate: c.Rate, Price: c.price().Seconds(), Webhooks: c.Webhooks, Intervals: c.Intervals,
	}
	r.Best = BestCost(c.Law, c.price())
	for _, p := range policies(c) {
		r.Policies = append(r.Policies, carry(c, p).outcome(r))
	}
	return r, nil
}

// BestCost is J*, the least that polls can come to where the law is known.
func BestCost(law sandbox.Latency, price time.Duration) float64 {
	return plan.LawOf(law.CDF).Schedule(plan.Terms{Price: price}).Cost()
}

// A policy says when to ask.
type policy struct {
	name string
	// next is the moment to ask for a job after an answer, or the submission, now.
	next func(r *run, j *job) time.Duration
	// knowsLimits says that calls wait for the rate, polls before submissions; else
	// they are made when they are due, and some get a 429.
	knowsLimits bool
	// givesUp says that the first 429 is the end of the document, which is what the
	// vendors' SDK makes of it.
	givesUp bool
	// learns says that the planner learns from what it sees, hooks that it listens to
	// webhooks, lists that it reads ready lists.
	learns, hooks, lists bool
}

// policies are those that are compared, ours first.
func policies(c Config) []policy {
	all := []policy{{name: "learned", next: learnedNext, knowsLimits: true, learns: true}}
	if c.Lists {
		all = append(all, policy{name: "learned, lists", next: learnedNext, knowsLimits: true, learns: true, lists: true})
	}
	if c.Webhooks > 0 {
		all = append(all, policy{name: "learned, webhooks", next: learnedNext, knowsLimits: true, learns: true, hooks: true})
	}
	return append(all,
		policy{name: FixedPolicy, next: fixedNext, givesUp: true},
		policy{name: "exponential", next: exponentialNext},
		policy{name: "clairvoyant", next: func(r *run, j *job) time.Duration { return max(j.finish, r.now) }, knowsLimits: true},
	)
}

// FixedPolicy is the name of what the vendors' own SDKs do.
const FixedPolicy = "fixed 5 s"

// FixedInterval is the vendors' SDKs' interval. They ask for the first time at once.
const FixedInterval = 5 * time.Second

func fixedNext(r *run, j *job) time.Duration {
	if j.polls == 0 {
		return r.now
	}
	return r.now + FixedInterval
}

// exponentialNext waits 1, 2, 4 … 60 s.
func exponentialNext(r *run, j *job) time.Duration {
	return r.now + time.Duration(min(math.Exp2(float64(j.polls)), 60))*time.Second
}
