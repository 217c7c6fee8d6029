package backfill

import (
	"fmt"
	"time"

	"github.com/extractq/extractq/limiter"
)

const (
	// repeatEvery is how often run repeats why the calls fail.
	repeatEvery = time.Minute
	// failingFor is for how long calls must have failed before run says so.
	failingFor = 5 * time.Second
)

// accountNotices says why an account's calls fail: once, and each minute while that lasts.
type accountNotices struct {
	begun bool
	// old is the time of the account's last error before the run.
	old time.Time
	// since is when the present error was first seen, said when it was said, and why the reason
	// of the pause at that time.
	since, said time.Time
	why         limiter.Reason
}

// due returns the line that is due; empty if none is.
func (n *accountNotices) due(account string, s limiter.State, now time.Time) string {
	if !n.begun {
		n.begun, n.old = true, s.LastError.At
	}
	paused := s.Reason != limiter.Active
	if !paused && (s.LastError.Code == "" || !s.LastError.Over.IsZero() || s.LastError.At.Equal(n.old)) {
		n.since, n.said, n.why = time.Time{}, time.Time{}, limiter.Active
		return ""
	}
	if n.since.IsZero() {
		n.since = now
	}
	due := now.Sub(n.said) >= repeatEvery || paused && s.Reason != n.why
	if !due || !paused && now.Sub(n.since) < failingFor {
		return ""
	}
	n.said, n.why = now, s.Reason
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
