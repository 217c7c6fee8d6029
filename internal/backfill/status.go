package backfill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// quietFor is for how long nothing may end before the status says what the vendor does.
const quietFor = 30 * time.Second

// status is what a run knows about what it waits for. It is for one goroutine.
type status struct {
	vendor, account string
	// hastens says that Enter makes a probe due.
	hastens bool
	failing failingPolls
	// slow is the document that the vendor has had for the longest, when all were last read.
	slow store.Record
	// ended is when the latest extraction ended, and finished how many had then.
	ended    time.Time
	finished int64
}

// note notes a record that is not final, as it was just read.
func (s *status) note(r store.Record, name string) {
	s.failing.note(r, name)
	if r.Step == extraction.StepPoll && !r.SubmittedAt.IsZero() && (s.slow.ID == "" || r.SubmittedAt.Before(s.slow.SubmittedAt)) {
		s.slow = r
	}
}

// forget drops an extraction that has ended.
func (s *status) forget(id string) {
	s.failing.forget(id)
	if s.slow.ID == id {
		s.slow = store.Record{}
	}
}

// moved notes how many have ended.
func (s *status) moved(finished int64, now time.Time) {
	if finished != s.finished || s.ended.IsZero() {
		s.finished, s.ended = finished, now
	}
}

// text says what the run waits for, and in a second line what to do; empty while it moves.
func (s *status) text(a limiter.State, now time.Time) string {
	trouble := render.Escape(briefly(a.LastError.Message))
	switch {
	case a.Reason == limiter.Operator:
		return fmt.Sprintf("paused by an operator\nextractq accounts resume %s ends that", s.account)
	case !a.StoreSince.IsZero():
		return fmt.Sprintf("the document store fails, next try %s: %s\n%s", in(a.StoreProbeAt, now), trouble, safe)
	case a.Reason == limiter.Unavailable && a.Trial:
		return fmt.Sprintf("next try %s, with one document: %s took none of the latest (%s)\n%s", in(a.ProbeAt, now), s.vendor, trouble, s.advice())
	case a.Reason == limiter.Unavailable:
		return fmt.Sprintf("paused, next try %s: %s does not work (%s)\n%s", in(a.ProbeAt, now), s.vendor, render.Escape(briefly(a.Message)), s.advice())
	case a.Reason == limiter.Quota:
		return fmt.Sprintf("the quota at %s is used up: %s\nwaiting for what was submitted before", s.vendor, render.Escape(briefly(a.Message)))
	case a.LastError.Code == string(extraction.CodeRateLimited) && a.LastError.Over.IsZero() && now.Sub(a.LastError.At) < time.Minute:
		return fmt.Sprintf("%s limits the calls (429) below the configured rate\nset a lower rate for %s, or --rate", s.vendor, s.account)
	}
	if text := s.failing.text(); text != "" {
		return text
	}
	if quiet := now.Sub(s.ended); !s.ended.IsZero() && quiet > quietFor && s.slow.ID != "" {
		word := ""
		if s.slow.VendorStatus != "" {
			word = " (" + render.Escape(s.slow.VendorStatus) + ")"
		}
		return fmt.Sprintf("%s still works on what was submitted%s, the oldest for %s", s.vendor, word, render.Duration(now.Sub(s.slow.SubmittedAt)))
	}
	return ""
}

// safe is the advice where there is nothing to do but wait.
const safe = "nothing is lost, Ctrl-C is safe"

func (s *status) advice() string {
	if s.hastens {
		return safe + ", Enter tries now"
	}
	return safe
}

// in gives "in 24s", or "now" for a time that has come.
func in(t, now time.Time) string {
	if d := t.Sub(now).Round(time.Second); d > 0 {
		return "in " + render.Duration(d)
	}
	return "now"
}

// briefly is the end of an error's chain, which says what happened: "connection refused".
func briefly(message string) string {
	if message == "" {
		return "no reason given"
	}
	parts := strings.Split(message, ": ")
	return parts[len(parts)-1]
}

// left says what became of the extractions that have not ended; empty where Redis does not say.
func (b *Backfill) left(ctx context.Context) string {
	atVendor, maybe, waiting := 0, 0, 0
	for page := range slices.Chunk(b.follow.Waiting(), 200) {
		records, err := b.Records.GetAll(ctx, []string{b.Account.Name}, page...)
		if err != nil {
			return ""
		}
		for _, r := range records {
			switch {
			case r.Status.Final():
			case r.VendorID != "" && r.Step == extraction.StepPoll:
				atVendor++
			case r.Phase == store.PhaseNone:
				waiting++
			default:
				maybe++
			}
		}
	}
	waiting += max(0, b.found.Documents-int(b.progress.Finished())-atVendor-maybe-waiting)
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{atVendor, "at the vendor"}, {maybe, "being submitted"}, {waiting, "not submitted"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}

// look reads the account's state, shows what the run waits for, and says it where no terminal does.
func (b *Backfill) look(state limiter.State, notices *accountNotices) {
	now := time.Now()
	b.status.moved(b.progress.Finished(), now)
	b.progress.Holds(b.status.text(state, now))
	if b.Terminal {
		return
	}
	if line := notices.due(b.Account.Name, state, now); line != "" {
		b.Say("%s", line)
	}
	if state.Reason != limiter.Active {
		return // That is the reason for the documents below.
	}
	if line := b.status.failing.due(now); line != "" {
		b.Say("%s", line)
	}
}

// inFlight notes an extraction that is not final, as it was just read.
func (b *Backfill) inFlight(r store.Record) {
	b.mu.Lock()
	name := b.watched[r.ID].name
	b.mu.Unlock()
	b.status.note(r, name)
}

// sayLeft makes the last line say what became of what has not ended.
func (b *Backfill) sayLeft(ctx context.Context) {
	const patience = 2 * time.Second // A Ctrl-C ends soon.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	b.progress.Left(b.left(ctx))
}

// sayHowToRepeat says what to do about what failed.
func (b *Backfill) sayHowToRepeat(err error) {
	if b.Out != "" && errors.Is(err, errkind.ErrReported) && !b.RetryFailed {
		b.Say("run the same command with --retry-failed to repeat what failed")
	}
}

// hasten makes a probe of a paused vendor due each time a person asks for it.
func (b *Backfill) hasten(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.Hasten:
			if err := b.limiter.Hasten(ctx, b.Account.Name); err != nil {
				b.Log.DebugContext(ctx, "probe not hastened", slog.Any("error", err))
			}
		}
	}
}

// vendorName is how a provider's vendor writes its name.
func vendorName(provider string) string {
	switch provider {
	case "":
		return "the vendor"
	case app.SandboxProvider:
		return "the sandbox"
	}
	return strings.ToUpper(provider[:1]) + provider[1:]
}

// keyFrom says where the account's key is set, if that is known.
func (b *Backfill) keyFrom() string {
	for _, p := range app.KnownProviders() {
		if p.Name == b.Account.Provider && p.KeyEnv != "" && b.Account.Name == p.Name {
			return "; set " + p.KeyEnv
		}
	}
	return ""
}
