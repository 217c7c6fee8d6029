package bench

import (
	"time"

	"github.com/extractq/extractq/polling/plan"
)

// The vendor's ready lists, as worker/listing.go and worker/sweep.go read them.

const (
	// tendEvery is how often it is decided whether and how often they are read.
	tendEvery = 2 * time.Second
	// listMissed is what is believed of the share of ends they miss before any is known.
	listMissed = 0.05
	// listMargin is how much further back they are asked for than the oldest in flight.
	listMargin = 5 * time.Second
	// pageSize is what Sensible puts on a page; Typless's list has only one.
	pageSize = 100
	// mostPages bounds one reading, and readPatience how long it waits for the rate.
	mostPages    = 20
	readPatience = time.Second
	// itemsPerRequest is how many entries are as dear as a request.
	itemsPerRequest = 2000
)

// tend decides.
func (r *run) tend() {
	r.events.add(event{at: r.now + tendEvery, kind: tends})
	r.known(r)
	var ages []plan.Running
	for _, j := range r.flying {
		ages = append(ages, plan.Running{Age: (r.now - j.submitted).Seconds(), Weight: 1})
	}
	o := r.law.Outlook(ages, r.cfg.price())
	r.listing = o.Listing(r.listing, r.cfg.price(), max(r.reading, 1), r.lists.orElse(listMissed), time.Unix(0, 0).Add(r.now))
	r.planReading()
}

func (r *run) planReading() {
	if r.listing.Every > 0 && !r.willRead {
		r.willRead = true
		r.events.add(event{at: r.now + r.listing.Every, kind: reads})
	}
}

// read reads the list, newest first, back to the oldest that is in flight and within
// the window, and asks for what is on it. All that has finished is on it, known or not.
func (r *run) read() {
	r.willRead = false
	defer r.planReading()
	if r.listing.Every == 0 || len(r.flying) == 0 {
		return
	}
	window, oldest := seconds(r.law.Quantile(plan.WindowShare)), time.Duration(0)
	for _, j := range r.flying {
		if age := r.now - j.submitted; age <= window {
			oldest = max(oldest, age)
		}
	}
	page := pageSize
	if r.cfg.Intervals { // Typless's.
		page, oldest = 1<<30, 48*time.Hour
	}
	pages, items := 0, 0
	var found []*job
	for i := len(r.sent) - 1; i >= 0 && r.now-r.sent[i].submitted <= oldest+listMargin; i-- {
		j := r.sent[i]
		if j.finish > r.now {
			continue
		}
		if items%page == 0 && (pages == mostPages || !r.turnsPage()) {
			break
		}
		if items%page == 0 {
			pages++
		}
		items++
		if !j.over {
			j.listed = true
			found = append(found, j)
		}
	}
	if items == 0 && r.turnsPage() { // An empty page is one, too.
		pages = 1
	}
	if pages > 0 {
		r.reading = float64(pages) + float64(items)/itemsPerRequest
	}
	for _, j := range found {
		r.ask(j)
	}
}

// turnsPage makes one call, if the rate has room for it soon.
func (r *run) turnsPage() bool {
	if r.cfg.Rate > 0 {
		if r.tat-r.now > readPatience {
			return false
		}
		r.tat = max(r.tat, r.now) + seconds(headroom/r.cfg.Rate)
	}
	r.vendor.allows(r.now) // By its moment it is within the limit.
	if r.tally.arrived > 0 {
		r.tally.sweeps++
	}
	return true
}
