package backfill

import (
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// TestFailingPolls says from the first failure on which document the vendor fails for, and
// again each minute; not what has been answered since, or has ended.
func TestFailingPolls(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	record := func(id string, failures int, why string) store.Record {
		return store.Record{Input: store.Input{ID: id}, PollErrors: failures, Trouble: &extraction.Trouble{Message: why}}
	}
	var u failingPolls
	at := func(second int, want string) {
		t.Helper()
		if got := u.due(begin.Add(time.Duration(second) * time.Second)); got != want {
			t.Errorf("after %d s: %q, want %q", second, got, want)
		}
	}
	u.note(record("1", 0, "over"), "good.pdf")
	at(0, "")
	u.note(record("2", 1, "poll: 400 Bad Request: page 3"), "odd.pdf")
	at(5, "odd.pdf: asked once: poll: 400 Bad Request: page 3")
	u.note(record("2", 6, "poll: 400 Bad Request: \x1b[31mpage 3"), "odd.pdf")
	u.note(record("3", 2, "poll: 500"), "other.pdf")
	at(64, "")
	at(65, "odd.pdf: asked 6 times: poll: 400 Bad Request: "+render.Escape("\x1b[31m")+"page 3 (and 1 more like it)")
	u.note(record("3", 0, "poll: 500"), "other.pdf")
	at(125, "odd.pdf: asked 6 times: poll: 400 Bad Request: "+render.Escape("\x1b[31m")+"page 3")
	u.forget("2")
	at(185, "")
	if got := u.text(); got != "" {
		t.Errorf("%q when all is well", got)
	}
}
