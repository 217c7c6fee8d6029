package limiter

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Reason is why an account is paused; empty means that it is active.
type Reason string

// The reasons for a pause.
const (
	Active Reason = ""
	// Operator: an operator paused it, and only an operator lifts it.
	Operator Reason = "operator"
	// Unauthorized: the vendor refuses the key.
	Unauthorized Reason = "unauthorized"
	// Quota: the plan is used up; polls go on.
	Quota Reason = "quota"
	// Unavailable: the vendor fails for several extractions in a row.
	Unavailable Reason = "unavailable"
)

// StopsPolls reports whether the pause also stops polls.
func (r Reason) StopsPolls() bool { return r != Active && r != Quota }

// probeAfter is when a paused account is probed for the n-th time, counted from
// 0, after the pause or the probe before.
func (r Reason) probeAfter(n int) time.Duration {
	switch r {
	case Unavailable:
		return min(30*time.Second<<min(n, 4), 5*time.Minute)
	case Unauthorized:
		return 5 * time.Minute
	case Quota:
		return time.Hour
	case Active, Operator:
		return 0
	}
	return 0
}

// State is an account's pause, and how it fared lately.
type State struct {
	Reason  Reason
	Since   time.Time
	ProbeAt time.Time
	Probes  int
	// Message is the vendor trouble behind the pause, without secrets.
	Message string
	// Keys are the fingerprints of the keys with which the vendor was asked in
	// vain, the one in use when the account was paused first.
	Keys []string
	// Doubts is how often it was lifted in doubt since anything worked.
	Doubts int
	// Trial says that the vendor answers again but took none of the latest
	// submissions: polls go on, and a submission is let through for each probe that
	// succeeds. TrialFree says that none has used the latest one yet.
	Trial, TrialFree bool
	// Resumed is since when the vendor's lists can be read again, after a pause.
	Resumed time.Time
	// StoreSince is since when the document store fails for the account, zero while it
	// works, and StoreProbeAt when it is tried again.
	StoreSince, StoreProbeAt time.Time
	// LastOK is when the vendor last did what it was asked to, for any
	// extraction of the account, LastSubmitOK when it last took a submission.
	LastOK, LastSubmitOK time.Time
	// LastError is the latest trouble with the vendor that concerned the account
	// and not one document; it stays when the trouble is over.
	LastError Trouble
}

// DoubtedUntil is until when a refused key's pause is not to be lifted in doubt again: 10,
// 20, 40, 60, 60 … minutes from its beginning after the n-th time, or an account whose
// key may do nothing would be resumed every few minutes.
func (s State) DoubtedUntil() time.Time {
	if s.Reason != Unauthorized || s.Doubts == 0 {
		return time.Time{}
	}
	return s.Since.Add(min(5*time.Minute<<min(s.Doubts, 4), time.Hour))
}

// Trouble is something that went wrong with an account.
type Trouble struct {
	// Code is one of extractq's own, Message what happened, without secrets.
	Code, Message string
	At            time.Time
	// Over is since when it is over; zero while it lasts.
	Over time.Time
}

// State returns an account's state.
func (l *Limiter) State(ctx context.Context, account string) (State, error) {
	m, err := l.rdb.HGetAll(ctx, accountKeys(account).state()).Result()
	if err != nil {
		return State{}, fmt.Errorf("read state of %s: %w", account, err)
	}
	probes, _ := strconv.Atoi(m["probes"])
	doubts, _ := strconv.Atoi(m["doubts"])
	var keys []string
	if m["key"] != "" {
		keys = strings.Fields(m["key"])
	}
	return State{
		Reason: Reason(m["reason"]), Since: millis(m["since"]), ProbeAt: millis(m["probe_at"]),
		Probes: probes, Message: m["message"], Keys: keys, Doubts: doubts, LastOK: millis(m["last_ok"]),
		LastSubmitOK: millis(m["last_submit_ok"]), Trial: m["trial"] == "1", TrialFree: m["trial_free"] == "1",
		Resumed:    millis(m["resumed"]),
		StoreSince: millis(m["store_since"]), StoreProbeAt: millis(m["store_probe_at"]),
		LastError: Trouble{Code: m["err_code"], Message: m["err_message"], At: millis(m["err_at"]), Over: millis(m["err_over"])},
	}, nil
}

func millis(s string) time.Time {
	ms, _ := strconv.ParseInt(s, 10, 64)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Trouble keeps the latest trouble with the vendor that concerns the account.
// message must hold no secret.
func (l *Limiter) Trouble(ctx context.Context, account, code, message string) error {
	err := l.clock.Call(ctx, troubleScript, account, []string{accountKeys(account).state()}, code, cut(message)).Err()
	if err != nil {
		return fmt.Errorf("note trouble of %s: %w", account, err)
	}
	return nil
}

// maxMessage bounds a message in bytes: it is for one line of a table.
const maxMessage = 500

func cut(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}

// Pause stops an account for a reason and reports whether that is a new one. A
// pause never replaces an operator's own, and pausing again for the same reason
// changes nothing.
func (l *Limiter) Pause(ctx context.Context, account string, r Reason, key, message string) (bool, error) {
	n, err := l.clock.Call(ctx, pauseScript, account, []string{accountKeys(account).state()},
		string(r), r.probeAfter(0).Milliseconds(), key, cut(message)).Int()
	if err != nil {
		return false, fmt.Errorf("pause %s: %w", account, err)
	}
	return n == 1, nil
}

// maxKeys bounds how many refused keys are remembered: as many as there may be
// in use at once, while the workers learn of a new one.
const maxKeys = 8

// Probed notes that a probe of a paused account failed, or is about to be made,
// and sets the time of the next one. Where the pause is another one by now,
// nothing changes.
func (l *Limiter) Probed(ctx context.Context, account string, s State, key, message string) error {
	probes := s.Probes + 1
	keys := s.Keys
	if key != "" && !slices.Contains(keys, key) {
		keys = append(slices.Clone(keys), key)
		keys = keys[max(0, len(keys)-maxKeys):]
	}
	err := l.clock.Call(ctx, probedScript, account, []string{accountKeys(account).state()},
		string(s.Reason), probes, s.Reason.probeAfter(probes).Milliseconds(), strings.Join(keys, " "), cut(message)).Err()
	if err != nil {
		return fmt.Errorf("note probe of %s: %w", account, err)
	}
	return nil
}

// Hasten makes the next probe of a paused account due now, because a person wants to know.
// An operator's pause has no probe, and stays.
func (l *Limiter) Hasten(ctx context.Context, account string) error {
	if err := l.clock.Call(ctx, hastenScript, account, []string{accountKeys(account).state()}).Err(); err != nil {
		return fmt.Errorf("hasten probe of %s: %w", account, err)
	}
	return nil
}

// Resume makes a paused account active.
func (l *Limiter) Resume(ctx context.Context, account string) error {
	k := accountKeys(account)
	_, err := l.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HDel(ctx, k.state(), "reason", "since", "probe_at", "probes", "key", "message", "doubts", "trial", "trial_free",
			"throttled", "throttled_at")
		p.Del(ctx, k.failing())
		p.Del(ctx, k.failingSubmits())
		return nil
	})
	if err != nil {
		return fmt.Errorf("resume %s: %w", account, err)
	}
	return nil
}

// Lift makes an account active that is paused for one reason. A pause for
// another one, as an operator's that came meanwhile, stays. Where the pause came of
// failed submissions, Lift lets polls go on and one submission through, and the pause
// ends when a submission succeeds (see State.Trial).
func (l *Limiter) Lift(ctx context.Context, account string, r Reason) error {
	return l.lift(ctx, account, r, 0)
}

// LiftInDoubt is Lift where it is unknown whether the reason is over: the next calls
// will show it. Where none of them works, State.DoubtedUntil bounds how soon the next
// pause may be lifted in doubt.
func (l *Limiter) LiftInDoubt(ctx context.Context, account string, r Reason) error {
	return l.lift(ctx, account, r, 1)
}

func (l *Limiter) lift(ctx context.Context, account string, r Reason, doubt int) error {
	k := accountKeys(account)
	keys := []string{k.state(), k.failing(), k.failingSubmits(), k.state()}
	if err := l.clock.Call(ctx, liftScript, account, keys, string(r), doubt, unavailableFailures).Err(); err != nil {
		return fmt.Errorf("lift pause of %s: %w", account, err)
	}
	return nil
}

// The row of failures that makes an account unavailable.
const (
	unavailableFailures = 5
	unavailableFrom     = 3
)

// Report tells whether a vendor call for an extraction worked, and returns true
// when the failures in a row, 5 from at least 3 extractions, say that the vendor
// is unavailable. Submissions and everything else are counted apart.
func (l *Limiter) Report(ctx context.Context, account, id string, op Op, ok bool) (bool, error) {
	return l.report(ctx, account, rand.Text(), id, op, ok)
}

func (l *Limiter) report(ctx context.Context, account, token, id string, op Op, ok bool) (bool, error) {
	var err error
	n := 0
	if ok {
		works := Works(account, op)
		err = l.clock.Call(ctx, worksScript, account, works.Keys, works.Args...).Err()
	} else {
		keys, submission := failures(account, op)
		n, err = l.clock.Call(ctx, reportScript, account, keys, id, submission, unavailableFailures, unavailableFrom, token).Int()
	}
	if err != nil {
		return false, fmt.Errorf("report on %s: %w", account, err)
	}
	return n == 1, nil
}

// failures has the keys of the row of failures that a call counts in, and 1 where it is that of
// submissions.
func failures(account string, op Op) (keys []string, submission int) {
	k := accountKeys(account)
	if op == OpSubmit || op == OpResubmit {
		return []string{k.failingSubmits(), k.state()}, 1
	}
	return []string{k.failing(), k.state()}, 0
}

// usedUpAfter is how many plain answers 429 in a row, a minute apart, mean a used-up plan.
const usedUpAfter = 3

// Throttled notes an answer 429 that says neither when to come back nor why, and reports
// whether it is the third in a row a minute apart, which means a used-up plan.
func (l *Limiter) Throttled(ctx context.Context, account string) (bool, error) {
	n, err := l.clock.Call(ctx, throttledScript, account, []string{accountKeys(account).state()}).Int()
	if err != nil {
		return false, fmt.Errorf("note throttling of %s: %w", account, err)
	}
	return n >= usedUpAfter, nil
}
