package main

import (
	"fmt"
	"time"

	"github.com/extractq/extractq/limiter"
)

const (
	// heldAgain is how often run repeats why the calls fail.
	heldAgain = time.Minute
	// heldFrom is for how long calls must have failed before run speaks of it.
	heldFrom = 5 * time.Second
)

// held says why an account's calls come to nothing: once, and each minute while that
// lasts.
type held struct {
	looked bool
	// old is the account's trouble from before the run.
	old time.Time
	// since is when run saw the present trouble first, said when it spoke of it and why
	// what the account was paused for then.
	since, said time.Time
	why         limiter.Reason
}

// look returns the line that is due, if any.
func (h *held) look(account string, s limiter.State, now time.Time) string {
	if !h.looked {
		h.looked, h.old = true, s.LastError.At
	}
	paused := s.Reason != limiter.Active
	if !paused && (s.LastError.Code == "" || !s.LastError.Over.IsZero() || s.LastError.At.Equal(h.old)) {
		h.since, h.said, h.why = time.Time{}, time.Time{}, limiter.Active
		return ""
	}
	if h.since.IsZero() {
		h.since = now
	}
	due := now.Sub(h.said) >= heldAgain || paused && s.Reason != h.why
	if !due || !paused && now.Sub(h.since) < heldFrom {
		return ""
	}
	h.said, h.why = now, s.Reason
	switch {
	case s.Reason == limiter.Operator:
		return fmt.Sprintf("account %s is paused by an operator: extractq accounts resume %[1]s", account)
	case !s.StoreSince.IsZero():
		return fmt.Sprintf("account %s waits: %s; the store is tried again %s", account, s.LastError.Message,
			s.StoreProbeAt.UTC().Format(time.RFC3339))
	case paused:
		return fmt.Sprintf("account %s is paused (%s): %s; asked again %s", account, s.Reason, s.Message,
			s.ProbeAt.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("the latest calls to account %s failed: %s", account, s.LastError.Message)
}
