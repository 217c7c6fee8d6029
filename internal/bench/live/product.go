package live

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/embedded"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/bench"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/follow"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/provider/typless"
	"github.com/extractq/extractq/sandbox"
	"github.com/extractq/extractq/store"
)

// variant is the product with some of what it can do.
type variant struct {
	name            string
	lists, webhooks bool
}

// learned measures the product itself, wired as up wires it: with documents to learn
// from first, and then those that count.
func (b *Bench) learned(ctx context.Context, v variant) (o bench.Outcome, err error) {
	o.Policy = v.name
	s := *b
	cfg := *b.Config
	s.Config = &cfg
	if cfg.Redis.URL == "" || !b.DataGiven {
		scratch, err := embedded.NewScratch() //nolint:contextcheck // It ends with the process, not with a context.
		if err != nil {
			return o, errkind.MarkUnavailable(err)
		}
		defer func() { _ = scratch.Close() }() // A temporary folder; an error changes nothing.
		cfg.Data.URL, s.Scratch = config.FileURL(scratch.Dir), true
	}
	hooks, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return o, errkind.MarkUnavailable(err)
	}
	defer func() { _ = hooks.Close() }() // The server has closed it already.
	sc := sandbox.Config{WebhookLoss: 1 - b.Want.Webhooks}
	if v.webhooks {
		cfg.API.PublicURL = "http://" + hooks.Addr().String()
		if b.Provider == typless.Name {
			sc.TyplessWebhook = cfg.API.PublicURL + "/v1/hooks/bench/" + benchHookToken
		}
	}
	vendor, err := b.vendor(ctx, sc)
	if err != nil {
		return o, err
	}
	defer vendor.stop()
	if v.lists {
		vendor.account.Sweep = config.SweepAuto
	}
	if v.webhooks {
		vendor.account.HookToken = config.NewSecret(benchHookToken)
	}
	cfg.Accounts = []config.Account{vendor.account}

	svc, err := app.Open(ctx, s.Process, true)
	if err != nil {
		return o, err
	}
	defer svc.Close()
	stop, err := s.serve(ctx, svc, hooks)
	if err != nil {
		return o, err
	}
	defer stop()
	if b.Want.WarmUp > 0 {
		b.Say("bench: %s: %d documents to learn from", v.name, b.Want.WarmUp)
		at := func(context.Context) error { return nil }
		if _, err := s.carry(ctx, svc, b.warmUp(), at); err != nil {
			return o, err
		}
	}
	b.Say("bench: %s: %d documents", v.name, b.Want.Documents)
	vendor.calls.Reset()
	ended, err := s.carry(ctx, svc, b.measured(), b.arrivals())
	if err != nil {
		return o, err
	}
	var delays []time.Duration
	for _, r := range ended {
		if r.Status != extraction.StatusSuccess {
			o.Lost++
			continue
		}
		o.Succeeded++
		delays = append(delays, vendor.delay(r.VendorID, r.FinishedAt))
		if r.Hooked || r.Listed {
			o.Requests.Fetch++
		}
	}
	o.Delays(delays)
	vendor.calls.Count(&o, b.Want.Rate)
	// The question that found the end is among the polls.
	o.Requests.Fetch = min(o.Requests.Fetch, o.Requests.Poll)
	o.Requests.Poll -= o.Requests.Fetch
	return o, nil
}

// benchHookToken is the secret of webhooks that no other process can reach.
const benchHookToken = "bench"

// serve runs a worker and the API, which takes the webhooks, until stop.
func (b *Bench) serve(ctx context.Context, svc *app.Services, hooks net.Listener) (stop func(), err error) {
	w, err := app.NewServerWorker(b.Process, svc)
	if err != nil {
		return nil, err
	}
	a, err := app.NewAPI(b.Process, svc)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Go(func() {
		err := app.RunInOrder(ctx, b.Log,
			app.Role{Name: "api", Run: func(ctx context.Context) error { return app.ServeAPI(ctx, b.Process, a, a.Handler(), hooks) }},
			app.Role{Name: "worker", Run: w.Run},
		)
		if err != nil {
			b.Log.ErrorContext(ctx, "benchmark's service ended", slog.Any("error", err))
		}
	})
	return func() { cancel(); all.Wait() }, nil
}

// submitters is how many documents are submitted at once.
const submitters = 4

// carry submits documents as they arrive and waits until all of them are final.
func (b *Bench) carry(ctx context.Context, svc *app.Services, docs []bench.Document, wait func(context.Context) error) ([]store.Record, error) {
	f, err := follow.New(ctx, follow.Config{Records: svc.Records, Accounts: []string{"bench"}})
	if err != nil {
		return nil, err
	}
	g, submitting := errgroup.WithContext(ctx)
	g.SetLimit(submitters)
	for _, d := range docs {
		if err := wait(submitting); err != nil {
			break // The group says why.
		}
		g.Go(func() error {
			r, err := svc.Client.Submit(submitting, intake.Submission{
				Account: "bench", Provider: b.Provider, Type: d.Type, Name: d.Name, ContentType: d.ContentType,
				Document: bytes.NewReader(d.Body),
			})
			if err == nil {
				f.Watch("bench", r.ID)
			}
			return err
		})
	}
	if err := errors.Join(g.Wait(), context.Cause(ctx)); err != nil {
		return nil, err
	}
	var ended []store.Record
	err = f.Run(ctx, func() bool { return len(f.Waiting()) == 0 }, func(r store.Record, _ bool) error {
		ended = append(ended, r)
		return nil
	})
	return ended, err
}
