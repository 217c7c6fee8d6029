package worker

import (
	"context"
	"time"

	"github.com/extractq/extractq/planner"
	"github.com/extractq/extractq/store"
)

// listMissed is what is believed of the share of ends that the lists do not show in
// time, while nobody knows.
const listMissed = 0.05

// look sums up what is in flight.
func (w *Worker) look(ctx context.Context, a *account) (planner.Outlook, error) {
	running, each, err := w.records.Running(ctx, a.Name)
	if err != nil || len(running) == 0 {
		return planner.Outlook{}, err
	}
	var ages []planner.Running
	for _, r := range running {
		ages = append(ages, planner.Running{Age: r.Age.Seconds(), Weight: each})
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
	if l.ListMissed >= 1 { // Nobody knows yet.
		return listMissed
	}
	return l.ListMissed
}

// decide is what the planner decides, with the moment since when polls rely on it.
func decide(old store.Listing, o planner.Outlook, price time.Duration, requests, missed float64, now time.Time) store.Listing {
	was := planner.Listing{Every: old.Every, Trusted: old.Trusted, Until: old.Until}
	is := o.Listing(was, price, requests, missed, now)
	next := store.Listing{Every: is.Every, Trusted: is.Trusted, Until: is.Until.Truncate(time.Millisecond)}
	switch {
	case is.Trusted && old.Trusted:
		next.On = old.On
	case is.Trusted:
		next.On = now.Truncate(time.Millisecond)
	}
	return next
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
