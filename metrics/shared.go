package metrics

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// Shared is the state that all processes have in common.
type Shared struct {
	Records *store.Records
	Limiter *limiter.Limiter
	Queue   *queue.Queue
	// Accounts are the configured accounts. Others that have extractions are shown too.
	Accounts func() []string
}

// Share adds the shared state to the metrics.
func (m *Metrics) Share(s Shared) { m.registry.MustRegister(collector{s}) }

var (
	inFlight = prometheus.NewDesc("extractq_in_flight", "Extractions of an account that are at the vendor.", []string{"account"}, nil)
	oldest   = prometheus.NewDesc("extractq_oldest_queued_seconds",
		"How long the oldest extraction of an account that waits for its submission has waited; 0 where none does.", []string{"account"}, nil)
	paused = prometheus.NewDesc("extractq_account_paused", "1 while an account is paused for that reason.", []string{"account", "reason"}, nil)
	depth  = prometheus.NewDesc("extractq_queue_depth", "Tasks in a queue, by asynq's state.", []string{"queue", "state"}, nil)
)

// reasons are the reasons for which an account may be paused.
var reasons = []limiter.Reason{limiter.Operator, limiter.Unauthorized, limiter.Quota, limiter.Unavailable}

const (
	// scrapeTimeout is how long Redis may take for one scrape: less than Prometheus waits.
	scrapeTimeout = 5 * time.Second
	// atOnce is how many accounts are read concurrently.
	atOnce = 8
)

// collector reads the shared state at each scrape.
type collector struct{ Shared }

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{inFlight, oldest, paused, depth} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is logged once per scrape.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	if err := c.collect(ctx, ch); err != nil {
		ch <- prometheus.NewInvalidMetric(inFlight, err)
	}
}

func (c collector) collect(ctx context.Context, ch chan<- prometheus.Metric) error {
	accounts, err := c.Records.Accounts(ctx)
	if err != nil {
		return err
	}
	accounts = append(accounts, c.Accounts()...)
	slices.Sort(accounts)
	accounts = slices.Compact(accounts)
	there, err := c.Queue.Names()
	if err != nil {
		return err
	}
	queues := []string{queue.DeliverQueue}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, name := range accounts {
		queues = append(queues, queue.SubmitQueue(name), queue.PollQueue(name))
		g.Go(func() error { return c.account(ctx, name, ch) })
	}
	for _, name := range queues {
		if slices.Contains(there, name) {
			g.Go(func() error { return c.queue(name, ch) })
		}
	}
	return g.Wait()
}

func (c collector) account(ctx context.Context, name string, ch chan<- prometheus.Metric) error {
	load, err := c.Records.Load(ctx, name)
	if err != nil {
		return err
	}
	state, err := c.Limiter.State(ctx, name)
	if err != nil {
		return err
	}
	waited := time.Duration(0)
	if !load.Oldest.IsZero() {
		waited = max(0, time.Since(load.Oldest))
	}
	gauge(ch, inFlight, float64(load.InFlight), name)
	gauge(ch, oldest, waited.Seconds(), name)
	for _, r := range reasons {
		value := 0.0
		if state.Reason == r {
			value = 1
		}
		gauge(ch, paused, value, name, string(r))
	}
	return nil
}

func (c collector) queue(name string, ch chan<- prometheus.Metric) error {
	depths, err := c.Queue.Depths(name)
	if err != nil {
		return err
	}
	for state, n := range depths {
		gauge(ch, depth, float64(n), name, state)
	}
	return nil
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}
