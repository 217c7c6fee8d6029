// Package webhook calls back: at the moment when an extraction ends it sends what
// the dialect says to where the client said. Deliveries may be lost or doubled on
// purpose, and are never repeated because they failed: neither vendor documents
// that it would.
package webhook

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// workers is how many deliveries are under way at once; receivers that are
	// slower than that hold up the others.
	workers = 8
	// maxPending bounds what waits for its time. An entry is a closure of a few
	// words, and this is more than any client has in flight.
	maxPending = 100_000
	timeout    = 10 * time.Second
	// maxNap bounds one sleep, for clocks that are set by hand or go faster.
	maxNap = 50 * time.Millisecond
)

// Config is what a sender goes by.
type Config struct {
	// Now is the vendors' clock.
	Now func() time.Time
	// Loss and Duplicates are the shares of deliveries that are never made and
	// that are made twice. With the same seed the nth has the same fate in every
	// run.
	Loss, Duplicates float64
	Seed             uint64
	// Client makes the deliveries; nil means one of its own.
	Client *http.Client
	Logger *slog.Logger
}

// Sender delivers webhooks. Its goroutines are started by the first Schedule and
// ended by Close.
type Sender struct {
	cfg    Config
	ctx    context.Context // ends with Close; a delivery has no caller to get one from
	cancel context.CancelFunc
	start  sync.Once
	wg     sync.WaitGroup
	added  chan struct{}
	due    chan delivery

	mu      sync.Mutex
	pending queue
	drawn   uint64
}

// delivery is one webhook.
type delivery struct {
	at    time.Time
	url   string
	body  func() []byte
	times int
}

// New returns a sender.
func New(cfg Config) *Sender {
	if cfg.Client == nil {
		cfg.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Sender{cfg: cfg, ctx: ctx, cancel: cancel, added: make(chan struct{}, 1), due: make(chan delivery)}
}

// Schedule delivers to url at a time, with a body that is made then; nil sends
// nothing. It does not wait.
func (s *Sender) Schedule(url string, at time.Time, body func() []byte) {
	if s.ctx.Err() != nil {
		return
	}
	s.start.Do(func() {
		s.wg.Go(s.dispatch)
		for range workers {
			s.wg.Go(s.work)
		}
	})
	s.mu.Lock()
	times := s.draw()
	full := len(s.pending) >= maxPending
	if times > 0 && !full {
		heap.Push(&s.pending, delivery{at, url, body, times})
	}
	s.mu.Unlock()
	switch {
	case times == 0:
		s.cfg.Logger.DebugContext(s.ctx, "webhook lost on purpose", slog.String("host", host(url)))
	case full:
		s.cfg.Logger.WarnContext(s.ctx, "webhook dropped: too many are waiting", slog.String("host", host(url)))
	}
	select {
	case s.added <- struct{}{}:
	default:
	}
}

// draw is how often the next webhook is delivered. The caller holds the lock.
func (s *Sender) draw() int {
	rng := rand.New(rand.NewPCG(s.cfg.Seed, s.drawn))
	s.drawn++
	lost, doubled := rng.Float64() < s.cfg.Loss, rng.Float64() < s.cfg.Duplicates
	switch {
	case lost:
		return 0
	case doubled:
		return 2
	}
	return 1
}

// Close gives up what was not delivered, ends the goroutines and waits for them.
func (s *Sender) Close() {
	s.cancel()
	s.start.Do(func() {})
	s.wg.Wait()
}

// dispatch hands every delivery to a worker when it is due.
func (s *Sender) dispatch() {
	for {
		d, wait, ok := s.next()
		if ok {
			select {
			case s.due <- d:
			case <-s.ctx.Done():
				return
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.added:
		case <-s.ctx.Done():
		}
		timer.Stop()
		if s.ctx.Err() != nil {
			return
		}
	}
}

// next takes the delivery that is due, or says how long to sleep.
func (s *Sender) next() (d delivery, wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		return d, time.Hour, false // or until one is added
	}
	if wait := s.pending[0].at.Sub(s.cfg.Now()); wait > 0 {
		return d, min(wait, maxNap), false
	}
	return heap.Pop(&s.pending).(delivery), 0, true
}

func (s *Sender) work() {
	for {
		select {
		case d := <-s.due:
			s.deliver(d)
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Sender) deliver(d delivery) {
	body := d.body()
	if body == nil {
		return
	}
	for range d.times {
		status, err := s.post(d.url, body)
		if s.ctx.Err() != nil {
			return
		}
		log := s.cfg.Logger.With(slog.String("host", host(d.url)))
		if err != nil {
			log.WarnContext(s.ctx, "webhook not delivered", slog.Any("error", err))
			continue
		}
		log.DebugContext(s.ctx, "webhook delivered", slog.Int("status", status))
	}
}

// post makes one delivery. Its errors do not name the URL: the path of a webhook
// is often its only secret.
func (s *Sender) post(to string, body []byte) (status int, err error) {
	ctx, cancel := context.WithTimeoutCause(s.ctx, timeout, errors.New("no answer in time"))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the URL is malformed")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "extractq-sandbox")
	resp, err := s.cfg.Client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return 0, err
	}
	_ = resp.Body.Close() // What it says interests neither vendor.
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode, fmt.Errorf("the receiver answered %d", resp.StatusCode)
	}
	return resp.StatusCode, nil
}

// host is what may be logged of a URL.
func host(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.Host
}

// queue is a heap of deliveries by time.
type queue []delivery

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(d any)        { *q = append(*q, d.(delivery)) }

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = delivery{}
	*q = old[:len(old)-1]
	return last
}
