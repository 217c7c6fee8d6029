package engine

import (
	"slices"
	"sort"
	"time"

	"github.com/extractq/extractq/sandbox/internal/reader"
)

// State is where an extraction stands.
type State int

// The states, in the order an extraction goes through them; Done and Failed are
// alternatives.
const (
	// Waiting has no document yet, or has one that the vendor has not noticed yet.
	Waiting State = iota
	// Processing is under way.
	Processing
	// Done has a result.
	Done
	// Failed has a reason.
	Failed
	// Expired had one or the other.
	Expired
)

// Extraction is one extraction as of the moment of the request.
type Extraction[M any] struct {
	ID      string
	Meta    M
	State   State
	Created time.Time
	// Received is when the document came, Started when processing began and
	// Finished when it ended; zero before.
	Received, Started, Finished time.Time
	// Document is what was read, in state Done.
	Document *reader.Document
	// Failure is the reason, in state Failed.
	Failure string
}

// view is r at the time now. The caller holds the lock.
func (e *Engine[M]) view(r *record[M], now time.Time) Extraction[M] {
	x := Extraction[M]{ID: r.id, Meta: r.meta, Created: r.created, State: e.state(r, now)}
	if r.finish.IsZero() {
		return x
	}
	x.Received = r.received
	if x.State >= Processing {
		x.Started = r.started
	}
	if x.State >= Done {
		x.Finished = r.finish
	}
	if x.State == Done {
		x.Document = r.text.doc
	}
	if x.State == Failed {
		x.Failure = r.failure
	}
	return x
}

func (e *Engine[M]) state(r *record[M], now time.Time) State {
	switch {
	case r.finish.IsZero() || now.Before(r.started):
		return Waiting
	case now.Before(r.finish):
		return Processing
	case r.lost:
		return Expired
	case e.cfg.Expiry > 0 && !now.Before(r.finish.Add(e.cfg.Expiry)):
		return Expired
	case r.failure != "":
		return Failed
	}
	return Done
}

// Get is one extraction.
func (e *Engine[M]) Get(id string) (Extraction[M], bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.byID[id]
	if !ok {
		return Extraction[M]{}, false
	}
	return e.view(r, e.cfg.Now()), true
}

// Peek is one extraction whose document was received, as it will be when it is
// finished, in state Done or Failed.
func (e *Engine[M]) Peek(id string) (Extraction[M], bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.byID[id]
	if !ok || r.finish.IsZero() {
		return Extraction[M]{}, false
	}
	x := e.view(r, r.finish)
	x.State, x.Failure = Done, r.failure
	if r.failure != "" {
		x.State = Failed
	} else {
		x.Document = r.text.doc
	}
	return x, true
}

// Hide takes an extraction out of Finished.
func (e *Engine[M]) Hide(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r, ok := e.byID[id]; ok {
		r.hidden = true
	}
}

// Finished lists what is Done or Failed and not hidden, in the order of
// registration.
func (e *Engine[M]) Finished(keep func(M) bool) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Now()
	ids := []string{}
	for _, r := range e.order {
		if s := e.state(r, now); (s == Done || s == Failed) && !r.hidden && keep(r.meta) {
			ids = append(ids, r.id)
		}
	}
	return ids
}

// Cursor is a place in the list of all extractions.
type Cursor struct {
	ID      string
	Created time.Time
}

// Newest lists extractions from the newest to the oldest, beginning after the
// cursor (nil: at the newest), until limit were kept or one was created before
// since. more tells whether another page may have some.
func (e *Engine[M]) Newest(after *Cursor, since time.Time, limit int, keep func(Extraction[M]) bool) (page []Extraction[M], more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Now()
	for _, r := range slices.Backward(e.order[:e.position(after)]) {
		if r.created.Before(since) {
			return page, false
		}
		x := e.view(r, now)
		if !keep(x) {
			continue
		}
		if len(page) == limit {
			return page, true
		}
		page = append(page, x)
	}
	return page, false
}

// position is the index in order before which a page that begins after the
// cursor ends. An extraction that was forgotten meanwhile leaves its time.
func (e *Engine[M]) position(after *Cursor) int {
	if after == nil {
		return len(e.order)
	}
	if r, ok := e.byID[after.ID]; ok {
		return sort.Search(len(e.order), func(i int) bool { return e.order[i].seq >= r.seq })
	}
	return sort.Search(len(e.order), func(i int) bool { return !e.order[i].created.Before(after.Created) })
}
