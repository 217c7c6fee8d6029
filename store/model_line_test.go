package store

import (
	"cmp"
	"slices"
	"strings"

	"github.com/extractq/extractq/extraction"
)

// modelLine is the line of the model: what waits for its turn, and whose turn is when.
type modelLine struct {
	at      map[string]bool  // CLASS CUSTOMER/ID of what stands.
	turns   map[string]int64 // The next turn of each CLASS CUSTOMER/.
	present map[string]int64 // The present turn of each class.
	window  *Window          // How much may be under way; nil before a worker has said so.
	paused  string
	trial   bool // One submission may be tried in spite of the pause.
	store   bool // The document store is in trouble.
}

func (d *doc) place() string {
	if d.bulk {
		return "b" + d.customer + "/"
	}
	return "n" + d.customer + "/"
}

func (l *modelLine) has(d *doc) bool { return l.at[d.place()+d.id] }

// crowded reports whether any waits for its turn.
func (l *modelLine) crowded() bool { return len(l.at) > 0 }

// stand puts an extraction into the line. A customer who is new there has the turn after
// the present one.
func (l *modelLine) stand(d *doc) {
	class := d.place()[:1]
	turn, ok := l.present[class]
	if !ok && class == "b" {
		turn = 1 << 51 // Bulk has its turns after all normal ones.
	}
	if _, ok := l.turns[d.place()]; !ok {
		l.turns[d.place()] = turn + 1
	}
	l.at[d.place()+d.id] = true
	d.look, d.released = 0, false
}

func (l *modelLine) quit(d *doc) {
	if l.has(d) {
		delete(l.at, d.place()+d.id)
		if l.head(d.place()) == "" {
			delete(l.turns, d.place())
		}
	}
}

// head is the id of the first of a customer; empty for none.
func (l *modelLine) head(place string) string {
	first := ""
	for member := range l.at {
		if id, ok := strings.CutPrefix(member, place); ok && (first == "" || id < first) {
			first = id
		}
	}
	return first
}

func (m *model) barred() string {
	released, held := 0, 0
	for _, d := range m.docs {
		if d.released {
			released++
		}
		if d.released && d.releasedAt > 0 {
			held++
		}
		if d.slot != 0 {
			held++
		}
	}
	l := m.line
	switch {
	case l.paused != "" && (!l.trial || released > 0):
		return "account_paused"
	case l.store:
		return "store"
	case l.window == nil:
		return "scheduled"
	case held >= l.window.InFlight:
		return "in_flight"
	case released >= l.window.Released:
		return string(cmp.Or(l.window.Because, extraction.BecauseScheduled))
	}
	return ""
}

func (m *model) release(limit int) []string {
	var let []string
	for len(let) < limit && len(m.line.turns) > 0 && m.barred() == "" {
		places := make([]string, 0, len(m.line.turns))
		for place := range m.line.turns {
			places = append(places, place)
		}
		place := slices.MinFunc(places, func(a, b string) int {
			return cmp.Or(cmp.Compare(m.line.turns[a], m.line.turns[b]), strings.Compare(a, b))
		})
		turn := m.line.turns[place]
		d := m.docs[m.line.head(place)]
		delete(m.line.at, place+d.id)
		d.released, d.releasedAt, d.due, d.look, d.because = true, m.now, m.now, m.now+grace.Milliseconds(), "scheduled"
		m.line.present[place[:1]] = turn
		let = append(let, d.id)
		if m.line.turns[place] = turn + 1; m.line.head(place) == "" {
			delete(m.line.turns, place)
		}
	}
	return let
}
