package worker

import (
	"testing"

	"github.com/extractq/extractq/store"
)

// A worker that is there for its own documents only is seen while it works, is never one
// that producers learn of, and leaves nothing behind: neither when it ends, nor, once
// another worker looks, where it was killed.
func TestVisit(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	visitor := r.cfg.Accounts[0]
	visitor.Registration, visitor.Visit = store.Registration{Provider: "fake"}, true
	r.cfg.Accounts = []Account{visitor}
	id := r.submit("x")
	known := func() bool {
		_, ok, err := r.records.Known(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	stop := r.run(r.worker())
	r.final(id)
	served, err := r.limiter.Served(t.Context(), "acme")
	if err != nil || !served || !known() {
		t.Errorf("while it works: served %v, known %v, %v", served, known(), err)
	}
	if got, ok, err := r.records.Registration(t.Context(), "acme"); err != nil || ok {
		t.Errorf("producers see %+v, %v", got, err)
	}
	stop()
	served, err = r.limiter.Served(t.Context(), "acme")
	if err != nil || served || known() {
		t.Errorf("after its end: served %v, known %v, %v", served, known(), err)
	}

	if err := r.records.Visit(t.Context(), "acme", visitor.Registration); err != nil { // By one that was killed.
		t.Fatal(err)
	}
	other := visitor
	other.Name, other.Visit = "other", false
	r.cfg.Accounts = []Account{other}
	r.tick(r.worker(), "acme")
	if known() {
		t.Error("the visit of one that was killed is still known")
	}
}
