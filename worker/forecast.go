package worker

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/polling/plan"
	"github.com/extractq/extractq/store"
)

// When to ask is learned: every extraction that the vendor finishes adds to the
// account's histogram and to that of its document type, in Redis and thus for all
// workers. Each worker makes schedules of them and keeps them for a moment.

// forecastFor is how long a forecast is used before the histograms are looked at
// again.
const forecastFor = 2 * time.Second

// forecast is what is believed of one document type.
type forecast struct {
	law      plan.Law
	schedule *plan.Schedule
	// listed is the age up to which the vendor's ready lists tell of an end; zero
	// where they are not read.
	listed time.Duration
	// tried is the age up to which they are looked through where they are read on trial.
	tried time.Duration
	// uncertain is how long a submission whose answer was lost may still turn up;
	// zero while too little has been seen to say.
	uncertain time.Duration
}

// seenEnough is how many extractions it takes to say how slow the slowest are.
const seenEnough = 20

// forecasts are those of one account.
type forecasts struct {
	mu      sync.Mutex
	byLabel map[string]*cached

	// flight is what all of them are made of, beside what has ended.
	flight flight
}

// flight is what is at the vendor, or a sample of it, of which each stands for some.
type flight struct {
	mu      sync.Mutex // Held by the step that looks.
	at      time.Time
	running []store.Running
	each    float64
}

// cached is a forecast and its age.
type cached struct {
	mu sync.Mutex // Held by the step that looks at the histograms.
	at time.Time
	forecast
}

// maxForecasts bounds how many types are kept: a producer may invent names.
const maxForecasts = 1000

func (p *forecasts) of(label string) *cached {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byLabel[label] == nil {
		if p.byLabel == nil || len(p.byLabel) >= maxForecasts {
			p.byLabel = map[string]*cached{}
		}
		p.byLabel[label] = &cached{}
	}
	return p.byLabel[label]
}

// forecast is what is believed of a document type; the empty label is the account.
func (w *Worker) forecast(ctx context.Context, a *account, label string) forecast {
	c := a.forecasts.of(label)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.schedule != nil && time.Since(c.at) < forecastFor {
		return c.forecast
	}
	got, err := w.learned(ctx, a, label)
	if err != nil {
		w.log.WarnContext(ctx, "latencies not read", slog.String("account", a.Name), slog.Any("error", err))
		if c.schedule != nil {
			return c.forecast // The one before is better than none.
		}
		law := plan.Prior()
		got = forecast{law: law, schedule: law.Schedule(plan.Terms{Price: a.PollPrice})}
	}
	c.at, c.forecast = time.Now(), got
	return got
}

// learned makes a forecast: a type's own histogram is shrunk towards its account's,
// and that towards what is believed of any vendor.
func (w *Worker) learned(ctx context.Context, a *account, label string) (forecast, error) {
	all, own, err := w.records.Latencies(ctx, a.Name, label)
	if err != nil {
		return forecast{}, err
	}
	running, each, err := w.inFlight(ctx, a)
	if err != nil {
		return forecast{}, err
	}
	listing, err := w.records.Listing(ctx, a.Name)
	if err != nil {
		return forecast{}, err
	}
	f := forecast{law: plan.Estimate(plan.Histogram(all.Bins), stillRunning(running, each, func(r store.Running) float64 {
		return all.Weigh(r.Order.Account)
	}), plan.Prior())}
	if plan.Histogram(all.Bins).Weight() >= seenEnough {
		f.uncertain = seconds(f.law.Quantile(0.999)) + time.Minute
	}
	window := seconds(f.law.Quantile(plan.WindowShare))
	switch {
	case !a.Sweep:
	case listing.Trusted && listing.Alive():
		f.listed = window
	case listing.OnTrial():
		f.tried = window
	}
	if label != "" {
		same := stillRunning(running, each, func(r store.Running) float64 {
			if r.Label != label {
				return 0
			}
			return own.Weigh(r.Order.Type)
		})
		f.law = plan.Estimate(plan.Histogram(own.Bins), same, f.law)
	}
	f.schedule = f.law.Schedule(plan.Terms{
		Price: a.PollPrice, Unheard: plan.Unheard(all.HookMissed, missedByLists(all), f.listed),
	})
	return f, nil
}

// inFlight is what is at the vendor, as it was a moment ago at most. It is a thousand
// lookups, and the same for every type.
func (w *Worker) inFlight(ctx context.Context, a *account) ([]store.Running, float64, error) {
	f := &a.forecasts.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.at) < forecastFor {
		return f.running, f.each, nil
	}
	running, each, err := w.records.Running(ctx, a.Name)
	if err != nil {
		return nil, 0, err
	}
	f.at, f.running, f.each = time.Now(), running, each
	return running, each, nil
}

// stillRunning is what is known of those that are running, each standing for some and
// weighing as much as it would had it finished.
func stillRunning(running []store.Running, each float64, weigh func(store.Running) float64) []plan.Running {
	var out []plan.Running
	for _, r := range running {
		if w := each * weigh(r); r.Known > 0 && w > 0 {
			out = append(out, plan.Running{Age: r.Known.Seconds(), Weight: w})
		}
	}
	return out
}

// place counts a submission that is about to be made, so that what it will show is as
// old as the others of its time. Where that fails it counts as the latest.
func (s *step) place() store.Order {
	o, err := s.w.records.NextOrder(s.ctx, s.acct.Name, s.rec.TypeLabel())
	if err != nil {
		s.w.log.WarnContext(s.ctx, "submission not counted", slog.String("account", s.acct.Name), slog.Any("error", err))
	}
	s.rec.Order = o
	return o
}

// askAgain schedules the next poll of an extraction that is not final.
func (s *step) askAgain(because extraction.Because, c *store.Change) error {
	due, wait := s.nextPoll()
	return s.again(extraction.StepPoll, wait, because, c.PlannedAt(due))
}

// nextPoll is when the schedule asks next, and how long that is from now as scripts
// take it.
func (s *step) nextPoll() (due time.Time, wait time.Duration) {
	now := s.now()
	due = s.forecast.schedule.Due(s.rec.SubmittedAt, now, s.acct.Deadline)
	// The script rounds up to the whole second that due is already. Right before the
	// deadline that is less than half a second away, and no delay is no rounding: polls
	// would follow each other until then.
	return due, max(due.Sub(now)-time.Second/2, time.Millisecond)
}

// tooEarly reports that a poll was planned before something better was known: the
// account's lists are read since, or the vendor has turned out to be slower. It is
// planned anew then, without a call.
func (s *step) tooEarly() (due time.Time, early bool) {
	// One that runs before its time was pulled forward by hand, and one that is due at
	// another time than planned is not there because of a plan.
	if !s.rec.Due.Equal(s.rec.PlannedAt) || s.rec.Due.After(s.now()) {
		return time.Time{}, false
	}
	last := s.rec.NotYetAt
	if last.IsZero() {
		last = s.rec.SubmittedAt
	}
	due = s.forecast.schedule.Due(s.rec.SubmittedAt, last, s.acct.Deadline)
	return due, due.Sub(s.now()) > time.Second
}

// uncertainWindow is how long a submission whose answer was lost is looked for: until
// 999 of 1,000 have ended by then, and a minute; no longer than the account allows.
func (s *step) uncertainWindow() time.Duration {
	window := cmp.Or(s.forecast.uncertain, s.w.cfg.UncertainWindow)
	if most := s.acct.UncertainWindow; most > 0 {
		return min(window, most)
	}
	return window
}

// lookAgain is when to look again for something that was sent at some time and that
// may come until a limit.
func (s *step) lookAgain(since time.Time, limit time.Duration) time.Duration {
	now := s.now()
	return s.forecast.schedule.Due(since, now, limit).Sub(now)
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
		return // An adopted one: when it was submitted is unknown.
	}
	now := s.now()
	from, to := s.rec.NotYetAt.Sub(s.rec.SubmittedAt).Seconds(), now.Sub(s.rec.SubmittedAt).Seconds()
	if s.rec.NotYetAt.IsZero() {
		from = 0
	}
	bins := plan.Histogram{}
	finished := s.completedAt(out, now)
	if !finished.IsZero() {
		bins.Add(finished.Sub(s.rec.SubmittedAt).Seconds(), 1)
	} else {
		bins.AddBetween(from, to, 1, s.forecast.law)
	}
	ctx, cancel := s.saving()
	defer cancel()
	age := time.Duration(to * float64(time.Second))
	if !finished.IsZero() {
		age = finished.Sub(s.rec.SubmittedAt)
	}
	lesson := store.Lesson{Bins: bins, Order: s.rec.Order, Hook: told(s.rec.Hooked, s.acct.HookURL != "", finished, now)}
	lesson.List = told(s.rec.Listed, age < s.forecast.listed && !s.rec.Hooked, finished, now)
	if lesson.Trial = s.forecast.tried > 0; lesson.Trial && lesson.List == store.ToldUnknown {
		if finished.IsZero() { // In the middle of the time in which it must have been.
			finished = s.rec.SubmittedAt.Add(seconds((from + to) / 2))
		}
		lesson.List = s.missedOnTrial(ctx, finished)
	}
	err := s.w.records.Learn(ctx, s.acct.Name, s.rec.TypeLabel(), lesson)
	if err != nil { // One lesson more or less changes little.
		s.w.log.WarnContext(ctx, "latency not learned", slog.String("account", s.acct.Name), slog.Any("error", err))
	}
}

// toldWithin is how soon after the end a webhook or a list may still tell of it: a poll that
// comes first says nothing about whether that would have happened.
const toldWithin = 3 * time.Second

// told says whether a webhook or a list told of an end, where that was to be expected.
func told(was, expected bool, finished, now time.Time) store.Told {
	switch {
	case was:
		return store.ToldTrue
	case !expected, !finished.IsZero() && now.Sub(finished) < toldWithin:
		return store.ToldUnknown
	}
	return store.ToldNot
}
