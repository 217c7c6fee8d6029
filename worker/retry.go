package worker

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
)

// reaction is what happens after trouble with a vendor call. Exactly one thing
// happens to the extraction: it ends with Failure, or the step is repeated after
// Delay. Besides, the account may be blocked or paused.
type reaction struct {
	// Failure ends the extraction.
	Failure *extraction.Failure
	// Delay and Because schedule the repetition.
	Delay   time.Duration
	Because extraction.Because
	// Block forbids the account's calls for so long.
	Block time.Duration
	// Pause stops the account.
	Pause limiter.Reason
	// Fault reports that the vendor failed rather than refused: it counts
	// towards the account's unavailability and the document's attempts.
	Fault bool
}

const (
	// maxBlock bounds what a vendor can ask for in Retry-After.
	maxBlock = time.Hour
	// plainThrottle is how long a 429 that does not say when to come back stops the
	// account.
	plainThrottle = time.Minute
	// pausedDelay is how soon a step looks again at a paused account. Its queue
	// is paused too, so the time passes without a task running.
	pausedDelay = 5 * time.Second
	// forbiddenDelay spaces attempts at a list that the key may not read.
	forbiddenDelay = 5 * time.Minute
	// quotaPollDelay spaces polls of an account whose plan is used up.
	quotaPollDelay = time.Minute
)

// react decides what follows from an error of a vendor call. failures counts
// the consecutive failures of this extraction, this one included; attempts is
// how many are allowed where others succeed, 0 for any number.
func react(err error, op limiter.Op, failures, attempts int, othersSucceed bool) reaction {
	e, ok := errors.AsType[*extraction.Error](err)
	if !ok {
		e = &extraction.Error{Op: string(op), Kind: extraction.KindTransient, Err: err}
	}
	kind := e.Kind
	if kind == extraction.KindRejected && op != limiter.OpSubmit {
		kind = extraction.KindTransient // A question cannot be the document's fault.
	}
	switch kind {
	case extraction.KindRejected:
		code := e.Code
		if code == "" {
			code = extraction.CodeVendorRejected
		}
		return reaction{Failure: extraction.NewFailure(code, e.Error(), e.Vendor)}
	case extraction.KindUnauthorized:
		return reaction{Delay: pausedDelay, Because: extraction.BecauseAccountPaused, Pause: limiter.Unauthorized}
	case extraction.KindForbidden:
		return reaction{Delay: forbiddenDelay, Because: extraction.BecauseRetry}
	case extraction.KindQuota:
		r := reaction{Delay: pausedDelay, Because: extraction.BecauseAccountPaused, Pause: limiter.Quota}
		if op == limiter.OpPoll {
			r.Delay, r.Because = quotaPollDelay, extraction.BecauseRate
		}
		return r
	case extraction.KindRateLimited:
		wait := plainThrottle
		if e.RetryAfter > 0 {
			wait = min(max(e.RetryAfter, time.Second), maxBlock)
		}
		return reaction{Delay: wait, Because: extraction.BecauseRate, Block: wait}
	case extraction.KindTooLarge:
		return reaction{Failure: extraction.NewFailure(extraction.CodeResultTooLarge, e.Error(), e.Vendor)}
	case extraction.KindUploadGone:
		// A fresh upload URL each time, and refused each time: that is about
		// this document, whatever becomes of others.
		if attempts > 0 && failures >= attempts {
			return reaction{Fault: true, Failure: extraction.NewFailure(extraction.CodeVendorRejected, e.Error(), e.Vendor)}
		}
	case extraction.KindTransient, extraction.KindNotFound:
	}
	if attempts > 0 && failures >= attempts && othersSucceed {
		return reaction{Fault: true, Failure: extraction.NewFailure(extraction.CodeVendorFailed, e.Error(), e.Vendor)}
	}
	wait := max(backoff(failures), min(e.RetryAfter, maxBlock))
	return reaction{Fault: true, Delay: wait, Because: extraction.BecauseRetry}
}

// backoff is 1, 2, 4 … 60 s after the n-th failure in a row, within a fifth of
// it, so that what failed together does not come back together.
func backoff(n int) time.Duration {
	d := min(time.Second<<min(max(n-1, 0), 6), time.Minute)
	return d + time.Duration((rand.Float64()*2-1)/5*float64(d))
}
