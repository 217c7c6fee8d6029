package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

// An extraction is queued until its submission begins, and again when it is sent
// back; it leaves no trace in the list of the queued once it goes on.
func TestLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	want := func(what string, queued, inFlight int64, oldest string) {
		t.Helper()
		got, err := r.s.Load(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		var at time.Time
		if oldest != "" {
			at = r.get(Fence{Input: Input{Account: "acme", ID: oldest}}).CreatedAt
		}
		if diff := cmp.Diff(Load{Queued: queued, Oldest: at, InFlight: inFlight}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	want("nothing", 0, 0, "")
	first := r.create()
	second := r.create()
	want("two queued", 2, 0, first.Input.ID)
	l := r.begin(first)
	want("one begun", 1, 1, second.Input.ID)
	back := r.next(l.Fence, extraction.StepSubmit, nil)
	want("it is sent back", 2, 0, first.Input.ID)
	r.next(r.begin(back).Fence, extraction.StepPoll, new(Change).Vendor("v1"))
	want("it is at the vendor", 1, 1, second.Input.ID)
	r.finished(extraction.StatusSuccess)
	want("another one has finished", 1, 1, second.Input.ID)
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if got, err := r.s.Accounts(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("Accounts of an empty Redis = %v, %v", got, err)
	}
	for _, account := range []string{"beta", "acme", "beta"} {
		in := testInput()
		in.Account = account
		if _, err := r.s.Create(t.Context(), in, Creation{Token: NewToken()}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.s.Accounts(t.Context())
	if diff := cmp.Diff([]string{"acme", "beta"}, got); err != nil || diff != "" {
		t.Errorf("Accounts, %v (-want +got):\n%s", err, diff)
	}
}
