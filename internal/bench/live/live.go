// Package live runs the benchmark in real time and over HTTP: a sandbox in this process stands
// for the vendor and counts what it is asked, and each policy takes the same documents through
// one of its own.
package live

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/bench"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/internal/serve"
	"github.com/extractq/extractq/provider/typless"
	"github.com/extractq/extractq/sandbox"
)

// typlessPath is where that dialect is in a sandbox.
const typlessPath = "/typless/api"

// Bench is one benchmark over HTTP.
type Bench struct {
	app.Process

	Want bench.Config
	// Provider is the vendor whose API is spoken.
	Provider string
	// Say prints a line for the user.
	Say func(format string, args ...any)
}

// Run measures one policy after the other; the clients without a queue last, at the
// same time.
func (b *Bench) Run(ctx context.Context) (bench.Report, error) {
	report := bench.Report{
		Mode: "http", Law: b.Want.Law.String(), Documents: b.Want.Documents, WarmUp: b.Want.WarmUp, Seed: b.Want.Seed,
		Arrive: b.Want.Arrive, Rate: b.Want.Rate, Price: b.Want.Price.Seconds(), Webhooks: b.Want.Webhooks,
		Intervals: b.Want.Intervals, Best: bench.BestCost(b.Want.Law, b.Want.Price),
	}
	variants := []variant{{name: "learned"}}
	if b.Want.Lists {
		variants = append(variants, variant{name: "learned, lists", lists: true})
	}
	if b.Want.Webhooks > 0 {
		variants = append(variants, variant{name: "learned, webhooks", webhooks: true})
	}
	for _, v := range variants {
		o, err := b.learned(ctx, v)
		if err != nil {
			return report, err
		}
		o.Judge(report)
		report.Policies = append(report.Policies, o)
	}
	b.Say("bench: clients without a queue take the same %d documents through", b.Want.Documents)
	clients := bench.Clients()
	outcomes, errs := make([]bench.Outcome, len(clients)), make([]error, len(clients))
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() { outcomes[i], errs[i] = b.client(ctx, c) })
	}
	all.Wait()
	for i := range outcomes {
		outcomes[i].Judge(report)
	}
	report.Policies = append(report.Policies, outcomes...)
	return report, errors.Join(errs...)
}

// client is one of those without a queue.
func (b *Bench) client(ctx context.Context, c bench.Client) (bench.Outcome, error) {
	o := bench.Outcome{Policy: c.Name}
	v, err := b.vendor(ctx, sandbox.Config{})
	if err != nil {
		return o, err
	}
	defer v.stop()
	p, err := b.NewProvider(v.account)
	if err != nil {
		return o, err
	}
	ended, err := c.Carry(ctx, p, b.measured(), b.arrivals())
	if err != nil {
		return o, err
	}
	var delays []time.Duration
	for _, e := range ended {
		delays = append(delays, v.delay(e.VendorID, e.At))
	}
	o.Succeeded, o.Lost = len(ended), b.Want.Documents-len(ended)
	o.Delays(delays)
	v.calls.Count(&o, b.Want.Rate)
	return o, nil
}

// arrivals returns when the next document comes.
func (b *Bench) arrivals() func(context.Context) error {
	if b.Want.Arrive <= 0 {
		return func(ctx context.Context) error { return ctx.Err() }
	}
	return rate.NewLimiter(rate.Limit(b.Want.Arrive), 1).Wait
}

// vendor is a sandbox in this process and the account at it.
type vendor struct {
	box     *sandbox.Sandbox
	calls   *bench.Recorder
	account config.Account
	stop    func()
}

// vendor starts one, at which the same document takes the same time for every client.
func (b *Bench) vendor(ctx context.Context, sc sandbox.Config) (*vendor, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	sc.Times, sc.Seed, sc.RateLimit, sc.Logger = b.times(), b.Want.Seed, b.Want.Rate, b.Log
	v := &vendor{box: sandbox.New(sc)}
	v.calls = bench.NewRecorder(v.box.Handler())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var serving sync.WaitGroup
	serving.Go(func() { _ = serve.Until(ctx, listener, v.calls, b.Log) })
	v.stop = func() {
		cancel()
		serving.Wait()
		v.box.Close()
	}
	v.account, err = b.Account("", app.SandboxProvider) // One with all defaults.
	if err != nil {
		v.stop()
		return nil, errkind.New(errkind.Usage, err)
	}
	path := app.SandboxPath
	if b.Provider == typless.Name {
		path = typlessPath
	}
	v.account.Name, v.account.Provider, v.account.APIKey = "bench", b.Provider, config.NewSecret("bench")
	v.account.BaseURL = "http://" + listener.Addr().String() + path
	v.account.Rate, v.account.MaxInFlight = config.Rate(b.Want.Rate), b.Want.MaxInFlight
	v.account.PollPrice, v.account.Sweep = b.Want.Price, config.SweepOff
	return v, nil
}

// delay is how long after the vendor's end something was known.
func (v *vendor) delay(vendorID string, at time.Time) time.Duration {
	finished, ok := v.box.FinishedAt(vendorID)
	if !ok {
		return 0
	}
	return max(at.Sub(finished), 0)
}

// warmUp are the documents to learn from.
func (b *Bench) warmUp() []bench.Document { return benchDocuments(0, b.Want.WarmUp) }

// measured are those that count.
func (b *Bench) measured() []bench.Document {
	return benchDocuments(b.Want.WarmUp, b.Want.Documents)
}

// times are how long the documents take, by their SHA-256: as long as in virtual time.
func (b *Bench) times() map[[sha256.Size]byte]time.Duration {
	all := benchDocuments(0, b.Want.WarmUp+b.Want.Documents)
	times := make(map[[sha256.Size]byte]time.Duration, len(all))
	for i, d := range b.Want.Latencies() {
		times[sha256.Sum256(all[i].Body)] = d
	}
	return times
}

// benchDocuments are some of the generated ones, by their numbers.
func benchDocuments(from, n int) []bench.Document {
	out := make([]bench.Document, n)
	for i := range out {
		out[i] = bench.Document{
			Name: fmt.Sprintf("form-%d.pdf", from+i), ContentType: "application/pdf", Type: fixtures.TaxFormType,
			Body: fixtures.TaxForm(from + i + 1),
		}
	}
	return out
}
