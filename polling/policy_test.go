package polling

import (
	"fmt"
	"testing"
	"time"

	"github.com/extractq/extractq/polling/plan"
)

// Lists are read where many finish at once, less often where few do, and not forever
// after that; a list that shows nothing is given up.
func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	busy := plan.Outlook{InWindow: 200, Steady: 14, Soon: 8, Alone: 5.3, Window: 34 * time.Second}
	idle := plan.Outlook{InWindow: 1, Steady: 0.07, Soon: 0.07, Alone: 5.3, Window: 34 * time.Second}
	trusted := ReadyList{Every: time.Second, Trusted: true, TrustedSince: now.Add(-time.Minute)}
	for _, tt := range []struct {
		name             string
		old              ReadyList
		o                plan.Outlook
		requests, missed float64
		want             ReadyList
	}{
		{"many at once", ReadyList{}, busy, 1, 0.05, ReadyList{Every: time.Second, Trusted: true, TrustedSince: now}},
		{"still many", trusted, busy, 1, 0.05, trusted},
		{"one", ReadyList{}, idle, 1, 0.05, ReadyList{}},
		{"only one left", trusted, idle, 1, 0.05, ReadyList{Every: 5 * time.Second, Until: now.Add(34 * time.Second)}},
		{
			"and it has time",
			ReadyList{Every: time.Second, Until: now.Add(time.Second)},
			idle, 1, 0.05,
			ReadyList{Every: 5 * time.Second, Until: now.Add(time.Second)},
		},
		{"and none any more", ReadyList{Every: time.Second, Until: now}, idle, 1, 0.05, ReadyList{}},
		{"nothing in flight", trusted, plan.Outlook{}, 1, 0.05, ReadyList{}},
		{"a list of 143 pages", ReadyList{}, busy, 143, 0.05, ReadyList{}},
		{"a list that shows nothing", ReadyList{}, busy, 1, 1, ReadyList{Every: probationEvery}},
		{"and is three pages long", ReadyList{Every: probationEvery}, busy, 3, 1, ReadyList{Every: 3 * probationEvery}},
		{"or would not pay anyway", ReadyList{Every: probationEvery}, idle, 1, 1, ReadyList{}},
	} {
		got := decide(tt.old, tt.o, decision{price: time.Second, requests: tt.requests, missed: tt.missed, refusedFor: time.Hour}, now)
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// The worker that decided to read the lists may have died with all others: polls are then
// planned as if there were none.
func TestReadyListDies(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := ReadyList{Every: time.Second, Trusted: true, TrustedSince: now.Add(-time.Hour), ReadAt: now.Add(-5 * time.Second), Now: now}
	if !l.Alive() {
		t.Error("read five seconds ago, and dead")
	}
	l.ReadAt = now.Add(-time.Minute)
	if l.Alive() {
		t.Error("not read for a minute, and alive")
	}
	l.TrustedSince = now
	if !l.Alive() {
		t.Error("just decided, and dead")
	}
}
