package polling

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/extractq/extractq/polling/plan"
	"github.com/extractq/extractq/store"
)

// Config configures a Planner.
type Config struct {
	// Account is the account's name.
	Account string
	// Price is the delay of a result that one poll is worth.
	Price time.Duration
	// ReadyLists reports that the account's ready lists may be read.
	ReadyLists bool
	// HookExpected reports that the vendor sends a webhook at each end.
	HookExpected bool
	Logger       *slog.Logger
}

// Planner plans the polls of one account. It is safe for concurrent use.
type Planner struct {
	cfg     Config
	store   *Store
	records *store.Records

	mu      sync.Mutex
	byLabel map[string]*cached

	inFlight sample
	gathered gathered
}

// NewPlanner returns the planner of an account.
func NewPlanner(s *Store, cfg Config) *Planner {
	return &Planner{cfg: cfg, store: s, records: s.records}
}

const (
	// forecastFor is how long a forecast is used before the histories are read again.
	forecastFor = 2 * time.Second
	// maxForecasts bounds the number of types that are kept: producers may invent names.
	maxForecasts = 1000
	// seenEnough is how many extractions are needed to estimate the slowest.
	seenEnough = 20
)

// Forecast is what is expected of one document type at a moment.
type Forecast struct {
	law      plan.Law
	schedule *plan.Schedule
	// listed is the age up to which the vendor's ready lists notify us of an end; zero if
	// they are not read.
	listed time.Duration
	// probation is the age up to which they are searched while they are on probation.
	probation time.Duration
	// uncertain is UncertainWindow.
	uncertain time.Duration
}

// Due is when to poll an extraction that was submitted then and had not finished by last,
// no later than its deadline. It is a whole second, rounded up.
func (f Forecast) Due(submitted, last time.Time, deadline time.Duration) time.Time {
	return f.schedule.Due(submitted, last, deadline)
}

// UncertainWindow is how long a submission whose answer was lost may still turn up: the age
// by which 999 of 1,000 have finished, and a minute. It is zero while too few were seen.
func (f Forecast) UncertainWindow() time.Duration { return f.uncertain }

// cached is a forecast and its age.
type cached struct {
	mu sync.Mutex // Held by the step that reads the histories.
	at time.Time
	Forecast
	numbers *numbers
}

// sample is what is at the vendor, or a sample of it, each element standing for several.
type sample struct {
	mu      sync.Mutex // Held by the step that reads it.
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

// Forecast returns the forecast for a document type; the empty label stands for the
// account. If Redis cannot be read, it is the previous forecast, or that for an unknown
// vendor.
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

// learned makes a forecast: a type's own histogram is shrunk towards its account's, and
// that towards the prior.
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
		Price: p.cfg.Price, Unnotified: plan.Unnotified(all.HookMissed, missedByLists(all), f.listed),
	})
	return f, nil
}

// running is what is at the vendor, at most a moment old. Reading it takes a thousand
// lookups, and it is the same for every type.
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

// stillRunning converts running extractions, each standing for several, with the weight
// they would have if they had finished.
func stillRunning(running []store.Running, each float64, weigh func(store.Running) float64) []plan.Running {
	var out []plan.Running
	for _, r := range running {
		if w := each * weigh(r); r.Known > 0 && w > 0 {
			out = append(out, plan.Running{Age: r.Known.Seconds(), Weight: w})
		}
	}
	return out
}
