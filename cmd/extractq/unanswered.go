package main

import (
	"fmt"
	"time"

	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// unanswered says which documents the vendor only fails for when it is asked: at the
// first failure that is seen, and each minute while that lasts. Only one goroutine uses it.
type unanswered struct {
	by   map[string]failing // By extraction id.
	said time.Time
}

// failing is one document whose last polls all failed.
type failing struct {
	name, why string
	asked     int
}

// see notes a record that is not final, as it was just read.
func (u *unanswered) see(r store.Record, name string) {
	if r.PollErrors == 0 || r.Trouble == nil {
		delete(u.by, r.ID)
		return
	}
	if u.by == nil {
		u.by = map[string]failing{}
	}
	u.by[r.ID] = failing{name, r.Trouble.Message, r.PollErrors}
}

// forget drops an extraction that has ended.
func (u *unanswered) forget(id string) {
	delete(u.by, id)
}

// text names the document that was asked for most often in vain, and counts the others;
// empty where there is none.
func (u *unanswered) text() string {
	var most failing
	for _, f := range u.by {
		if f.asked > most.asked || f.asked == most.asked && f.name < most.name {
			most = f
		}
	}
	if most.asked == 0 {
		return ""
	}
	times := "once"
	if most.asked > 1 {
		times = fmt.Sprintf("%d times", most.asked)
	}
	text := fmt.Sprintf("%s: asked %s: %s", most.name, times, most.why)
	if others := len(u.by) - 1; others > 0 {
		text += fmt.Sprintf(" (and %d more like it)", others)
	}
	return render.Escape(text)
}

// look returns the line that is due, if any.
func (u *unanswered) look(now time.Time) string {
	text := u.text()
	if text == "" || !u.said.IsZero() && now.Sub(u.said) < heldAgain {
		return ""
	}
	u.said = now
	return text
}
