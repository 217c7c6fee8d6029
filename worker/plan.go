package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/planner"
	"github.com/extractq/extractq/store"
)

// When to ask is learned: every extraction that the vendor finishes adds to the
// account's histogram and to that of its document type, in Redis and thus for all
// workers. Each worker makes schedules of them and keeps them for a moment.

// planFor is how long a schedule is used before the histograms are looked at again.
const planFor = 2 * time.Second

// plans are the schedules of one account.
type plans struct {
	mu      sync.Mutex
	byLabel map[string]*plan
}

// plan is what is believed of one document type.
type plan struct {
	mu       sync.Mutex // Held by whoever looks at the histograms.
	at       time.Time
	law      planner.Law
	schedule *planner.Schedule
}

// maxPlans bounds how many types are kept: a producer may invent names.
const maxPlans = 1000

func (p *plans) of(label string) *plan {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byLabel[label] == nil {
		if p.byLabel == nil || len(p.byLabel) >= maxPlans {
			p.byLabel = map[string]*plan{}
		}
		p.byLabel[label] = &plan{}
	}
	return p.byLabel[label]
}

// plan is when to ask for a document of some type, and the law behind it.
func (w *Worker) plan(ctx context.Context, a *account, label string) (*planner.Schedule, planner.Law) {
	p := a.plans.of(label)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.schedule != nil && time.Since(p.at) < planFor {
		return p.schedule, p.law
	}
	law, terms, err := w.learned(ctx, a, label)
	if err != nil {
		w.log.WarnContext(ctx, "latencies not read", slog.String("account", a.Name), slog.Any("error", err))
		if p.schedule != nil {
			return p.schedule, p.law // The one before is better than none.
		}
	}
	p.at, p.law, p.schedule = time.Now(), law, law.Schedule(terms)
	return p.schedule, p.law
}

// learned is the law of a type: its own histogram, shrunk towards its account's,
// and that towards what is believed of any vendor.
func (w *Worker) learned(ctx context.Context, a *account, label string) (planner.Law, planner.Terms, error) {
	terms := planner.Terms{Price: a.PollPrice}
	all, own, err := w.records.Latencies(ctx, a.Name, label)
	if err != nil {
		return planner.Prior(), terms, err
	}
	running, each, err := w.records.Running(ctx, a.Name)
	if err != nil {
		return planner.Prior(), terms, err
	}
	var allAges, ownAges []float64
	for _, r := range running {
		for range int(each + 0.5) {
			allAges = append(allAges, r.Age.Seconds())
			if r.Label == label {
				ownAges = append(ownAges, r.Age.Seconds())
			}
		}
	}
	law := planner.Estimate(planner.Histogram(all.Bins), allAges, planner.Prior())
	return planner.Estimate(planner.Histogram(own.Bins), ownAges, law), terms, nil
}

// askAgain schedules the next poll of an extraction that is not final.
func (s *step) askAgain(because extraction.Because, c *store.Change) error {
	now := s.now()
	due := s.schedule.Due(s.rec.SubmittedAt, now, s.acct.Deadline)
	// The script rounds up to the whole second that due is already.
	return s.again(extraction.StepPoll, due.Sub(now)-time.Second/2, because, c)
}

// lookAgain is when to look again for something that was sent at some time and that
// may come until a limit.
func (s *step) lookAgain(since time.Time, limit time.Duration) time.Duration {
	now := s.now()
	return s.schedule.Due(since, now, limit).Sub(now)
}

// learnWhenEnded learns from an answer, if it is this step that has ended the
// extraction with it.
func (s *step) learnWhenEnded(out extraction.Outcome) {
	if s.final != nil {
		s.learn(out)
	}
}

// learn adds what this extraction shows to what is known of its vendor: when it
// finished, where the vendor says that, or else between which two answers.
func (s *step) learn(out extraction.Outcome) {
	if s.rec.Attempts == 0 || s.rec.SubmittedAt.IsZero() {
		return // An adopted one: nobody knows when it was submitted.
	}
	now := s.now()
	from, to := s.rec.NotYetAt.Sub(s.rec.SubmittedAt).Seconds(), now.Sub(s.rec.SubmittedAt).Seconds()
	if s.rec.NotYetAt.IsZero() {
		from = 0
	}
	bins := planner.Histogram{}
	if done := out.CompletedAt; !done.IsZero() && !done.After(now) && done.After(s.rec.SubmittedAt) {
		bins.Add(done.Sub(s.rec.SubmittedAt).Seconds(), 1)
	} else {
		bins.AddBetween(from, to, 1, s.law)
	}
	ctx, cancel := s.saving()
	defer cancel()
	err := s.w.records.Learn(ctx, s.acct.Name, s.rec.TypeLabel(), store.Lesson{Bins: bins})
	if err != nil { // One lesson more or less changes little.
		s.w.log.WarnContext(ctx, "latency not learned", slog.String("account", s.acct.Name), slog.Any("error", err))
	}
}
