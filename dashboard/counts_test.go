package dashboard

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What an operator sees adds up at every moment: as many extractions have a task
// as were submitted and are not over, while they are submitted, polled again and
// again, and finished. A step makes the next task before its own ends, so for an
// instant one extraction may have two tasks, as many as steps run at once.
func TestCountsAddUp(t *testing.T) {
	t.Parallel()
	const documents = 200
	s := newService(t, time.Millisecond)
	s.submit(documents)
	whole := s.snapshot().all()
	if len(whole) != documents {
		t.Fatalf("%d extractions have a task, want %d", len(whole), documents)
	}
	looks, most := 0, 0
	deadline := time.Now().Add(2 * time.Minute)
	look := func() snapshot {
		got := s.snapshot()
		looks++
		if all := got.all(); !maps.Equal(whole, all) {
			t.Fatalf("look %d: the extractions that have a task (-want +got):\n%s", looks, cmp.Diff(whole, all))
		}
		most = max(most, got.waiting()-len(got.inFlight))
		if n := got.tasks["retry"] + got.tasks["archived"]; n > 0 {
			t.Fatalf("look %d: %d tasks have failed: %v", looks, n, got.tasks)
		}
		if time.Now().After(deadline) {
			t.Fatalf("not over in time: %v", got.tasks)
		}
		return got
	}
	for s.vendor.polls.Load() < 2*documents {
		if got := look(); len(got.completed) > 0 {
			t.Fatalf("look %d: %d are completed, and the vendor has finished none", looks, len(got.completed))
		}
	}
	s.vendor.finish.Store(true)
	for len(look().inFlight) > 0 { // Each look checks.
	}
	last := s.snapshot()
	if last.waiting() != 0 || len(last.completed) != documents || last.tasks["completed"] != documents {
		t.Errorf("at the end: %v", last.tasks)
	}
	if most > slots {
		t.Errorf("%d extractions had two tasks at once, want at most %d", most, slots)
	}
	t.Logf("%d looks during %d polls; at most %d extractions had two tasks at once", looks, s.vendor.polls.Load(), most)
}
