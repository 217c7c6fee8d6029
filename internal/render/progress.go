package render

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const (
	// lineEvery is the time between two lines where there is no terminal.
	lineEvery = time.Minute
	// refreshEvery is how often the bar is drawn.
	refreshEvery = 200 * time.Millisecond
)

// Progress shows the progress of a run: a bar on a terminal, a line a minute anywhere else,
// and a last line at the end. Log lines are written to it, not beside it, so that they
// appear above the bar. All methods are safe for concurrent use.
type Progress struct {
	w   io.Writer
	now func() time.Time

	mu     sync.Mutex
	counts counts
	pace   pace
	closed bool
	// holds says what the rest waits for, left what became of it, and results where those are
	// that have ended.
	holds, left, results string

	// Either the bar is set, with the lines of holds below it, or the channel that ends the lines.
	bars   *mpb.Progress
	bar    *mpb.Bar
	below  [2]*mpb.Bar
	moving sync.Mutex // lets the bar move forward only
	stop   chan struct{}
	lines  sync.WaitGroup
}

// NewProgress starts to show the progress of total extractions; 0 if their number is not
// known.
func NewProgress(w io.Writer, isTerminal bool, total int, now func() time.Time) *Progress {
	p := &Progress{w: w, now: now, counts: counts{total: total}, pace: newPace(now())}
	if isTerminal {
		p.showBar()
		return p
	}
	p.stop = make(chan struct{})
	p.lines.Go(p.showLines)
	return p
}

// Add counts n more extractions in flight.
func (p *Progress) Add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.inFlight += n
}

// Done counts an extraction that was in flight and has ended.
func (p *Progress) Done(as Tally) {
	p.mu.Lock()
	p.counts.inFlight = max(0, p.counts.inFlight-1)
	p.pace.record(p.now(), 1)
	p.counts.finish(as)
	p.mu.Unlock()
	p.moveBar()
}

// Skip counts an extraction that ended in an earlier run, or cannot begin. It does not
// count towards the rate.
func (p *Progress) Skip(as Tally) {
	p.mu.Lock()
	p.counts.finish(as)
	p.mu.Unlock()
	p.moveBar()
}

// Holds sets what the rest waits for, and below in a second line what to do; empty for nothing. While it waits, there is no estimate
// of the end.
func (p *Progress) Holds(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = what
}

// Results sets what the last line says about results: where they are.
func (p *Progress) Results(where string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.results = where
}

// Left sets what the last line says about extractions that have not ended.
func (p *Progress) Left(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = what
}

// Finished returns how many extractions have ended or were skipped.
func (p *Progress) Finished() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.counts.done)
}

// moveBar sets the bar to the counts. It must not hold mu while it does: the bar's
// goroutine may be waiting for mu to get the text.
func (p *Progress) moveBar() {
	if p.bar == nil {
		return
	}
	p.moving.Lock()
	defer p.moving.Unlock()
	p.mu.Lock()
	c := p.counts
	p.mu.Unlock()
	p.bar.SetTotal(int64(c.total), false)
	p.bar.SetCurrent(int64(c.done))
}

// Write writes log lines above the bar.
func (p *Progress) Write(b []byte) (int, error) {
	if p.bars != nil {
		if n, err := p.bars.Write(b); !errors.Is(err, mpb.ErrDone) {
			return n, err
		}
	}
	return p.w.Write(b)
}

// Close removes the bar and writes the last line.
func (p *Progress) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.mu.Unlock()
	if p.bars != nil {
		for _, b := range p.below {
			b.Abort(true)
		}
		p.bar.Abort(true)
		p.bars.Wait()
	} else {
		close(p.stop)
		p.lines.Wait()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.counts.last(p.now().Sub(p.pace.began), p.left)
	if p.results != "" && p.counts.done > 0 {
		last += " → " + p.results
	}
	_, _ = fmt.Fprintln(p.w, last)
}

// text is the state in one line, and holds what the rest waits for.
func (p *Progress) text() (line, holds string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	perSecond := p.pace.perSecond(p.now())
	if p.holds != "" || perSecond > 0 && !p.pace.moving(p.now(), perSecond) {
		perSecond = 0
	}
	return p.counts.line(perSecond), p.holds
}

func (p *Progress) showBar() {
	p.bars = mpb.New(mpb.WithOutput(p.w), mpb.WithRefreshRate(refreshEvery), mpb.WithAutoRefresh(), mpb.WithWidth(40))
	// A bar that knows its total from the start ends there and cannot grow.
	p.bar = p.bars.New(0, mpb.BarStyle(),
		mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string {
			line, _ := p.text()
			return " " + runewidth.Truncate(line, max(0, s.AvailableWidth-1), "…")
		})))
	for i := range p.below {
		p.below[i] = p.bars.New(0, mpb.NopStyle(), mpb.BarFillerTrim(),
			mpb.PrependDecorators(decor.Any(func(s decor.Statistics) string {
				_, holds := p.text()
				first, second, _ := strings.Cut(holds, "\n")
				return runewidth.Truncate([...]string{first, second}[i], max(0, s.AvailableWidth), "…")
			})))
	}
	p.moveBar()
}

func (p *Progress) showLines() {
	tick := time.NewTicker(lineEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			line, holds := p.text()
			if holds != "" {
				line += ", " + strings.ReplaceAll(holds, "\n", "; ")
			}
			_, _ = fmt.Fprintln(p.w, line)
		}
	}
}
