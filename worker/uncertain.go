package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// A submission of one call whose answer was lost is uncertain: the vendor may
// have it or not. Its name carries a token, and the vendor's list of finished
// extractions is searched for that token until the window is over. Only then
// does the account's on_uncertain decide; there is never a silent second
// submission.

// uncertain opens the window of the search. cause is what became of the answer, and nil
// where another worker died with it: it counts as a failure of the account, or a vendor
// whose gateway fails would be sent every document that waits.
func (s *step) uncertain(cause error) error {
	lost := "the answer to the submission was lost"
	if cause != nil && s.ctx.Err() == nil {
		lost += " (" + extraction.Explain(cause) + ")"
		ctx, cancel := s.saving()
		defer cancel()
		if err := s.account(ctx, reaction{Fault: true}, limiter.OpSubmit, cause); err != nil {
			return err
		}
	}
	until := s.now().Add(s.uncertainWindow())
	sent := s.rec.SentAt
	if sent.IsZero() {
		sent = s.now()
	}
	c := new(store.Change).Phase(store.PhaseUncertain).SentAt(sent).
		Uncertain(until).
		Trouble(s.searching(lost, until))
	return s.again(extraction.StepSubmit, 2*time.Second, extraction.BecauseRetry, c)
}

// searching says in the record that a lost submission is looked for.
func (s *step) searching(lost string, until time.Time) extraction.Trouble {
	return extraction.Trouble{
		Code: extraction.CodeSubmitUncertain, At: extraction.Time{Time: s.now()},
		Message: fmt.Sprintf("%s; it is looked for in the vendor's list until %s", lost, until.UTC().Format(time.RFC3339)),
	}
}

// windowLeft is how much longer a lost submission is looked for that the vendor's lists
// should show by some time. While the account is paused the vendor cannot be asked, or
// lists nothing new: the window begins again when that is over.
func (s *step) windowLeft(until time.Time) (time.Duration, error) {
	state, err := s.w.limiter.State(s.ctx, s.acct.Name)
	if err != nil {
		return 0, err
	}
	if state.Reason != limiter.Active && !state.Trial {
		return s.uncertainWindow(), nil
	}
	if state.Resumed.After(s.rec.SentAt) {
		if again := state.Resumed.Add(s.uncertainWindow()); again.After(until) {
			until = again
		}
	}
	return until.Sub(s.now()), nil
}

// undecided reports whether a search that found nothing is repeated: the window lasts, or
// the search did not see all that the vendor lists. That is tried for a second window.
func (s *step) undecided(seen sighting, left time.Duration) bool {
	return left > 0 || !seen.whole && left > -s.uncertainWindow()
}

// unseen ends an extraction of which a submission may be among what the vendor lists and
// does not let anyone see. It is not submitted again, whatever on_uncertain says.
func (s *step) unseen() error {
	return s.fail(extraction.StatusError, extraction.NewFailure(extraction.CodeSubmitUncertain,
		"the answer to the submission was lost, and the vendor's list could not be looked through; it may have been charged", nil),
		new(store.Change).Polls(s.rec.Polls))
}

// lookUp searches once, and decides when the window is over.
func (s *step) lookUp() error {
	left, err := s.windowLeft(s.rec.UncertainUntil)
	if err != nil {
		return err
	}
	seen, ok, err := s.search(s.rec.ID, s.rec.SentAt)
	if !ok || err != nil {
		return s.searchFails(err)
	}
	switch {
	case seen.vendorID != "":
		s.noted(intake.Begun{VendorID: seen.vendorID, SubmittedAt: s.rec.SentAt})
		return s.again(extraction.StepPoll, 0, extraction.BecauseScheduled, new(store.Change).TroubleOver(s.now()).
			Phase(store.PhaseNone).Vendor(seen.vendorID).SubmittedAt(s.rec.SentAt).Polls(s.rec.Polls).
			Uncertain(time.Time{}).SubmitErrors(0, time.Time{}))
	case s.undecided(seen, left):
		wait := s.lookAgain(s.rec.SentAt, s.rec.UncertainUntil.Sub(s.rec.SentAt))
		return s.again(extraction.StepSubmit, wait, extraction.BecauseRetry,
			new(store.Change).Polls(s.rec.Polls).
				Trouble(s.searching("the answer to the submission was lost, and the vendor does not list it yet", s.rec.UncertainUntil)))
	case !seen.whole:
		return s.unseen()
	case s.acct.Resubmit:
		if err := s.unwitnessed(); err != nil {
			return s.storeFails(err, extraction.StepSubmit, new(store.Change).Polls(s.rec.Polls))
		}
		s.noted(intake.Begun{})
		return s.again(extraction.StepSubmit, 0, extraction.BecauseRetry, new(store.Change).
			Phase(store.PhaseNone).Polls(s.rec.Polls).Uncertain(time.Time{}).SentAt(time.Time{}))
	}
	return s.fail(extraction.StatusError, extraction.NewFailure(extraction.CodeSubmitUncertain,
		"the answer to the submission was lost and the vendor does not list it; it may have been charged", nil),
		new(store.Change).Phase(store.PhaseNone).Polls(s.rec.Polls))
}

// searchFails goes on after a search that has no answer: it was rescheduled by the
// limiter where err is nil. While the vendor cannot be asked, nothing is decided.
func (s *step) searchFails(err error) error {
	if _, vendors := errors.AsType[*extraction.Error](err); err == nil || !vendors {
		return err
	}
	return s.trouble(err, limiter.OpReady, new(store.Change).Polls(s.rec.Polls))
}

// skew is how much older than the submission a listed extraction may claim to
// be: the vendor's clock is not ours.
const skew = 5 * time.Minute

// maxPages bounds one search: a list longer than ten thousand entries, or one
// whose cursors run in a circle, is not read to its end.
const maxPages = 100

// sighting is what a search came to: the vendor's id, where it is listed, or else whether
// the search saw all that is listed and may be what it looks for. One that did not has not
// found that there is nothing.
type sighting struct {
	vendorID string
	whole    bool
}

// search looks through the vendor's ready list for what was submitted under a
// token since some time. What it finds of other uncertain extractions it gives to
// them. ok is false when the limiter has rescheduled the step.
func (s *step) search(token string, since time.Time) (seen sighting, ok bool, err error) {
	// Another step may have come across it when no record took it.
	if stray, err := s.w.records.Stray(s.ctx, s.acct.Name, token); err != nil || stray != "" {
		return sighting{vendorID: stray}, true, err
	}
	seen.whole = true
	q := extraction.ReadyQuery{Customer: s.rec.Customer, Since: since.Add(-skew)}
	for range maxPages {
		if ok, err := s.admit(limiter.OpReady); !ok || err != nil {
			return seen, ok, err
		}
		ctx, cancel := s.calling()
		page, err := s.acct.Provider.Ready(ctx, q)
		cancel()
		if err != nil {
			return seen, true, err
		}
		names := map[string]string{}
		ids := make([]string, 0, len(page.Items))
		for _, item := range page.Items {
			names[item.VendorID] = item.Name
			ids = append(ids, item.VendorID)
		}
		unknown, err := s.w.records.Unknown(s.ctx, s.acct.Name, ids)
		if err != nil {
			return seen, true, err
		}
		for _, vendorID := range unknown {
			name := names[vendorID]
			if name == "" && !s.acct.Provider.Traits().ReadyHasNames {
				var known bool
				if name, known, ok, err = s.nameOf(vendorID); !ok || err != nil {
					return seen, ok, err
				}
				if !known { // Asked again by the next search.
					first, err := s.w.records.NoteUnnamed(s.ctx, s.acct.Name, vendorID, s.now())
					if err != nil {
						return seen, true, err
					}
					// What was finished before this submission was sent cannot be it.
					seen.whole = seen.whole && first.Before(since)
					continue
				}
			}
			of := extraction.TokenID(name)
			if of == token {
				return sighting{vendorID: vendorID}, true, nil
			}
			if err := s.give(vendorID, of); err != nil {
				return seen, true, err
			}
		}
		if page.NextCursor == "" {
			return seen, true, nil
		}
		q.Cursor = page.NextCursor
	}
	return sighting{}, true, nil
}

// nameOf asks the vendor for the name of an extraction it lists without one.
// known is false where the answer settles nothing: a 404 although it is listed,
// trouble with this one, one that is not final, or one that failed and is not named
// (Typless names what it could extract from only). Trouble with the account is an error.
func (s *step) nameOf(vendorID string) (name string, known, ok bool, err error) {
	if ok, err := s.admit(limiter.OpPoll); !ok || err != nil {
		return "", false, ok, err
	}
	ctx, cancel := s.calling()
	defer cancel()
	out, err := s.acct.Provider.Poll(ctx, vendorID)
	if err != nil {
		switch extraction.KindOf(err) {
		case extraction.KindUnauthorized, extraction.KindForbidden, extraction.KindQuota, extraction.KindRateLimited:
			return "", false, true, err
		case extraction.KindNotFound, extraction.KindTransient, extraction.KindRejected,
			extraction.KindUploadGone, extraction.KindTooLarge:
		}
		return "", false, true, nil
	}
	return out.Name, out.Status == extraction.StatusSuccess || out.Status.Final() && out.Name != "", true, nil
}

// give hands a listed vendor id to the extraction its token names, if that one has
// none: it arrived after all. Anything else is noted, under its token if it has one.
func (s *step) give(vendorID, token string) error {
	if token != "" {
		other, err := s.w.records.Get(s.ctx, s.acct.Name, token)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return err
		case other.VendorID != "" && other.VendorID != vendorID:
			if err := s.duplicate(other, vendorID); err != nil {
				return err
			}
		case other.Phase == store.PhaseSent, other.Phase == store.PhaseSending:
			return nil // Its own answer may still come.
		case other.Phase != store.PhaseRecheck:
			return s.w.resolve(s.ctx, other, vendorID)
		}
	}
	return s.w.records.NoteForeign(s.ctx, s.acct.Name, vendorID, token)
}

// duplicate says that the vendor has a document under a second id.
func (s *step) duplicate(r store.Record, vendorID string) error {
	s.w.log.ErrorContext(s.ctx, "the vendor has a document under a second id, and may charge for both",
		slog.String("extraction_id", r.ID), slog.String("account", s.acct.Name),
		slog.String("vendor_id", r.VendorID), slog.String("second_vendor_id", vendorID))
	if s.w.cfg.Duplicate != nil {
		s.w.cfg.Duplicate(s.acct.Name)
	}
	return s.w.limiter.Trouble(s.ctx, s.acct.Name, string(extraction.CodeSubmitUncertain),
		fmt.Sprintf("the vendor has extraction %s as %s and as %s, and may charge for both", r.ID, r.VendorID, vendorID))
}

// resolve gives a vendor id to an extraction that has none.
func (w *Worker) resolve(ctx context.Context, r store.Record, vendorID string) error {
	at, err := w.records.Resolve(ctx, r.Input, store.NewToken(), vendorID)
	if err != nil {
		return nothingToDo(err)
	}
	w.noted(ctx, r.ID, intake.Begun{VendorID: vendorID, SubmittedAt: r.SentAt})
	return w.queue.Schedule(ctx, r, extraction.StepPoll, at)
}
