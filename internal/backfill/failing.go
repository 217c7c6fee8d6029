package backfill

import (
	"fmt"
	"time"

	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// failingPolls says for which documents all polls fail: at the first failure that is seen, and
// each minute while that lasts. It is for one goroutine.
type failingPolls struct {
	by   map[string]failing // By extraction id.
	said time.Time
}

// failing is one document whose last polls all failed.
type failing struct {
	name, why string
	polls     int
}

// note notes a record that is not final, as it was just read.
func (f *failingPolls) note(r store.Record, name string) {
	if r.PollErrors == 0 || r.Trouble == nil {
		delete(f.by, r.ID)
		return
	}
	if f.by == nil {
		f.by = map[string]failing{}
	}
	f.by[r.ID] = failing{name, r.Trouble.Message, r.PollErrors}
}

// forget drops an extraction that has ended.
func (f *failingPolls) forget(id string) {
	delete(f.by, id)
}

// text names the document with the most failed polls, and counts the others; empty if there
// is none.
func (f *failingPolls) text() string {
	var most failing
	for _, one := range f.by {
		if one.polls > most.polls || one.polls == most.polls && one.name < most.name {
			most = one
		}
	}
	if most.polls == 0 {
		return ""
	}
	times := "once"
	if most.polls > 1 {
		times = fmt.Sprintf("%d times", most.polls)
	}
	text := fmt.Sprintf("%s: asked %s: %s", most.name, times, most.why)
	if others := len(f.by) - 1; others > 0 {
		text += fmt.Sprintf(" (and %d more like it)", others)
	}
	return render.Escape(text)
}

// due returns the line that is due; empty if none is.
func (f *failingPolls) due(now time.Time) string {
	text := f.text()
	if text == "" || !f.said.IsZero() && now.Sub(f.said) < repeatEvery {
		return ""
	}
	f.said = now
	return text
}
