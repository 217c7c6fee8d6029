package worker

import "testing"

// A delete that died in the middle leaves events: they go with the hourly
// clean-up, and no others do.
func TestExpireForgetsEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	w := r.worker()
	gone, kept := r.submit("x"), r.submit("y")
	if _, err := r.client.Delete(t.Context(), "acme", gone); err != nil {
		t.Fatal(err)
	}
	w.expireUnreferenced(t.Context())
	events, err := r.records.Events(t.Context(), "acme", "0-0", 100)
	if err != nil || len(events) != 1 || events[0].ID != kept {
		t.Errorf("the events are %v, %v, want one of %s", events, err, kept)
	}
}
