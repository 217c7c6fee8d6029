package polling

import (
	"context"
	"time"

	"github.com/extractq/extractq/polling/plan"
)

const (
	// listMissed is the prior for the share of ends that ready lists do not show in time.
	listMissed = 0.05
	// listChance: up to this many misses before the first hit are taken as chance.
	listChance = 5
	// probationEvery is the shortest interval of readings on probation: six requests an
	// hour to learn whether the lists show again what has finished.
	probationEvery = 10 * time.Minute
)

// Window is the age up to which the ready lists are searched.
func (p *Planner) Window(ctx context.Context) time.Duration {
	return seconds(p.Forecast(ctx, "").law.Quantile(plan.WindowShare))
}

// DecideReadyList decides whether and how often the ready lists are read. refusedFor is how
// long lists are left alone after the vendor refused the key.
func (p *Planner) DecideReadyList(ctx context.Context, refusedFor time.Duration, now time.Time) error {
	old, err := p.store.ReadyList(ctx, p.cfg.Account)
	if err != nil {
		return err
	}
	next := ReadyList{}
	if p.cfg.ReadyLists {
		o, err := p.outlook(ctx)
		if err != nil {
			return err
		}
		all, _, err := p.store.Histories(ctx, p.cfg.Account, "")
		if err != nil {
			return err
		}
		next = decide(old, o, decision{p.cfg.Price, max(old.Requests, 1), missedByLists(all), refusedFor}, now)
	}
	if next.Every == old.Every && next.Trusted == old.Trusted && next.Until.Equal(old.Until) {
		return nil
	}
	return p.store.SetReadyList(ctx, p.cfg.Account, next)
}

// outlook summarises what is in flight.
func (p *Planner) outlook(ctx context.Context) (plan.Outlook, error) {
	running, each, err := p.records.Running(ctx, p.cfg.Account)
	if err != nil || len(running) == 0 {
		return plan.Outlook{}, err
	}
	var ages []plan.Running
	for _, r := range running {
		ages = append(ages, plan.Running{Age: r.Age.Seconds(), Weight: each})
	}
	return p.Forecast(ctx, "").law.Outlook(ages, p.cfg.Price), nil
}

// missedByLists is the share of ends that the lists do not show in time.
func missedByLists(h History) float64 {
	if h.ListMissed >= 1 && h.ListEnds < listChance { // Unknown so far.
		return listMissed
	}
	return h.ListMissed
}

// decision is what a decision about ready lists depends on, besides what is in flight.
type decision struct {
	price            time.Duration
	requests, missed float64 // Of one reading; of the ends.
	refusedFor       time.Duration
}

// decide applies the plan's decision and keeps the time since when polls rely on it.
func decide(old ReadyList, o plan.Outlook, d decision, now time.Time) ReadyList {
	is := o.Listing(plan.Listing{Every: old.Every, Trusted: old.Trusted, Until: old.Until}, d.price, d.requests, d.missed, now)
	if old.Refused {
		is = plan.Listing{}
	}
	next := ReadyList{Every: is.Every, Trusted: is.Trusted, Until: is.Until.Truncate(time.Millisecond)}
	switch {
	case is.Trusted && old.Trusted:
		next.TrustedSince = old.TrustedSince
	case is.Trusted:
		next.TrustedSince = now.Truncate(time.Millisecond)
	case is.Every == 0 && (old.Refused || d.missed > listMissed):
		// Lists that are not read teach nothing. They are put on probation where they would
		// pay off if they were complete.
		if o.Listing(plan.Listing{}, d.price, d.requests, listMissed, now).Trusted {
			next.Every = d.probationGap(old.Refused)
		}
	}
	return next
}

// probationGap is the interval of readings on probation. A refused reading is one request,
// however long the list.
func (d decision) probationGap(refused bool) time.Duration {
	if refused {
		return d.refusedFor
	}
	return seconds(probationEvery.Seconds() * d.requests).Round(time.Second)
}
