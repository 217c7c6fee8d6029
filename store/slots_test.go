package store

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Of many that claim a slot one gets it, for each account and duty; a script that is
// sent twice answers the same.
func TestClaimSlot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const forever = 1000 * time.Hour // No slot ends within the test.
	claim := func(account, duty string, every time.Duration) bool {
		got, err := r.s.ClaimSlot(t.Context(), account, duty, every)
		if err != nil {
			t.Error(err)
		}
		return got
	}
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if claim("acme", "repair", forever) {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d have the slot, want one", won.Load())
	}
	if !claim("beta", "repair", forever) || !claim("acme", "other", forever) || !claim("", "repair", forever) {
		t.Error("another account's slot, another duty's or that of all is taken")
	}
	ms := forever.Milliseconds()
	for range 2 {
		if got, err := slotScript.Run(t.Context(), r.rdb, []string{ticksKey}, "twice", ms, "token").Int(); err != nil || got != 1 {
			t.Errorf("the script says %d, %v to the token that won", got, err)
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for slots := 0; slots < 3; {
		if claim("acme", "short", 20*time.Millisecond) {
			slots++
		}
		if time.Now().After(deadline) {
			t.Fatal("no slot follows")
		}
	}
}
