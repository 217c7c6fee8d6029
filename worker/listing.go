package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/extractq/extractq/polling/plan"
	"github.com/extractq/extractq/store"
)

const (
	// listMissed is what is believed of the share of ends that the lists do not show in
	// time, before any is known.
	listMissed = 0.05
	// listChance is how many ends may be missed before any is shown, and count as chance.
	listChance = 5
	// trialEvery is how often lists are read, at most, that have not shown what had
	// finished: six requests an hour are what it costs to learn that they do again.
	trialEvery = 10 * time.Minute
)

// look sums up what is in flight.
func (w *Worker) look(ctx context.Context, a *account) (plan.Outlook, error) {
	running, each, err := w.records.Running(ctx, a.Name)
	if err != nil || len(running) == 0 {
		return plan.Outlook{}, err
	}
	var ages []plan.Running
	for _, r := range running {
		ages = append(ages, plan.Running{Age: r.Age.Seconds(), Weight: each})
	}
	return w.forecast(ctx, a, "").law.Outlook(ages, a.PollPrice), nil
}

// tendListing decides whether and how often the ready lists are read.
func (w *Worker) tendListing(ctx context.Context, a *account, now time.Time) error {
	old, err := w.records.Listing(ctx, a.Name)
	if err != nil {
		return err
	}
	next := store.Listing{}
	if a.Sweep {
		o, err := w.look(ctx, a)
		if err != nil {
			return err
		}
		all, _, err := w.records.Latencies(ctx, a.Name, "")
		if err != nil {
			return err
		}
		next = decide(old, o, a.PollPrice, max(old.Requests, 1), missedByLists(all), now)
	}
	if next.Every == old.Every && next.Trusted == old.Trusted && next.Until.Equal(old.Until) {
		return nil
	}
	return w.records.SetListing(ctx, a.Name, next)
}

// missedByLists is the share of ends that the lists do not show in time.
func missedByLists(l store.Latency) float64 {
	if l.ListMissed >= 1 && l.ListEnds < listChance { // Not known yet.
		return listMissed
	}
	return l.ListMissed
}

// decide is what the planner decides, with the moment since when polls rely on it.
func decide(old store.Listing, o plan.Outlook, price time.Duration, requests, missed float64, now time.Time) store.Listing {
	was := plan.Listing{Every: old.Every, Trusted: old.Trusted, Until: old.Until}
	is := o.Listing(was, price, requests, missed, now)
	if old.Refused {
		is = plan.Listing{}
	}
	next := store.Listing{Every: is.Every, Trusted: is.Trusted, Until: is.Until.Truncate(time.Millisecond)}
	switch {
	case is.Trusted && old.Trusted:
		next.On = old.On
	case is.Trusted:
		next.On = now.Truncate(time.Millisecond)
	case is.Every == 0 && (old.Refused || missed > listMissed):
		// Nothing would ever be learned of lists that are not read. They are worth a
		// trial where they would pay if they were right.
		if o.Listing(plan.Listing{}, price, requests, listMissed, now).Trusted {
			next.Every = trialGap(old.Refused, requests)
		}
	}
	return next
}

// trialGap is the time between two trials of lists that take so many requests.
func trialGap(refused bool, requests float64) time.Duration {
	if refused {
		return forbiddenDelay // That is one request, however long the list.
	}
	return seconds(trialEvery.Seconds() * requests).Round(time.Second)
}

// listRefused switches the lists off for all workers, because the vendor does not let the
// key read them, and says so once.
func (w *Worker) listRefused(ctx context.Context, a *account, cause error) error {
	fresh, err := w.records.RefuseListing(ctx, a.Name)
	if err != nil || !fresh {
		return err
	}
	w.log.WarnContext(ctx, "ready list refused", slog.String("account", a.Name), slog.Any("error", cause))
	return w.limiter.Trouble(ctx, a.Name, string(troubleCode(cause)), cause.Error())
}

// missedOnTrial says whether the lists were read after an extraction had ended and
// before anybody asked for it: it was not on them then.
func (s *step) missedOnTrial(ctx context.Context, ended time.Time) store.Told {
	l, err := s.w.records.Listing(ctx, s.acct.Name)
	if err != nil || l.At.Before(ended.Add(toldWithin)) || l.At.Sub(s.rec.SubmittedAt) > s.forecast.tried {
		return store.ToldUnknown
	}
	return store.ToldNot
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
