package backfill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	pollplan "github.com/extractq/extractq/polling/plan"
)

// Plan is what a run would do.
type Plan struct {
	Documents int   `json:"documents"`
	Bytes     int64 `json:"bytes"`
	// URLs are documents of unknown size.
	URLs    int `json:"urls"`
	Skipped int `json:"skipped"`
	// Refused are arguments and documents that cannot be read or taken.
	Refused int `json:"refused"`
	// Done, Failed and AtVendor are of earlier runs with the same --out: they are
	// not submitted again.
	Done     int `json:"done"`
	Failed   int `json:"failed"`
	AtVendor int `json:"at_vendor"`
	Submit   int `json:"submit"`
	// PollsEach is how often the vendor is asked for a document that takes it
	// typicalTime.
	PollsEach   int     `json:"polls_each"`
	VendorCalls int     `json:"vendor_calls"`
	Seconds     float64 `json:"estimated_seconds"`

	skipped string
	rate    float64
}

// typicalTime is how long a vendor is taken to need for a document: most are done
// in some ten seconds, and the plan of polls hardly changes the number of calls
// for half or twice as much.
const typicalTime = 15 * time.Second

// Plan returns what the run would do. It reads the documents, asks no vendor and changes nothing.
func (b *Backfill) Plan(ctx context.Context) (Plan, error) {
	if err := b.scan(ctx, true); err != nil {
		return Plan{}, err
	}
	p := Plan{
		Documents: b.found.Documents, Bytes: b.found.Bytes, URLs: b.found.URLs, Skipped: b.found.Skipped,
		skipped: b.found.SkippedText(), rate: float64(b.Account.Rate),
	}
	if err := b.count(ctx, &p); err != nil {
		return p, err
	}
	p.Refused = int(b.failed.Load())
	p.estimate(b.Account.PollPrice, b.Account.Deadline, b.Account.MaxInFlight)
	return p, nil
}

// count looks at each document, and at what became of it in earlier runs.
func (b *Backfill) count(ctx context.Context, p *Plan) error {
	var err error
	if b.Out != "" {
		if b.journal, err = journal.Peek(b.Out); err != nil {
			return err
		}
		defer func() { _ = b.journal.Close() }() // It was only read.
		if damage := b.journal.Damage(); damage != "" {
			b.Say("%s", damage)
		}
	}
	return b.Documents.Each(ctx, func(s documents.Source) error {
		what, err := b.stateOf(ctx, s)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errkind.Of(err) == errkind.Unavailable:
			return err
		case err != nil:
			b.fail(s.Title(), documents.CodeOf(err), err)
			return nil
		}
		switch what {
		case stateSucceeded:
			p.Done++
		case stateFailed, stateAmbiguous:
			p.Failed++
		case stateAtVendor, stateResultMissing:
			p.AtVendor++
		case stateNeverSent:
			p.Submit++
		}
		return nil
	}, func(what string, err error) error {
		b.fail(what, extraction.CodeDocumentUnavailable, err)
		return nil
	})
}

// stateOf returns what became of a document in earlier runs; stateNeverSent if it would be
// submitted.
func (b *Backfill) stateOf(ctx context.Context, s documents.Source) (state, error) {
	d, err := b.reader.Open(ctx, s)
	if err != nil {
		return stateNeverSent, err
	}
	defer d.Close()
	if err := b.Rules.Judge(ctx, d.In(b.Template)); errors.Is(err, intake.ErrURLRefused) {
		return stateNeverSent, documents.RefusedURL(render.OneLine(err))
	} else if err != nil || b.journal == nil || b.journal.Empty() && !b.mayHaveResult(d) {
		return stateNeverSent, err
	}
	want, err := b.wantedEntry(d)
	if err != nil {
		return stateNeverSent, err
	}
	old, done, ok, err := b.journal.Find(want)
	if err == nil && !ok { // Only the run itself opens the queue.
		var e extraction.Extraction
		old.Name, e, ok = b.existingResult(ctx, d, want)
		old.ID = e.ID
	}
	if err != nil || !ok {
		return stateNeverSent, err
	}
	what := stateOf(b.resultFile(old.Name), old, done)
	again := b.sandboxed || b.RetryFailed && what != stateAtVendor && what != stateResultMissing
	if what != stateSucceeded && again {
		return stateNeverSent, nil
	}
	return what, nil
}

// mayHaveResult reports whether there is a file where the document's result would be. Only then
// the document is read.
func (b *Backfill) mayHaveResult(d *documents.Document) bool {
	for _, name := range []string{d.Name, d.WholeName()} {
		if _, err := os.Lstat(b.resultFile(name)); err == nil {
			return true
		}
	}
	return false
}

// estimate is the vendor's calls and the time they take.
func (p *Plan) estimate(price, deadline time.Duration, inFlight int) {
	p.PollsEach = pollsWithin(typicalTime, price, deadline)
	p.VendorCalls = p.Submit + (p.Submit+p.AtVendor)*p.PollsEach
	if p.Submit+p.AtVendor == 0 {
		return
	}
	if p.rate > 0 {
		p.Seconds = float64(p.VendorCalls) / p.rate
	}
	if inFlight > 0 {
		p.Seconds = max(p.Seconds, float64(p.Submit)/float64(inFlight)*typicalTime.Seconds())
	}
	p.Seconds = max(p.Seconds, typicalTime.Seconds())
}

// pollsWithin is how often the vendor is asked for a document that takes it d.
func pollsWithin(d, price, deadline time.Duration) int {
	n := 0
	schedule := pollplan.Prior().Schedule(pollplan.Terms{Price: price})
	for elapsed := time.Duration(0); elapsed < d; n++ {
		elapsed = schedule.After(elapsed, deadline)
	}
	return n
}

// WriteText writes the plan for a reader.
func (p *Plan) WriteText(w io.Writer) error {
	var lines [][2]string
	add := func(name, format string, args ...any) {
		lines = append(lines, [2]string{name, fmt.Sprintf(format, args...)})
	}
	add("documents", "%d%s", p.Documents, p.skipped)
	size := render.Size(p.Bytes)
	if p.URLs > 0 {
		size += fmt.Sprintf(", and what is at %d URLs", p.URLs)
	}
	add("size", "%s", size)
	if p.Refused > 0 {
		add("refused", "%d, named above", p.Refused)
	}
	if p.Done+p.Failed+p.AtVendor > 0 {
		add("earlier runs", "%d have their result, %d ended otherwise, %d are at the vendor", p.Done, p.Failed, p.AtVendor)
	}
	add("to submit", "%d", p.Submit)
	add("vendor calls", "about %d: %d to submit, and %d for each result", p.VendorCalls, p.Submit, p.PollsEach)
	rate := "without a limit on the rate"
	if p.rate > 0 {
		rate = "at " + render.Rate(p.rate)
	}
	add("time", "about %s %s, if a document takes %s", render.Duration(time.Duration(p.Seconds*float64(time.Second))), rate, typicalTime)
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%-14s %s\n", l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}
