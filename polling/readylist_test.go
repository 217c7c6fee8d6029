package polling

import (
	"testing"
	"time"
)

// Redis's clock may go back, as where a replica takes over: the lists are read all the
// same, and no poll relies on a reading that is still to come.
func TestReadyListWhenTheClockGoesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ahead := time.Now().Add(time.Hour)
	if err := r.rdb.HSet(t.Context(), readyListKey("acme"), "at", ahead.UnixMilli()).Err(); err != nil {
		t.Fatal(err)
	}
	if mine, err := r.s.ClaimReadyList(t.Context(), "acme", time.Second); err != nil || !mine {
		t.Errorf("the lists are to be read: %v, %v", mine, err)
	}
	if mine, err := r.s.ClaimReadyList(t.Context(), "acme", time.Minute); err != nil || mine {
		t.Errorf("at once again: %v, %v", mine, err)
	}
	if l := (ReadyList{Every: time.Second, Trusted: true, ReadAt: ahead, Now: time.Now()}); l.Alive() {
		t.Errorf("%+v is relied on", l)
	}
}
