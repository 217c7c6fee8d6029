// Package limiter keeps an account inside its vendor's limits, together with
// all other workers: one rate for every kind of call, a moment before which
// nothing may be asked, and the account's pause with its reason.
//
// The state is in Redis, changes by scripts only and takes its time from Redis.
// The package decides about single calls; which extraction may hold an
// in-flight slot is decided where its record changes, so that a slot cannot
// leak.
package limiter

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/redis/go-redis/v9"
)

// Op is a kind of call to a vendor's API.
type Op string

// The kinds of call. They share the account's rate.
const (
	OpSubmit Op = "submit"
	// OpResubmit is a submission that has been sent away before.
	OpResubmit Op = "resubmit"
	OpPoll     Op = "poll"
	// OpRepoll is a poll that has been sent away before.
	OpRepoll Op = "repoll"
	OpReady  Op = "ready"
	// OpSweep reads the ready lists; one that cannot be made now is dropped, not
	// retried.
	OpSweep Op = "sweep"
	OpProbe Op = "probe"
)

// Patience is how long a caller waits in place for the moment of such a call, at most;
// longer waits are tasks of their own. A submission that has waited is back in the queue
// before the next whole second, to come again then.
func (o Op) Patience() time.Duration {
	switch o {
	case OpSubmit, OpResubmit:
		return 900 * time.Millisecond
	case OpPoll, OpRepoll, OpReady, OpSweep, OpProbe:
	}
	return time.Second
}

// lead is how long before its moment a call is given it, at most. Polls come on whole
// seconds and go first, as what they find frees a slot: so they may take every moment of
// the second that they can wait for, while a submission gets its moment only when that is
// about to come. A requeued call gets it before a new one: requeued calls come back on
// whole seconds, and would find none left by those that come at any time.
func (o Op) lead() time.Duration {
	switch o {
	case OpSubmit:
		return 50 * time.Millisecond
	case OpResubmit:
		return 100 * time.Millisecond
	case OpPoll, OpRepoll, OpReady, OpSweep, OpProbe:
	}
	return o.Patience()
}

// headroom lengthens the interval between calls: the network delivers some of
// them closer together than they were sent.
const headroom = 1.03

// interval is the time between two calls in microseconds; 0 where there is no
// rate.
func interval(perSecond float64) int64 {
	if perSecond <= 0 {
		return 0
	}
	return int64(math.Ceil(1e6 / perSecond * headroom))
}

// Limiter is the shared state of all accounts. It is safe for concurrent use.
type Limiter struct {
	rdb   redis.UniversalClient
	clock Clock
}

// Clock calls scripts of an account. Their last two arguments say between which times in ms
// Redis's clock is expected. A script that finds another time answers {"clock"} and has no
// effect, and is called again once it is known what the clock has done.
type Clock interface {
	Call(ctx context.Context, script *redis.Script, account string, keys []string, args ...any) *redis.Cmd
}

// New returns the limiter whose state is in rdb.
func New(rdb redis.UniversalClient, clock Clock) *Limiter { return &Limiter{rdb: rdb, clock: clock} }

// Verdict is the answer to a request for one call.
type Verdict string

// The verdicts.
const (
	// Go: make the call after Admission.Wait.
	Go Verdict = "go"
	// Wait: the moment is near, and may be a poll's yet: ask again after Admission.Wait.
	Wait Verdict = "wait"
	// Later: the rate, or a Retry-After, forbids it until Admission.Wait is over.
	Later Verdict = "later"
	// Paused: the account is paused.
	Paused Verdict = "paused"
	// StoreFails: the document store fails, and is tried again after Admission.Wait.
	StoreFails Verdict = "store"
)

// Admission says whether and when one call may be made.
type Admission struct {
	Verdict Verdict
	Wait    time.Duration
}

// Admit asks for one call. perSecond is the account's rate; 0 or less means
// unlimited. patience is for how long the caller can wait in place, of which more than
// op.Patience changes nothing; without, only a call that may be made now is admitted.
func (l *Limiter) Admit(ctx context.Context, account string, op Op, perSecond float64, patience time.Duration) (Admission, error) {
	patience = min(max(patience, 0), op.Patience())
	k := accountKeys(account)
	got, err := l.clock.Call(ctx, admitScript, account, []string{k.limits(), k.state()},
		interval(perSecond), patience.Microseconds(), op.lead().Microseconds(), string(op)).Slice()
	if err != nil {
		return Admission{}, fmt.Errorf("admit %s at %s: %w", op, account, err)
	}
	verdict, _ := got[0].(string)
	micros, _ := got[1].(int64)
	return Admission{Verdict: Verdict(verdict), Wait: time.Duration(micros) * time.Microsecond}, nil
}

// Block forbids every call to the account for d from now, for all workers. It
// never shortens an earlier block.
func (l *Limiter) Block(ctx context.Context, account string, d time.Duration) error {
	k := accountKeys(account)
	err := l.clock.Call(ctx, blockScript, account, []string{k.limits(), k.state()}, d.Microseconds()).Err()
	if err != nil {
		return fmt.Errorf("block %s: %w", account, err)
	}
	return nil
}

// Used is how many calls a second were admitted to the account over the last
// ten seconds, for all workers together.
func (l *Limiter) Used(ctx context.Context, account string) (float64, error) {
	k := accountKeys(account)
	used, err := l.clock.Call(ctx, usedScript, account, []string{k.limits(), k.state()}).Float64()
	if err != nil {
		return 0, fmt.Errorf("read use of %s: %w", account, err)
	}
	return used, nil
}

// keys are the limiter's Redis keys of one account; the hash tag keeps them on
// one node of a cluster.
type keys struct{ prefix string }

func accountKeys(account string) keys { return keys{prefix: "extractq:{" + account + "}:"} }

func (k keys) limits() string  { return k.prefix + "limits" }
func (k keys) state() string   { return k.prefix + "account" }
func (k keys) failing() string { return k.prefix + "failing" }

// failingSubmits is the row of failed submissions, failing that of everything else.
func (k keys) failingSubmits() string { return k.prefix + "failing-submits" }
func (k keys) workers() string        { return k.prefix + "workers" }
