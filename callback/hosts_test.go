package callback

import (
	"strconv"
	"testing"
	"time"
)

// Those that are too many come back one after the other, as fast as the host
// has been, whenever they came.
func TestTurns(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_767_225_600, 0)
	hs := newHosts(2, func() time.Time { return now })
	// The host takes 8 s for each of 100 attempts; the guess has worn off then.
	for range 100 {
		done, _ := hs.enter("h")
		now = now.Add(8 * time.Second)
		done()
	}
	first, _ := hs.enter("h")
	second, _ := hs.enter("h")
	begun := now
	var turns []time.Duration
	for range 5 {
		done, wait := hs.enter("h")
		if done != nil {
			t.Fatal("a third slot of two")
		}
		turns = append(turns, now.Add(wait).Sub(begun))
		now = now.Add(time.Millisecond)
	}
	if turns[0] != minDelay {
		t.Errorf("the first is sent away for %s, want %s", turns[0], minDelay)
	}
	for i, turn := range turns[1:] {
		if apart := turn - turns[i]; apart < 3900*time.Millisecond || apart > 4*time.Second {
			t.Errorf("turns %v: %s apart, want 4 s", turns, apart)
		}
	}
	for range 200 {
		if _, wait := hs.enter("h"); wait < minDelay || wait > maxDelay {
			t.Fatalf("sent away for %s", wait)
		}
	}
	second()
	if done, _ := hs.enter("h"); done == nil {
		t.Error("no slot though one was given back")
	}
	first()
	if done, _ := hs.enter("other"); done == nil {
		t.Error("no slot of another host")
	}
}

// Hosts are forgotten, but never one whose slots are taken.
func TestHostsAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_767_225_600, 0)
	hs := newHosts(1, func() time.Time { return now })
	kept, _ := hs.enter("kept")
	for i := range 10 * manyHosts {
		done, _ := hs.enter(strconv.Itoa(i))
		done()
	}
	if n := len(hs.byID); n > manyHosts {
		t.Errorf("%d hosts are known", n)
	}
	if done, _ := hs.enter("kept"); done != nil {
		t.Error("a second slot of a host with one")
	}
	kept()
}
