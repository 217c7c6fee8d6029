package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/embedded"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/internal/submitter"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/sandbox"
	"github.com/extractq/extractq/worker"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "take documents through a vendor and write their results",
		ArgsUsage: "DOCUMENT…",
		Description: `The main job in one process: submits every DOCUMENT, waits, writes the results
and shows progress. With no Redis given it brings its own.
` + documentHelp + `

With --out DIR the whole extraction goes to DIR/NAME.json, and the same command
again does what is left. Without it, results are printed as NDJSON.

Examples:

   extractq run --provider sandbox --type tax_forms examples/
   extractq run --provider sandbox --type invoices --out results examples/invoice.pdf
   extractq run --account acme --type tax_forms --out results inbox/ more/1040.pdf
   extractq run --account acme --type tax_forms --out results 'scans/**/*.pdf' @more.txt
   extractq run --account acme --type tax_forms --name 1040.pdf - <1040.pdf
   extractq run --account acme --type tax_forms --out results --rate 1/s --dry-run inbox/`,
		Flags: append(inputFlags(),
			&cli.StringFlag{Name: "out", Usage: "write results to `DIR`, and resume from there"},
			&cli.StringFlag{Name: "format", Usage: "print results as table, json, ndjson or csv"},
			&cli.BoolFlag{Name: "json", Usage: "the same as --format ndjson"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what there is to do, what it takes, and do nothing"},
			&cli.IntFlag{Name: "limit", Usage: "take only the first `N` documents"},
			&cli.StringFlag{Name: "rate", Usage: "calls to the vendor, as in `10/s`, in place of the account's"},
			&cli.BoolFlag{Name: "retry-failed", Usage: "repeat what an earlier run did not end with SUCCESS, and ask the vendor first where it may have it"},
			&cli.DurationFlag{Name: "timeout", Usage: "stop waiting after `DURATION` with exit code 4"},
			acceptEmpty(),
		),
		Action: func(c *cli.Context) error {
			cfg, err := load(c, slog.LevelWarn)
			if err != nil {
				return err
			}
			cfg.BriefOutages()
			if !c.Args().Present() {
				return errkind.Usagef("run: name at least one document; see extractq run --help")
			}
			want, err := readInputs(c, cfg)
			if err != nil {
				return err
			}
			if c.Int("limit") < 0 || c.IsSet("limit") && c.Int("limit") == 0 {
				return errkind.Usagef("--limit: want a number of documents from 1 on")
			}
			if s := c.String("rate"); s != "" {
				if want.account.Rate, err = config.ParseRate(s); err != nil {
					return errkind.Usagef("--rate: %w", err)
				}
			}
			ctx := c.Context
			if d := c.Duration("timeout"); d > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, d,
					errkind.New(errkind.Timeout, fmt.Errorf("timeout of %v passed; the same command again goes on", d)))
				defer cancel()
			}
			var p render.Printer = render.Discard{}
			if c.String("out") == "" || c.String("format") != "" || c.Bool("json") {
				if p, err = choosePrinter(c, cfg.Out, render.Results); err != nil {
					return err
				}
			}
			docs, err := documents.Find(ctx, c.Args().Slice(), c.String("name"), c.Int("limit"), cfg.API.MaxDocument, c.App.Reader)
			if err != nil {
				return err
			}
			defer docs.Close()
			b, err := newBackfill(runConfig{
				settings: cfg, wanted: want, documents: docs, out: c.String("out"),
				retryFailed: c.Bool("retry-failed"), print: p,
			})
			if err != nil {
				return err
			}
			if c.Bool("dry-run") {
				f := c.String("format")
				return b.dryRun(ctx, cfg.Out, c.Bool("json") || f == string(render.JSON) || f == string(render.NDJSON))
			}
			return b.run(ctx)
		},
	}
}

// stopWithin is how long running steps may take to end: the first Ctrl-C ends
// within 5 s, with Redis and all. An upload that is cut off is looked after by
// the next run.
const stopWithin = 2 * time.Second

// runConfig is one run, as the flags say it.
type runConfig struct {
	settings
	wanted

	documents   *documents.Finder
	out         string
	retryFailed bool
	// sandboxed reports that the vendor is a sandbox that ends with this process.
	sandboxed bool
	print     render.Printer
}

// newBackfill is a run that has not begun.
func newBackfill(rc runConfig) (*backfill, error) {
	reader, err := rc.opener(rc.settings)
	if err != nil {
		return nil, err
	}
	rc.sandboxed = rc.account.Provider == app.SandboxProvider && rc.account.BaseURL == ""
	rc.print = &render.Shared{Printer: rc.print}
	return &backfill{runConfig: rc, reader: reader, storeFails: make(chan error, 1)}, nil
}

// run does one run: it opens everything, carries the documents through
// and closes everything again.
func (b *backfill) run(ctx context.Context) error {
	if err := b.look(ctx, false); err != nil {
		return err
	}
	warnUnsigned(b.settings, b.template.CallbackURL)
	closeState, err := b.openState(ctx)
	if err != nil {
		return err
	}
	defer closeState()
	svc, err := app.Open(ctx, b.Process, true)
	if err != nil {
		return err
	}
	defer svc.Close()
	b.rules.Serves, b.rules.MaxBacklog = true, 0 // Its own worker carries them, a few at a time.
	svc.Client = svc.Client.With(func(context.Context, string, string) (intake.Rules, error) { return b.rules, nil })
	b.Services = svc
	b.submitter = submitter.New(svc.Records, svc.Blobs, b.Say)
	b.forgets = b.out != "" && !svc.Persistent
	b.keeps = svc.Persistent && (!b.sandboxed || b.DataGiven)
	b.outbox = b.newOutbox()
	if b.journal != nil {
		b.journal.durable = !svc.Persistent
	}

	stop, err := b.serve(ctx)
	if err != nil {
		return err
	}
	shown, endProgress := b.Progress(b.found.Documents)
	b.shown = shown
	err = b.drain(ctx, b.carry(ctx))
	endProgress()
	// Running steps are saved before Redis is closed; what they leave undone
	// the next run finds.
	stop()
	if closeErr := b.print.Close(); err == nil && closeErr != nil {
		err = closeErr
	}
	return err
}

// look says what there is to do, before anything is submitted.
func (b *backfill) look(ctx context.Context, sizes bool) error {
	var err error
	b.found, err = b.documents.Scan(ctx, sizes, func(what string, err error) {
		b.fail(what, extraction.CodeDocumentUnavailable, err)
	})
	if err != nil {
		return err
	}
	return b.found.Check(b.Say)
}

// openState prepares where this run keeps its state, and the sandbox if it is
// the vendor.
func (b *backfill) openState(ctx context.Context) (func(), error) {
	var closers []func()
	closeAll := func() {
		for _, c := range slices.Backward(closers) {
			c()
		}
	}
	if b.out != "" {
		if err := os.MkdirAll(b.out, 0o700); err != nil {
			return nil, errkind.MarkUnavailable(fmt.Errorf("--out cannot be written: %w", documents.Cause(err)))
		}
		j, err := openJournal(b.out)
		if err != nil {
			return nil, err
		}
		b.journal = j
		if damage := j.Damage(); damage != "" {
			b.Say("%s", damage)
		}
		closers = append(closers, func() { _ = j.Close() })
		if b.Redis.URL == "" && !b.DataGiven {
			dir, err := filepath.Abs(filepath.Join(b.out, stateFolder))
			if err != nil {
				closeAll()
				return nil, errkind.New(errkind.Usage, err)
			}
			b.Data.URL = config.FileURL(dir)
		}
	}
	if b.sandboxed {
		// Its extractions end with this process, and so does what we know of
		// them.
		if !b.DataGiven && b.Redis.URL == "" {
			scratch, err := embedded.NewScratch() //nolint:contextcheck // It ends with the process, not with a context.
			if err != nil {
				closeAll()
				return nil, errkind.MarkUnavailable(err)
			}
			closers = append(closers, func() { _ = scratch.Close() }) // A temporary folder; an error changes nothing.
			b.Data.URL, b.Scratch = config.FileURL(scratch.Dir), true
		}
		base, stop, err := app.StartSandbox(ctx, sandbox.Config{})
		if err != nil {
			closeAll()
			return nil, errkind.MarkUnavailable(err)
		}
		closers = append(closers, stop)
		b.account.BaseURL = base + app.SandboxPath
	}
	return closeAll, nil
}

// serve runs a worker for the account in this process.
func (b *backfill) serve(ctx context.Context) (stop func(), err error) {
	accounts := []config.Account{b.account}
	wc, err := app.WorkerConfig(b.Process, b.Services, accounts)
	if err != nil {
		return nil, err
	}
	// Others that look at the account see who works for it, for as long as that lasts.
	wc.Accounts[0].Registration, wc.Accounts[0].Visit = app.Registration(b.Process, b.account, b.provider), true
	wc.StopTimeout, wc.StoreFailed = stopWithin, b.storeFailed
	if b.journal != nil {
		wc.Journal = b.journal.Note
	}
	if b.ownsQueue() {
		sender, err := app.NewSender(b.Process)
		if err != nil {
			return nil, err
		}
		wc.Deliverer = app.Deliverer{Sender: sender}
	}
	w, err := worker.New(wc)
	if err != nil {
		return nil, err
	}
	l := limiter.New(b.RDB, b.Records)
	if err := b.agrees(ctx, l); err != nil {
		return nil, err
	}
	// A pause of an earlier run is tried again: the user may have mended it.
	state, err := l.State(ctx, b.account.Name)
	if err == nil && state.Reason != limiter.Active && state.Reason != limiter.Operator {
		err = l.Lift(ctx, b.account.Name, state.Reason)
	}
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	b.limiter = l
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			b.Log.ErrorContext(ctx, "worker ended", slog.Any("error", err))
		}
	})
	return func() { cancel(); wg.Wait() }, nil
}

// agrees is an error where other workers are there for the account with another provider:
// each would send the other's documents to its own vendor.
func (b *backfill) agrees(ctx context.Context, l *limiter.Limiter) error {
	served, err := l.Served(ctx, b.account.Name)
	if err != nil {
		return errkind.MarkUnavailable(err)
	}
	if !served {
		return nil
	}
	theirs, ok, err := b.Records.Known(ctx, b.account.Name)
	switch {
	case err != nil:
		return errkind.MarkUnavailable(err)
	case ok && theirs.Provider != b.account.Provider:
		return errkind.New(errkind.Usage, fmt.Errorf("%w: account %s has provider %s there, and %s here",
			intake.ErrOtherProvider, b.account.Name, theirs.Provider, b.account.Provider))

	}
	return nil
}
