package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const (
	// lineEvery is the time between two lines where there is no terminal.
	lineEvery = time.Minute
	// refreshEvery is the time between two pictures of the bar.
	refreshEvery = 200 * time.Millisecond
)

// progress shows how far a run is: a bar on a terminal, otherwise a line a
// minute; and a last line at the end. What is logged meanwhile is written to it
// rather than beside it, so that it comes above the bar. All methods may be
// called by many goroutines.
type progress struct {
	w   io.Writer
	now func() time.Time

	mu     sync.Mutex
	counts counts
	pace   pace
	closed bool
	// holds is what holds up what is left, in place of an estimate.
	holds string

	// Either the bar is set, or the channel that ends the lines.
	bars   *mpb.Progress
	bar    *mpb.Bar
	moving sync.Mutex // lets the bar move forward only
	stop   chan struct{}
	lines  sync.WaitGroup
}

// newProgress begins to show the progress of total extractions; 0 where nobody
// knows how many there will be.
func newProgress(w io.Writer, isTerminal bool, total int, now func() time.Time) *progress {
	p := &progress{w: w, now: now, counts: counts{total: total}, pace: newPace(now())}
	if isTerminal {
		p.showBar()
		return p
	}
	p.stop = make(chan struct{})
	p.lines.Go(p.showLines)
	return p
}

// Add says that n more extractions are in flight.
func (p *progress) Add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.inFlight += n
}

// Done says that an extraction that was in flight has ended.
func (p *progress) Done(as tally) {
	p.mu.Lock()
	p.counts.inFlight = max(0, p.counts.inFlight-1)
	p.pace.record(p.now(), 1)
	p.counts.finish(as)
	p.mu.Unlock()
	p.moveBar()
}

// Skip says that an extraction had ended before, or cannot begin. It has no
// part in the rate.
func (p *progress) Skip(as tally) {
	p.mu.Lock()
	p.counts.finish(as)
	p.mu.Unlock()
	p.moveBar()
}

// Holds says what holds up what is left; empty for nothing. While something does, the
// rate says nothing about the end.
func (p *progress) Holds(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds = what
}

// Finished is how many have ended or were skipped.
func (p *progress) Finished() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(p.counts.done)
}

// moveBar sets the bar to the counts. It must not hold mu meanwhile: the bar's
// goroutine may be waiting for it to get the text.
func (p *progress) moveBar() {
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
func (p *progress) Write(b []byte) (int, error) {
	if p.bars != nil {
		if n, err := p.bars.Write(b); !errors.Is(err, mpb.ErrDone) {
			return n, err
		}
	}
	return p.w.Write(b)
}

// Close removes the bar and writes the last line.
func (p *progress) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.mu.Unlock()
	if p.bars != nil {
		p.bar.Abort(true)
		p.bars.Wait()
	} else {
		close(p.stop)
		p.lines.Wait()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintln(p.w, p.counts.last(p.now().Sub(p.pace.began)))
}

// text is the state in one line.
func (p *progress) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts.line(p.pace.perSecond(p.now()), p.holds)
}

func (p *progress) showBar() {
	p.bars = mpb.New(mpb.WithOutput(p.w), mpb.WithRefreshRate(refreshEvery), mpb.WithAutoRefresh(), mpb.WithWidth(40))
	// A bar that knows its total from the start ends by itself and cannot grow.
	p.bar = p.bars.New(0, mpb.BarStyle(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + p.text() })))
	p.moveBar()
}

func (p *progress) showLines() {
	tick := time.NewTicker(lineEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			_, _ = fmt.Fprintln(p.w, p.text())
		}
	}
}
