package main

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

// Real time: a sandbox in this process stands for the vendor and counts what it is
// asked, and each policy takes the same documents through one of its own.

// typlessPath is where that dialect is in a sandbox.
const typlessPath = "/typless/api"

// httpBench is one benchmark over HTTP.
type httpBench struct {
	settings

	want     bench.Config
	provider string
}

// run measures one policy after the other; the clients without a queue last, at the
// same time.
func (b *httpBench) run(ctx context.Context) (bench.Report, error) {
	report := bench.Report{
		Mode: "http", Law: b.want.Law.String(), Documents: b.want.Documents, WarmUp: b.want.WarmUp, Seed: b.want.Seed,
		Arrive: b.want.Arrive, Rate: b.want.Rate, Price: b.want.Price.Seconds(), Webhooks: b.want.Webhooks,
		Intervals: b.want.Intervals, Best: bench.BestCost(b.want.Law, b.want.Price),
	}
	variants := []variant{{name: "learned"}}
	if b.want.Lists {
		variants = append(variants, variant{name: "learned, lists", lists: true})
	}
	if b.want.Webhooks > 0 {
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
	b.Say("bench: clients without a queue take the same %d documents through", b.want.Documents)
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
func (b *httpBench) client(ctx context.Context, c bench.Client) (bench.Outcome, error) {
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
	o.Succeeded, o.Lost = len(ended), b.want.Documents-len(ended)
	o.Delays(delays)
	v.calls.Count(&o, b.want.Rate)
	return o, nil
}

// arrivals returns when the next document comes.
func (b *httpBench) arrivals() func(context.Context) error {
	if b.want.Arrive <= 0 {
		return func(ctx context.Context) error { return ctx.Err() }
	}
	return rate.NewLimiter(rate.Limit(b.want.Arrive), 1).Wait
}

// vendor is a sandbox in this process and the account at it.
type vendor struct {
	box     *sandbox.Sandbox
	calls   *bench.Recorder
	account config.Account
	stop    func()
}

// vendor starts one, at which the same document takes the same time for every client.
func (b *httpBench) vendor(ctx context.Context, sc sandbox.Config) (*vendor, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	sc.Times, sc.Seed, sc.RateLimit, sc.Logger = b.times(), b.want.Seed, b.want.Rate, b.Log
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
	if b.provider == typless.Name {
		path = typlessPath
	}
	v.account.Name, v.account.Provider, v.account.APIKey = "bench", b.provider, config.NewSecret("bench")
	v.account.BaseURL = "http://" + listener.Addr().String() + path
	v.account.Rate, v.account.MaxInFlight = config.Rate(b.want.Rate), b.want.MaxInFlight
	v.account.PollPrice, v.account.Sweep = b.want.Price, config.SweepOff
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
func (b *httpBench) warmUp() []bench.Document { return benchDocuments(0, b.want.WarmUp) }

// measured are those that count.
func (b *httpBench) measured() []bench.Document {
	return benchDocuments(b.want.WarmUp, b.want.Documents)
}

// times are how long the documents take, by their SHA-256: as long as in virtual time.
func (b *httpBench) times() map[[sha256.Size]byte]time.Duration {
	all := benchDocuments(0, b.want.WarmUp+b.want.Documents)
	times := make(map[[sha256.Size]byte]time.Duration, len(all))
	for i, d := range b.want.Latencies() {
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
