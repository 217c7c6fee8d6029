// Package backfill is the engine of the command run: it takes many documents through a vendor
// in one process, and goes on with what earlier runs began. The journal below --out keeps what
// no other store does.
package backfill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/embedded"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/follow"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/internal/submitter"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/sandbox"
)

// Config is one run, as the flags describe it.
type Config struct {
	app.Process
	*render.Console
	submitter.Job

	Documents *documents.Finder
	// Out is the folder for results and the journal; empty for neither.
	Out string
	// RetryFailed repeats what earlier runs did not end with SUCCESS.
	RetryFailed bool
	// Print prints extractions; nil prints none.
	Print render.Printer
	// Terminal says that a person sees the status line, so that lines that repeat it are left
	// out.
	Terminal bool
	// Hasten receives the wish to try a paused vendor at once; nil for none.
	Hasten <-chan struct{}
}

// Backfill takes the documents of one run through the vendor.
type Backfill struct {
	Config
	*app.Services

	// sandboxed reports that the vendor is a sandbox that ends with this process.
	sandboxed bool
	// closers close what Run has opened, the last first.
	closers   []func()
	printer   render.Printer
	limiter   *limiter.Limiter
	reader    *documents.Opener
	submitter *submitter.Submitter
	// found is what there is to do.
	found documents.Found
	// journal is nil without --out.
	journal      *journal.Journal
	unjournalled unjournalled
	follow       *follow.Follower
	slots        chan struct{} // One for each document that is not final.
	progress     *render.Progress
	failed       atomic.Int64 // Documents that did not end with SUCCESS.
	// deletesDone says that an extraction with its result is deleted from Redis, which only
	// has the memory of this process.
	deletesDone bool
	// queuePersists says that what is in Redis survives this process.
	queuePersists bool
	callbacks     *pendingCallbacks
	// fatal receives why nothing can be written any more.
	fatal    chan error
	refusals *refusals
	// status is what the run waits for.
	status status

	mu      sync.Mutex
	watched map[string]watched // By extraction id.
}

// watched are the documents of an extraction that is followed. Each has a slot.
type watched struct {
	name string
	// documents is more than one if the same bytes were named under several paths.
	documents int
}

// New returns a run that has not begun.
func New(cfg Config) (*Backfill, error) {
	reader, err := cfg.Opener(cfg.Config, cfg.UserAgent())
	if err != nil {
		return nil, err
	}
	b := &Backfill{Config: cfg, reader: reader, fatal: make(chan error, 1), watched: map[string]watched{}, refusals: newRefusals()}
	b.status = status{vendor: vendorName(b.Account.Provider), account: b.Account.Name, hastens: b.Hasten != nil}
	b.sandboxed = b.Account.Provider == app.SandboxProvider && b.Account.BaseURL == ""
	b.printer = render.Discard{}
	if b.Print != nil {
		b.printer = &render.Shared{Printer: b.Print}
	}
	return b, nil
}

// Run opens everything, takes the documents through and closes everything again.
func (b *Backfill) Run(ctx context.Context) error {
	if err := b.scan(ctx, false); err != nil {
		return err
	}
	b.WarnUnsigned(b.Process.Config, b.Say)
	defer b.close()
	if err := b.open(ctx); err != nil {
		return err
	}
	stop, err := b.serve(ctx)
	if err != nil {
		return err
	}
	shown, endProgress := b.Progress(b.found.Documents)
	b.progress = shown
	if b.Out != "" {
		b.progress.Results(filepath.Clean(b.Out) + string(filepath.Separator))
	}
	err = b.drain(ctx, b.carry(ctx))
	if err != nil && b.follow != nil {
		b.sayLeft(ctx)
	}
	endProgress()
	b.sayHowToRepeat(err)
	// Running steps are saved before Redis is closed; the next run finds what they leave undone.
	stop()
	if closeErr := b.printer.Close(); err == nil && closeErr != nil {
		err = closeErr
	}
	return err
}

// scan finds what there is to do, before anything is submitted.
func (b *Backfill) scan(ctx context.Context, sizes bool) error {
	var err error
	b.found, err = b.Documents.Scan(ctx, sizes, func(what string, err error) {
		b.fail(what, extraction.CodeDocumentUnavailable, err)
	})
	if err != nil {
		return err
	}
	return b.found.Check(b.Say)
}

func (b *Backfill) close() {
	for _, c := range slices.Backward(b.closers) {
		c()
	}
}

// open opens the journal, the sandbox if that is the vendor, and the services.
func (b *Backfill) open(ctx context.Context) error {
	if b.Out != "" {
		if err := b.openJournal(); err != nil {
			return err
		}
	}
	if b.sandboxed {
		if err := b.openSandbox(ctx); err != nil {
			return err
		}
	}
	svc, err := app.Open(ctx, b.Process, true)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, svc.Close)
	b.Services = svc
	b.Rules.Serves, b.Rules.MaxBacklog = true, 0 // This process has a worker, and only submits a few at a time.
	svc.Client = svc.Client.With(func(context.Context, string, string) (intake.Rules, error) { return b.Rules, nil })
	b.submitter = submitter.New(svc.Records, svc.Blobs, b.Say)
	b.deletesDone = b.Out != "" && !svc.Persistent
	b.queuePersists = svc.Persistent && (!b.sandboxed || b.DataGiven)
	b.callbacks = b.newPendingCallbacks()
	if b.journal != nil {
		b.journal.Durable = !svc.Persistent
	}
	return nil
}

func (b *Backfill) openJournal() error {
	if info, err := os.Stat(b.Out); err == nil && !info.IsDir() {
		return errkind.MarkUnavailable(fmt.Errorf("--out %s is a file, not a directory", render.Escape(b.Out)))
	}
	var err error
	if b.journal, err = journal.Open(b.Out); err != nil {
		return err
	}
	b.closers = append(b.closers, func() { _ = b.journal.Close() })
	if damage := b.journal.Damage(); damage != "" {
		b.Say("%s", damage)
	}
	if b.ownsState() {
		dir, err := filepath.Abs(filepath.Join(b.Out, journal.Folder))
		if err != nil {
			return errkind.New(errkind.Usage, err)
		}
		b.Data.URL = config.FileURL(dir)
	}
	return nil
}

// openSandbox starts the vendor. Its extractions end with this process, and so do our records
// of them.
func (b *Backfill) openSandbox(ctx context.Context) error {
	if b.ownsState() {
		scratch, err := embedded.NewScratch() //nolint:contextcheck // It ends with the process, not with a context.
		if err != nil {
			return errkind.MarkUnavailable(err)
		}
		b.closers = append(b.closers, func() { _ = scratch.Close() }) // A temporary folder; an error changes nothing.
		b.Data.URL, b.Scratch = config.FileURL(scratch.Dir), true
	}
	base, stop, err := app.StartSandbox(ctx, sandbox.Config{})
	if err != nil {
		return errkind.MarkUnavailable(err)
	}
	b.closers = append(b.closers, stop)
	b.Account.BaseURL = base + app.SandboxPath
	return nil
}
