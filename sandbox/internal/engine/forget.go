package engine

import "time"

// forget drops the oldest extractions that are over when there are too many of
// them or their texts are too large. It goes 2 % below the bound, so that it
// looks through the list once in many calls. The caller holds the lock.
func (e *Engine[M]) forget(now time.Time) {
	tooMany := e.cfg.MaxRecords > 0 && len(e.order) > e.cfg.MaxRecords
	tooLarge := e.cfg.MaxBytes > 0 && e.bytes > e.cfg.MaxBytes
	if !tooMany && !tooLarge || len(e.order) <= e.crowded {
		return
	}
	records := e.cfg.MaxRecords - e.cfg.MaxRecords/50
	bytes := e.cfg.MaxBytes - e.cfg.MaxBytes/50
	left := len(e.order)
	kept := e.order[:0]
	for _, r := range e.order {
		needed := tooMany && left > records || tooLarge && e.bytes > bytes
		if needed && e.over(r, now) {
			e.release(r)
			delete(e.byID, r.id)
			left--
			continue
		}
		kept = append(kept, r)
	}
	clear(e.order[len(kept):])
	e.order = kept
	// What is left may all be under way. Then looking again after every further
	// one would take quadratic time.
	e.crowded = 0
	if tooMany && left > records || tooLarge && e.bytes > bytes {
		e.crowded = left + left/50
	}
}

// over reports that r can be forgotten: it is final, or its document never came.
func (e *Engine[M]) over(r *record[M], now time.Time) bool {
	if r.received.IsZero() {
		return e.cfg.Abandon > 0 && now.Sub(r.created) > e.cfg.Abandon
	}
	return e.state(r, now) >= Done
}

// release gives up r's share of its text.
func (e *Engine[M]) release(r *record[M]) {
	t := r.text
	if t == nil {
		return
	}
	r.text = nil
	if t.refs--; t.refs > 0 {
		return
	}
	delete(e.texts, t.sum)
	if t.doc != nil {
		e.bytes -= t.doc.Size()
	}
}

// Stats is what an engine holds.
type Stats struct {
	// Records is the number of extractions, Texts of different documents and
	// Bytes the memory of these.
	Records, Texts int
	Bytes          int64
}

// Stats returns the present numbers.
func (e *Engine[M]) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Stats{Records: len(e.order), Texts: len(e.texts), Bytes: e.bytes}
}
