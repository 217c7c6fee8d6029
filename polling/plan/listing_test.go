package plan

import (
	"testing"
	"time"
)

// However seldom an end was not known of so far, what stands behind webhooks and lists
// comes within a minute or two, not when the polls' longest gap is over.
func TestLeastMissed(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(float64) float64{
		"webhooks": Unnotified(1e-12, 1, 0), "lists": Unnotified(1, 1e-12, time.Hour), "both": Unnotified(1e-9, 1e-9, time.Hour),
	} {
		schedule := LawOf(func(t float64) float64 { return min(t/30, 1) }).Schedule(Terms{Unnotified: f})
		if first := schedule.After(0, 0); first > 2*time.Minute {
			t.Errorf("%s: the first poll comes after %v", name, first)
		}
	}
	if Unnotified(1, 0.5, 0) != nil {
		t.Error("without notifications a share is not polled")
	}
}

func TestEvery(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]time.Duration{100: time.Second, 2: time.Second, 0.5: 2 * time.Second, 0.02: 10 * time.Second, 0: mostListing} {
		if got := every(1, 1, rate); got != want {
			t.Errorf("at %v/s the list is read every %v, want %v", rate, got, want)
		}
	}
}
