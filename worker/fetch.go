package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// The stored result of a SUCCESS may be damaged or gone. A retry then makes one more poll
// due, which gets it from the vendor again. The extraction has ended all the same: nothing
// is submitted, learned or counted, and whatever comes of it, it stays SUCCESS. To give up
// therefore costs nothing: the next retry asks again.

// fetchAgain is when a vendor is asked again that says it has not finished.
const fetchAgain = 15 * time.Second

// fetch asks the vendor for the result once more.
func (s *step) fetch() error {
	ok, err := s.admit(limiter.OpPoll)
	if !ok || err != nil {
		return err
	}
	out, err := s.ask()
	c := new(store.Change).Polls(s.rec.Polls)
	switch {
	case err != nil && extraction.KindOf(err) == extraction.KindNotFound:
		return s.unfetched("the vendor no longer knows the extraction: "+extraction.Explain(err), c)
	case err != nil:
		return s.trouble(err, limiter.OpPoll, c)
	}
	defer s.worked()
	s.works(limiter.OpPoll, c)
	switch {
	case out.Status == extraction.StatusSuccess:
		return s.success(out, c.VendorStatus(out.VendorStatus).PollErrors(0).FailingSince(time.Time{}).
			MissingSince(time.Time{}).TroubleOver(s.now()))
	case out.Status.Final():
		return s.unfetched("the vendor now says "+store.Label(out.VendorStatus), c)
	}
	since := s.rec.MissingSince
	if since.IsZero() {
		since = s.now()
		c.MissingSince(since)
	}
	const why = "the vendor now says that it has not finished"
	if s.now().Sub(since) >= missingLimit {
		return s.unfetched(why, c)
	}
	return s.again(extraction.StepPoll, fetchAgain, extraction.BecauseRetry, c.Trouble(s.missed(why)))
}

// missed says in the record why the result is not fetched.
func (s *step) missed(why string) extraction.Trouble {
	return extraction.Trouble{
		Code: extraction.CodeResultUnavailable, Message: "the result is not fetched again: " + why,
		At: extraction.Time{Time: s.now()},
	}
}

// unfetched gives up the fetching of a result.
func (s *step) unfetched(why string, c *store.Change) error {
	ctx, cancel := s.saving()
	defer cancel()
	if err := s.finish(ctx, s.rec.Status, c.Trouble(s.missed(why))); err != nil {
		return s.lost(err)
	}
	s.w.log.ErrorContext(ctx, "result not fetched again", slog.String("extraction_id", s.rec.ID),
		slog.String("account", s.acct.Name), slog.String("vendor_id", s.rec.VendorID))
	s.fetched(ctx, "result not fetched")
	return nil
}

// fetched ends a step that fetched a result, or gave it up: a delivery that has waited for
// it is due.
func (s *step) fetched(ctx context.Context, outcome string) {
	s.ended, s.outcome = true, outcome
	if s.rec.CallbackURL == "" {
		return
	}
	r, err := s.w.records.Get(ctx, s.acct.Name, s.rec.ID)
	if err == nil && r.Step == extraction.StepDeliver {
		err = s.w.queue.Deliver(ctx, r, store.Scheduled{Seq: r.Deliveries.Number, Due: r.Due, Now: r.Due})
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) { // Reconcile makes its task.
		s.w.log.WarnContext(ctx, "delivery not enqueued", slog.String("extraction_id", s.rec.ID), slog.Any("error", err))
	}
}
