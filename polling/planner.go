package polling

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/extractq/extractq/polling/plan"
	"github.com/extractq/extractq/store"
)

// Config is what a Planner plans for.
type Config struct {
	// Account is the account's name.
	Account string
	// Price is the delay of a result, in time, that one poll is worth.
	Price time.Duration
	// ReadyLists reports that the account's ready lists may be read.
	ReadyLists bool
	// HookExpected reports that the vendor calls a webhook at each end.
	HookExpected bool
	Logger       *slog.Logger
}

// Planner plans the polls of one account. Several steps may use it at once.
type Planner struct {
	cfg     Config
	store   *Store
	records *store.Records

	mu      sync.Mutex
	byLabel map[string]*cached

	inFlight sample
	gathered gathered
}

// NewPlanner returns the planner of one account.
func NewPlanner(s *Store, cfg Config) *Planner {
	return &Planner{cfg: cfg, store: s, records: s.records}
}

const (
	// forecastFor is how long a forecast is used before the histories are looked at again.
	forecastFor = 2 * time.Second
	// maxForecasts bounds how many types are kept: a producer may invent names.
	maxForecasts = 1000
	// seenEnough is how many extractions it takes to say how slow the slowest are.
	seenEnough = 20
)

// Forecast is what is believed of one document type at a moment.
type Forecast struct {
	law      plan.Law
	schedule *plan.Schedule
	// listed is the age up to which the vendor's ready lists tell of an end; zero
	// where they are not read.
	listed time.Duration
	// probation is the age up to which they are looked through where they are on probation.
	probation time.Duration
	// uncertain is UncertainWindow.
	uncertain time.Duration
}

// Due is when to ask next for what was submitted at a time and has not finished by last;
// at the latest at the end of its deadline. It is a whole second, rounded up.
func (f Forecast) Due(submitted, last time.Time, deadline time.Duration) time.Time {
	return f.schedule.Due(submitted, last, deadline)
}

// UncertainWindow is how long a submission whose answer was lost may still turn up: the
// age by which 999 of 1,000 have finished, and a minute. It is zero while too little was
// seen to say.
func (f Forecast) UncertainWindow() time.Duration { return f.uncertain }

// cached is a forecast and its age.
type cached struct {
	mu sync.Mutex // Held by the step that looks at the histories.
	at time.Time
	Forecast
	numbers *numbers
}

// sample is what is at the vendor, or some of it, of which each stands for several.
type sample struct {
	mu      sync.Mutex // Held by the step that looks.
	at      time.Time
	running []store.Running
	each    float64
}

func (p *Planner) cached(label string) *cached {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byLabel[label] == nil {
		if p.byLabel == nil || len(p.byLabel) >= maxForecasts {
			p.byLabel = map[string]*cached{}
		}
		p.byLabel[label] = &cached{numbers: new(numbers)}
	}
	return p.byLabel[label]
}

// Forecast is what is believed of a document type; the empty label is the account. Where
// Redis cannot be read it is the one before, or what is believed of any vendor.
func (p *Planner) Forecast(ctx context.Context, label string) Forecast {
	c := p.cached(label)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.schedule != nil && time.Since(c.at) < forecastFor {
		return c.Forecast
	}
	got, err := p.learned(ctx, label)
	if err != nil {
		p.cfg.Logger.WarnContext(ctx, "latencies not read", slog.String("account", p.cfg.Account), slog.Any("error", err))
		if c.schedule != nil {
			return c.Forecast
		}
		prior := plan.Prior()
		got = Forecast{law: prior, schedule: prior.Schedule(plan.Terms{Price: p.cfg.Price})}
	}
	c.at, c.Forecast = time.Now(), got
	return got
}

// learned makes a forecast: a type's own histogram is shrunk towards its account's,
// and that towards what is believed of any vendor.
func (p *Planner) learned(ctx context.Context, label string) (Forecast, error) {
	all, own, err := p.store.Histories(ctx, p.cfg.Account, label)
	if err != nil {
		return Forecast{}, err
	}
	running, each, err := p.running(ctx)
	if err != nil {
		return Forecast{}, err
	}
	list, err := p.store.ReadyList(ctx, p.cfg.Account)
	if err != nil {
		return Forecast{}, err
	}
	f := Forecast{law: plan.Estimate(plan.Histogram(all.Bins), stillRunning(running, each, func(r store.Running) float64 {
		return all.weightOf(r.SubmitSeq.Account)
	}), plan.Prior())}
	if plan.Histogram(all.Bins).Weight() >= seenEnough {
		f.uncertain = seconds(f.law.Quantile(0.999)) + time.Minute
	}
	window := seconds(f.law.Quantile(plan.WindowShare))
	switch {
	case !p.cfg.ReadyLists:
	case list.Trusted && list.Alive():
		f.listed = window
	case list.OnProbation():
		f.probation = window
	}
	if label != "" {
		same := stillRunning(running, each, func(r store.Running) float64 {
			if r.Label != label {
				return 0
			}
			return own.weightOf(r.SubmitSeq.Type)
		})
		f.law = plan.Estimate(plan.Histogram(own.Bins), same, f.law)
	}
	f.schedule = f.law.Schedule(plan.Terms{
		Price: p.cfg.Price, Unheard: plan.Unheard(all.HookMissed, missedByLists(all), f.listed),
	})
	return f, nil
}

// running is what is at the vendor, as it was a moment ago at most. It is a thousand
// lookups, and the same for every type.
func (p *Planner) running(ctx context.Context) ([]store.Running, float64, error) {
	f := &p.inFlight
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.at) < forecastFor {
		return f.running, f.each, nil
	}
	running, each, err := p.records.Running(ctx, p.cfg.Account)
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
