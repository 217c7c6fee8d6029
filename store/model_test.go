package store

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/extractq/extractq/extraction"
)

// model is what the records of one account are meant to be: the scripts without Redis. It
// has a method for each script, which returns the verdict that the script ought to give.
// What follows from a record's state, as its place in most indexes, is derived from that
// state and never stored: see modelView.
type model struct {
	now    int64 // Redis's clock, in ms.
	docs   map[string]*doc
	vids   map[string]string // Vendor ids, and which extraction each leads to.
	idem   map[string]string
	tombs  map[string]int64
	early  map[string]int64
	erased map[string]map[string]int64 // What batches count and no record has: batch, name.
	latest map[string]int64            // When a batch had its latest extraction.
	goes   map[string]int64            // When the counts of an emptied batch go.
	events []string
	line   modelLine
}

func newModel() *model {
	return &model{
		docs: map[string]*doc{}, vids: map[string]string{}, idem: map[string]string{}, tombs: map[string]int64{},
		early: map[string]int64{}, erased: map[string]map[string]int64{}, latest: map[string]int64{}, goes: map[string]int64{},
		line: modelLine{at: map[string]bool{}, turns: map[string]int64{}, present: map[string]int64{}},
	}
}

// doc is one extraction.
type doc struct {
	id, customer, batch, key string
	bulk, callback           bool
	made, moved, ended       string   // The calls that created it, moved its fence, and ended it.
	told                     string   // The latest call about its deliveries.
	outcomes                 []string // What has been noted of deliveries, the latest first.
	marks, renewals          int64    // The latest calls under the present lease.

	status         extraction.Status
	seq            int64
	step, because  string
	owner          string
	lease          int64
	due, look      int64 // When the step is due, and when reconcile looks; 0 for never.
	slot           int64 // Since when it holds a slot; 0 for none.
	released       bool
	releasedAt     int64
	phase          string
	vendor, upload string
	hint           bool
	hints, hinted  int64

	created, finished, expires, documentEnd int64
	collected                               bool
	retriedBy                               string

	delivery, attempts, since int64
	deliveries, answer        string
	data, detail              map[string]string // What workers note, and no script decides by.
}

// verdict is a script's answer.
type verdict struct {
	Word          string
	Now, Seq, Due int64
	Rest          string
}

func is(word string) verdict { return verdict{Word: word} }

func (m *model) scheduled(d *doc) verdict {
	return verdict{Word: "won", Now: m.now, Seq: d.seq, Due: d.due}
}

func (d *doc) final() bool    { return d.status.Final() }
func (d *doc) fetching() bool { return d.status == extraction.StatusSuccess && d.step == "poll" }
func (d *doc) over() bool     { return d.final() && !d.fetching() }
func (d *doc) asks(s string) bool {
	return s == "poll" || d.phase == "opened" || d.phase == "uncertain"
}

func (d *doc) free() {
	d.owner, d.lease, d.marks, d.renewals = "", 0, 0, 0
	delete(d.data, fieldOrphaned)
}

func (d *doc) after() int64 { return min(d.documentEnd, d.expires) }
func (d *doc) clear(fields ...string) {
	for _, f := range fields {
		delete(d.data, f)
	}
}

// moments are when something becomes due, lapses or goes, in order.
func (m *model) moments() []int64 {
	var at []int64
	for _, d := range m.docs {
		at = append(at, d.lease, d.due, d.look, d.documentEnd, d.expires)
	}
	for _, seen := range m.early {
		at = append(at, seen+earlyFor.Milliseconds())
	}
	at = slices.AppendSeq(at, maps.Values(m.goes))
	at = slices.DeleteFunc(at, func(ms int64) bool { return ms == 0 })
	slices.Sort(at)
	return slices.Compact(at)
}

func wholeSecond(ms int64) int64 { return (ms + 999) / 1000 * 1000 }

// move changes the status. What leaves the queue leaves the line.
func (m *model) move(d *doc, to extraction.Status) {
	if d.status == to {
		return
	}
	if d.status == extraction.StatusQueued {
		m.line.quit(d)
	}
	d.status = to
	if to != extraction.StatusQueued && to != extraction.StatusSubmitting {
		d.released = false
	}
	m.tell(d)
}

func (m *model) tell(d *doc) { m.events = append(m.events, d.id+" "+string(d.status)) }

func (m *model) unmap(d *doc) {
	if d.vendor != "" && m.vids[d.vendor] == d.id {
		delete(m.vids, d.vendor)
	}
}

// known gives a vendor id to an extraction. A webhook that was early is a hint.
func (m *model) known(d *doc, vendor string) {
	if d.vendor != vendor {
		m.unmap(d)
	}
	d.vendor, m.vids[vendor] = vendor, d.id
	if _, ok := m.early[vendor]; ok {
		delete(m.early, vendor)
		d.hint, d.data[fieldHooked] = true, "1"
	}
}

// set writes what a worker noted.
func (m *model) set(d *doc, c *Change) {
	for i := 0; c != nil && i < len(c.pairs); i += 2 {
		f, v := c.pairs[i].(string), c.pairs[i+1].(string)
		detail, isDetail := strings.CutPrefix(f, "x.")
		switch {
		case f == fieldPhase:
			d.phase = v
			d.released = d.released && v == ""
		case f == fieldVendorID && v == "":
			m.unmap(d)
			d.vendor = ""
		case f == fieldVendorID:
			m.known(d, v)
		case f == "upload":
			d.upload = v
		case detail == detailOver && d.detail[detailTrouble] == "":
		case detail == detailOver:
			d.detail[detailOver] = cmp.Or(d.detail[detailOver], v)
		case isDetail:
			if detail == detailTrouble {
				delete(d.detail, detailOver)
			}
			d.detail[detail] = v
		case v == "":
			delete(d.data, f)
		default:
			d.data[f] = v
		}
	}
}

// supplants reports whether a change would replace a vendor id that was not taken back.
func (d *doc) supplants(c *Change) bool {
	for i := 0; c != nil && d.vendor != "" && i < len(c.pairs); i += 2 {
		if v := c.pairs[i+1]; c.pairs[i] == fieldVendorID && v != "" && v != d.vendor {
			return true
		}
	}
	return false
}

func (m *model) create(in Input, c Creation) verdict {
	if d := m.docs[in.ID]; d != nil {
		if d.made == c.Token {
			return verdict{Word: "won", Rest: fmt.Sprint(d.created, d.because, m.line.has(d))}
		}
		return is("exists")
	}
	customer := customerDigest(in.Customer)
	_, dead := m.tombs[in.ID]
	switch first := m.vids[c.VendorID]; {
	case c.Key != "" && m.idem[c.Key] != "":
		return verdict{Word: "repeated", Rest: m.idem[c.Key]}
	case dead:
		return is("erased")
	case c.VendorID != "" && first != "":
		return is("followed")
	case c.MaxBacklog > 0 && m.unfinished() >= c.MaxBacklog:
		return is("backlog")
	}
	d := &doc{
		id: in.ID, customer: customer, batch: in.Batch, key: c.Key, bulk: in.Priority == extraction.PriorityBulk,
		callback: in.CallbackURL != "", made: c.Token, seq: 1, step: "submit", because: "scheduled", created: m.now, due: m.now,
		data: map[string]string{}, detail: map[string]string{},
	}
	m.docs[in.ID] = d
	if in.Batch != "" {
		m.latest[in.Batch] = max(m.latest[in.Batch], m.now)
	}
	if c.Key != "" {
		m.idem[c.Key] = in.ID + " " + c.Fingerprint
	}
	m.set(d, c.Change)
	if c.VendorID != "" {
		m.known(d, c.VendorID)
		soon := int64(0)
		for _, other := range m.docs {
			if other.look != 0 && other.look <= m.now+600_000 {
				soon++
			}
		}
		d.step, d.look, d.slot = "poll", m.now+grace.Milliseconds()+soon*4, m.now
		d.data[fieldSubmittedAt] = cmp.Or(d.data[fieldSubmittedAt], fmt.Sprint(m.now))
		m.move(d, extraction.StatusInProgress)
	} else {
		m.move(d, extraction.StatusQueued)
		if why := m.barred(); why != "" || len(m.line.at) > 0 {
			d.because = cmp.Or(why, "scheduled")
			m.line.stand(d)
		} else {
			d.released, d.releasedAt, d.look = true, m.now, m.now+grace.Milliseconds()
		}
	}
	return verdict{Word: "won", Rest: fmt.Sprint(m.now, d.because, m.line.has(d))}
}

func (m *model) begin(f Fence, step string, lease int64, goes bool) verdict {
	d, call := m.docs[f.Input.ID], fmt.Sprint("begin", f.Token, f.Seq, step, lease)
	switch {
	case d == nil:
		return is("gone")
	case d.over():
		return is("final")
	}
	stood := d.moved == call && m.line.has(d)
	switch {
	case d.seq != f.Seq && !stood, d.step != step:
		return is("stale")
	case d.owner == f.Token:
		return verdict{Word: "won", Now: m.now, Seq: d.seq, Rest: fmt.Sprint(false, m.line.crowded())}
	case d.owner != "":
		return is("busy")
	}
	if step == "submit" && d.slot == 0 {
		if !d.released {
			why := m.barred()
			if why == "" && len(m.line.at) > 0 {
				why = "scheduled"
			}
			if why != "" && !stood {
				m.line.stand(d)
				d.seq, d.moved, d.because = d.seq+1, call, why
			}
			if why != "" || stood {
				return verdict{Word: "waits", Now: m.now, Seq: d.seq}
			}
		}
		d.released, d.releasedAt, d.slot = d.phase == "", 0, m.now
	}
	admitted := goes && (step == "poll" || d.vendor == "" && (d.phase == "" || d.phase == "sending"))
	if admitted && step == "submit" {
		d.phase, d.released = "sending", false
	}
	d.owner, d.lease, d.look = f.Token, m.now+lease, m.now+lease
	d.clear(fieldOrphaned)
	if d.hint && d.asks(d.step) {
		d.hint = false
		d.clear(fieldPlannedAt)
	}
	if d.status == extraction.StatusQueued {
		m.move(d, extraction.StatusSubmitting)
	}
	return verdict{Word: "won", Now: m.now, Seq: d.seq, Rest: fmt.Sprint(admitted, m.line.crowded())}
}

func (m *model) renew(f Fence, n, lease int64) verdict {
	d := m.docs[f.Input.ID]
	switch {
	case d == nil, d.owner != f.Token, n < d.renewals:
		return is("stale")
	case n == d.renewals:
		return is("won")
	}
	d.renewals, d.lease, d.look = n, m.now+lease, m.now+lease
	return is("won")
}

func (m *model) mark(f Fence, n int64, c *Change) verdict {
	d := m.docs[f.Input.ID]
	switch {
	case d == nil, d.owner != f.Token, n < d.marks:
		return is("stale")
	case n == d.marks:
		return is("won")
	case d.supplants(c):
		return is("stale")
	}
	d.marks = n
	m.set(d, c)
	return is("won")
}

func (m *model) next(f Fence, step string, delay int64, because string, c *Change) verdict {
	d, call := m.docs[f.Input.ID], fmt.Sprint("next", f.Token, f.Seq, step, delay, because, c.args())
	switch {
	case d == nil:
		return is("gone")
	case d.moved == call:
		return m.scheduled(d)
	case d.over():
		return is("final")
	case d.seq != f.Seq, d.owner != f.Token, d.supplants(c):
		return is("stale")
	}
	m.set(d, c)
	d.due = m.now + delay
	if delay > 0 {
		d.due = wholeSecond(d.due)
	}
	if d.hint && d.asks(step) {
		d.due = m.hurried(d, d.due)
	}
	d.look = d.due + grace.Milliseconds()
	switch {
	case d.fetching():
		d.look = min(d.look, d.after())
	case step == "poll":
		m.move(d, extraction.StatusInProgress)
	case d.phase == "":
		m.move(d, extraction.StatusQueued)
		d.slot, d.released, d.releasedAt = 0, because == "rate" || because == "account_paused", m.now
	default:
		d.released = false
	}
	d.free()
	d.seq, d.moved, d.step, d.because = d.seq+1, call, step, because
	return m.scheduled(d)
}

// hurried is when a step is due after a hint: the nth one counts ever later.
func (m *model) hurried(d *doc, due int64) int64 {
	at := m.now
	if d.hints > 0 {
		at = d.hinted + int64(math.Min(2000*math.Pow(2, float64(d.hints-1)), 300_000))
	}
	if at = max(m.now, at); at > m.now {
		at = wholeSecond(at)
	}
	if at >= due {
		return due
	}
	d.hints, d.hinted = d.hints+1, at
	return at
}

func (m *model) finish(f Fence, status extraction.Status, kept Kept, c *Change) verdict {
	d, call := m.docs[f.Input.ID], fmt.Sprint("finish", f.Token, f.Seq, status, kept, c.args())
	switch {
	case d == nil:
		return is("gone")
	case d.ended == call:
		return verdict{Word: "won", Now: d.finished}
	case d.over():
		return is("final")
	case d.seq != f.Seq, d.owner != f.Token, d.supplants(c):
		return is("stale")
	}
	m.set(d, c)
	if !d.fetching() {
		m.conclude(d, call, status, kept.For(status))
		return verdict{Word: "won", Now: m.now}
	}
	d.free()
	d.seq, d.ended, d.moved, d.step, d.because, d.due, d.look = d.seq+1, call, "", "", "", 0, d.after()
	if d.deliveries == "pending" {
		m.deliver(d, m.now, "scheduled")
	}
	m.tell(d)
	return verdict{Word: "won", Now: d.finished}
}

// conclude ends an extraction. Only what a repetition must know stays of how it came to that.
func (m *model) conclude(d *doc, call string, status extraction.Status, kept Kept) {
	d.free()
	d.ended, d.moved, d.seq = call, "", d.seq+1
	d.finished, d.expires = m.now, m.now+kept.Record.Milliseconds()
	d.documentEnd = m.now + min(kept.Record, kept.Document).Milliseconds()
	if d.data[fieldUploadGone] != "" {
		d.clear(fieldUploadExpires)
	}
	d.phase, d.step, d.because, d.due, d.upload, d.slot, d.look = "", "", "", 0, "", 0, d.after()
	d.hint, d.hints, d.hinted = false, 0, 0
	d.clear(fieldWaitingSince, fieldUploadGone, fieldUncertainUntil, fieldNotYetAt, fieldPlannedAt, fieldListed)
	if d.callback {
		d.since = m.now
		m.deliver(d, m.now, "scheduled")
	}
	m.move(d, status)
}

func (m *model) deliver(d *doc, due int64, because string) {
	d.deliveries, d.delivery = "pending", d.delivery+1
	if !d.fetching() {
		d.clear(fieldOrphaned)
		d.step, d.because, d.due, d.look = "deliver", because, due, min(due+grace.Milliseconds(), d.after())
	}
}

func (m *model) cancel(in Input, token string, kept Kept) verdict {
	d, call := m.docs[in.ID], fmt.Sprint("cancel", token, kept)
	switch {
	case d == nil:
		return is("gone")
	case d.ended == call:
		return is("won")
	case d.final():
		return is("final")
	}
	m.conclude(d, call, extraction.StatusCanceled, kept.For(extraction.StatusCanceled))
	d.detail[detailFailure] = "canceled"
	return is("won")
}

func (m *model) refetch(in Input, token string, result int64) verdict {
	d, call := m.docs[in.ID], fmt.Sprint("refetch", token, result)
	switch {
	case d == nil:
		return is("gone")
	case d.moved == call:
		return m.scheduled(d)
	case d.status != extraction.StatusSuccess, d.vendor == "", number(d.data[fieldResultSeq]) != result:
		return is("stale")
	case d.fetching():
		if d.owner == "" {
			d.look = m.now + grace.Milliseconds()
		}
		return is("busy")
	}
	if d.deliveries == "pending" {
		d.delivery++
	}
	d.clear(fieldOrphaned, fieldPollErrors, fieldFailingSince, fieldMissingSince)
	d.seq, d.moved, d.step, d.because, d.due, d.look = d.seq+1, call, "poll", "scheduled", m.now, m.now+grace.Milliseconds()
	return m.scheduled(d)
}

func (m *model) reissue(f Fence) verdict {
	d, call := m.docs[f.Input.ID], fmt.Sprint("reissue", f.Token, f.Seq)
	switch {
	case d == nil:
		return is("gone")
	case d.moved == call:
		return m.scheduled(d)
	case d.over():
		return is("final")
	case d.seq != f.Seq, m.line.has(d):
		return is("stale")
	case d.owner != "" && d.lease > m.now:
		return is("busy")
	}
	d.free()
	d.seq, d.moved, d.because, d.due, d.look = d.seq+1, call, "retry", m.now, m.now+grace.Milliseconds()
	return m.scheduled(d)
}

func (m *model) touch(f Fence, delay int64, orphaned bool) verdict {
	d := m.docs[f.Input.ID]
	if d == nil || d.seq != f.Seq || d.owner != "" || m.line.has(d) || d.look > m.now {
		return is("stale")
	}
	d.clear(fieldOrphaned)
	if orphaned {
		d.data[fieldOrphaned] = fmt.Sprint(m.now)
	}
	d.look = m.now + delay
	return is("won")
}

func (m *model) resolve(in Input, token, vendor string) verdict {
	d, call := m.docs[in.ID], fmt.Sprint("resolve", token, vendor)
	switch {
	case d == nil:
		return is("gone")
	case d.moved == call:
		return m.scheduled(d)
	case d.vendor == vendor:
		return is("known")
	case d.vendor != "":
		return is("supplanted")
	case d.final():
		d.vendor, m.vids[vendor] = vendor, cmp.Or(m.vids[vendor], d.id)
		return is("final")
	}
	d.free()
	m.known(d, vendor)
	d.data[fieldSubmittedAt] = cmp.Or(d.data[fieldSentAt], fmt.Sprint(m.now))
	d.clear(fieldUncertainUntil)
	d.phase, d.seq, d.moved, d.step, d.because, d.due = "", d.seq+1, call, "poll", "scheduled", m.now
	m.move(d, extraction.StatusInProgress)
	d.look, d.slot = m.now+grace.Milliseconds(), cmp.Or(d.slot, m.now)
	return m.scheduled(d)
}

func (m *model) claim(in Input, by string) verdict {
	d := m.docs[in.ID]
	switch {
	case d == nil:
		return is("gone")
	case !d.final():
		return is("stale")
	}
	d.retriedBy = cmp.Or(d.retriedBy, by)
	return verdict{Word: "won", Rest: d.retriedBy}
}

func (m *model) erase(in Input, force bool, kept Kept) verdict {
	d := m.docs[in.ID]
	switch {
	case d == nil:
		return is("gone")
	case !d.final(), !force && d.expires > m.now:
		return is("stale")
	}
	m.unmap(d)
	delete(m.docs, d.id)
	if d.key != "" {
		delete(m.idem, d.key)
	}
	m.tombs[d.id] = m.now + kept.Record.Milliseconds()
	if d.customer != "" {
		m.tombs[d.id+"/"+d.customer] = m.tombs[d.id]
	}
	if d.batch != "" {
		for _, name := range d.counted() {
			add(m.erased, d.batch, name)
		}
		if !m.inUse(d.batch) {
			m.goes[d.batch] = m.tombs[d.id]
		}
	}
	return is("won")
}

func (m *model) forget(batch string) verdict {
	at, ok := m.goes[batch]
	if !ok || at > m.now {
		return is("stale")
	}
	delete(m.goes, batch)
	if m.inUse(batch) {
		return is("stale")
	}
	delete(m.erased, batch)
	delete(m.latest, batch)
	return is("won")
}

func (m *model) delivered(in Input, token string, n int64, outcome DeliveryState, status int, delay int64, problem string) verdict {
	d := m.docs[in.ID]
	switch {
	case d == nil:
		return is("gone")
	case d.told == token:
		return verdict{Word: "won", Now: m.now, Seq: d.delivery, Due: d.due}
	case d.deliveries != "pending", d.noted(n, outcome):
		return is("stale")
	}
	d.told = token
	d.outcomes = append([]string{noteOf(n, outcome)}, d.outcomes[:min(9, len(d.outcomes))]...)
	if outcome != DeliveryBusy {
		d.answer, d.attempts = fmt.Sprint(status), d.attempts+1
		delete(d.detail, detailProblem)
	}
	if problem != "" {
		d.detail[detailProblem] = problem
	}
	late := d.delivery != n
	switch {
	case late && outcome != DeliveryDelivered:
		return is("stale")
	case outcome == DeliveryPending || outcome == DeliveryBusy:
		m.deliver(d, wholeSecond(m.now+delay), "retry")
	default:
		d.deliveries = string(outcome)
		if !d.fetching() {
			d.step, d.because, d.due, d.look = "", "", 0, d.after()
		}
		d.collected = d.collected || outcome == DeliveryDelivered
	}
	return verdict{Word: "won", Now: m.now, Seq: d.delivery, Due: d.due}
}

// noteOf is what is noted of a delivery: that it arrived may follow on a failure.
func noteOf(n int64, outcome DeliveryState) string {
	if outcome == DeliveryDelivered {
		return fmt.Sprint(n, "d")
	}
	return fmt.Sprint(n)
}

func (d *doc) noted(n int64, outcome DeliveryState) bool {
	least := int64(math.MaxInt64)
	for _, word := range d.outcomes {
		least = min(least, number(strings.TrimSuffix(word, "d")))
	}
	return slices.Contains(d.outcomes, noteOf(n, outcome)) || len(d.outcomes) >= 10 && n < least
}

func (m *model) delivering(in Input, n, lease int64) verdict {
	d := m.docs[in.ID]
	if d == nil || d.step != "deliver" || d.deliveries != "pending" || d.delivery != n {
		return is("stale")
	}
	d.data[fieldOrphaned] = fmt.Sprint(m.now)
	d.look = m.now + lease
	return is("won")
}

func (m *model) redeliver(in Input, token string, n int64, anew bool) verdict {
	d := m.docs[in.ID]
	switch {
	case d == nil:
		return is("gone")
	case d.told == token:
		return verdict{Word: "won", Now: m.now, Seq: d.delivery, Due: d.due}
	case !d.callback, !d.final(), d.delivery != n, !anew && d.deliveries != "pending":
		return is("stale")
	}
	if anew {
		d.since, d.attempts, d.answer = m.now, 0, ""
		delete(d.detail, detailProblem)
	}
	d.told = token
	m.deliver(d, m.now, "scheduled")
	return verdict{Word: "won", Now: m.now, Seq: d.delivery, Due: d.due}
}

func (m *model) hint(id, vendor string, from Source) verdict {
	d := m.docs[id]
	switch {
	case d == nil:
		return is("gone")
	case d.final():
		return is("final")
	}
	open := d.vendor == "" && (d.phase == "sending" || d.phase == "sent" || d.phase == "uncertain")
	if d.vendor != vendor && !open {
		return is("stale")
	}
	d.hint = true
	d.data[map[Source]string{SourceHook: fieldHooked, SourceList: fieldListed}[from]] = "1"
	if d.owner != "" || m.line.has(d) || !d.asks(d.step) {
		return m.scheduled(d)
	}
	due, step := m.hurried(d, d.due), ""
	if due < d.due {
		d.due, d.look = due, due
		if due <= m.now {
			d.look = m.now + grace.Milliseconds()
		}
	}
	if due <= m.now {
		step = d.step
	}
	return verdict{Word: "won", Now: m.now, Seq: d.seq, Due: due, Rest: step}
}

// hooked is a webhook for a vendor id, which may be early.
func (m *model) hooked(vendor string) verdict {
	if id := m.vids[vendor]; id != "" {
		return verdict{Word: "won", Rest: id}
	}
	m.early[vendor] = m.now
	maps.DeleteFunc(m.early, func(_ string, at int64) bool { return at <= m.now-earlyFor.Milliseconds() })
	return is("won")
}

func (m *model) acknowledge(id string) verdict {
	if d := m.docs[id]; d != nil {
		d.collected = d.collected || d.final()
	}
	return is("won")
}
