// Package worker carries documents through vendors' APIs: it serves the submit
// and poll tasks of every account, tells producers of the end, reads the vendors'
// ready lists, and repairs and erases what crashes and time have left behind.
//
// Every handler has the same shape: take the lease of the step the task names,
// make the vendor calls the step needs, write the outcome with the step that
// follows, enqueue that step. A task that is not the present step ends without
// a call. Retries are decided in retry.go and nowhere else; the vendor is known
// only as an extraction.Provider.
package worker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/transfer"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/polling"
	"github.com/extractq/extractq/store"
)

// Account is one set of credentials and its limits.
type Account struct {
	// Name is the account's name in the configuration.
	Name string
	// Provider speaks to the vendor with the account's key.
	Provider extraction.Provider
	// ProviderName is what the configuration and the extractions call it; empty for the
	// name that it has itself.
	ProviderName string
	// Key is a fingerprint of the key: when it changes, a refused account is
	// probed at once.
	Key string
	// Rate is how many calls a second the vendor allows; 0 means any number.
	Rate float64
	// MaxInFlight is how many extractions may be at the vendor at once.
	MaxInFlight int
	// Deadline is how long after the submission the vendor may take.
	Deadline time.Duration
	// PollPrice is how much delay one poll is worth.
	PollPrice time.Duration
	// Resubmit submits again when it is unknown whether a submission
	// arrived; otherwise that ends the extraction.
	Resubmit bool
	// UncertainWindow is the longest that a submission whose answer was lost is searched
	// for, whatever the latencies suggest; 0 sets no bound.
	UncertainWindow time.Duration
	// HookURL is where the vendor reports what it has finished, told with each
	// submission where the vendor takes that; empty for nowhere. It is a secret.
	HookURL string
	// Sweep allows that the vendor's ready lists are read where that is cheaper.
	Sweep bool
	// Registration is what producers without the configuration must keep to; one without a
	// Provider is not registered. Visit says that it is forgotten when the worker leaves,
	// which is there for its own documents only.
	Registration store.Registration
	Visit        bool
	// SubmitAttempts is how often one document may fail at submission while
	// others of the account succeed.
	SubmitAttempts int
}

// Config is what a Worker needs.
type Config struct {
	// Redis is the one client of the process; the caller closes it.
	Redis redis.UniversalClient
	// Blobs holds documents and results.
	Blobs *store.Blobs
	// Accounts are those to work for.
	Accounts []Account
	// Concurrency is how many tasks of one account run at once; 0 means 32.
	Concurrency int
	// Retention is how long a finished extraction is kept; 0 means 168 h.
	Retention time.Duration
	// DocumentRetention is how long the document of a successful one is kept;
	// 0 erases it at once.
	DocumentRetention time.Duration
	// StopTimeout is how long Run lets running steps end; 0 means 20 s, so that a process has ended within
	// the 30 s that Kubernetes allows.
	StopTimeout time.Duration
	// Lease is how long a step is held without a heartbeat; 0 means 8 s.
	// Shorter ones are for tests.
	Lease time.Duration
	// RetryDelay spaces attempts that end in trouble with Redis or in a panic; 0 means
	// 3 s.
	RetryDelay time.Duration
	// StoreWait is how long a document store that fails is first left alone; the waits
	// double up to twelve times that. 0 means 5 s.
	StoreWait time.Duration
	// Stall is how long a transfer to or from a vendor or the store may stand still, and
	// a quarter of how long it may drip;
	// 0 means 30 s.
	Stall time.Duration
	// UncertainWindow is how long a submission whose answer was lost is searched for
	// while the account's latencies are not known: then it is until 999 of 1,000
	// documents have ended, and a minute. 0 means 6 min.
	UncertainWindow time.Duration
	// Journal, where it is set, is told how far each submission has got, for
	// Client.Resume where Redis forgets. What it is told must be durable when it
	// returns: its error stops the call that would make a second submission cost
	// something.
	Journal func(id string, b intake.Begun) error
	// StoreFailed, where it is set, is told when the journal or the document
	// store fails. The step is repeated all the same.
	StoreFailed func(error)
	// Ended, if set, is called for each extraction that this worker ends, and
	// Delivered of what each attempt to tell a producer came to: delivered, retry or
	// failed. They must not block.
	Ended     func(End)
	Delivered func(outcome string)
	// Duplicate, if set, is called for each vendor id that was found under the token of
	// an extraction of the account that has another one.
	Duplicate func(account string)
	// Tick is how often the worker looks after its accounts; 0 means 2 s, less than
	// that never. Other ones are for tests.
	Tick time.Duration
	// Deliverer tells producers of the end of their extractions; nil leaves that to
	// other workers.
	Deliverer Deliverer
	// Logger receives one line per attempt.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Concurrency <= 0 {
		c.Concurrency = 32
	}
	if c.Retention <= 0 {
		c.Retention = 168 * time.Hour
	}
	if c.StopTimeout <= 0 {
		c.StopTimeout = 20 * time.Second
	}
	if c.Lease <= 0 {
		c.Lease = 8 * time.Second
	}
	if c.RetryDelay <= 0 {
		c.RetryDelay = 3 * time.Second
	}
	if c.StoreWait <= 0 {
		c.StoreWait = 5 * time.Second
	}
	if c.Stall <= 0 {
		c.Stall = transfer.Timeout
	}
	if c.UncertainWindow <= 0 {
		c.UncertainWindow = 6 * time.Minute
	}
	return c
}

// kept is what the retention says for any status.
func (c Config) kept() store.Kept {
	return store.Kept{Record: c.Retention, Document: c.DocumentRetention}
}

// Worker serves the tasks of its accounts. Make one with New.
type Worker struct {
	cfg     Config
	id      string // Of this worker among all that serve an account.
	records *store.Records
	polls   *polling.Store
	queue   *queue.Queue
	limiter *limiter.Limiter
	log     *slog.Logger
	// reading is held while ready lists are read, probing while an account is probed.
	reading, probing chan struct{}

	// store is what this process knows of its document store.
	store storeHealth

	// mu guards accounts. The map is replaced by another one, never changed.
	mu       sync.RWMutex
	accounts map[string]*account

	// running is how many steps are being carried out.
	running atomic.Int64

	// base is the context of all steps: it ends when the process must.
	base context.Context

	// turn guards the start and the stop of servers. fleet is nil while Run
	// does not run.
	turn  sync.Mutex
	fleet *fleet
}

// account is an Account with what this process shares between its steps. A step
// keeps the one it began with.
type account struct {
	Account
	places  places
	unknown *sync.Map // Vendor words already warned about.
	// planner says when to poll.
	planner *polling.Planner
	// room wakes the loop that gives the waiting extractions their turn.
	room chan struct{}
	// reading is full while its ready lists are read.
	reading chan struct{}
	// probed is the latest probe that a refused step made.
	probed *probed
	// offset is by how much its time was ahead of Redis's own at the latest look.
	offset *atomic.Pointer[time.Duration]
}

// planning is what its polls are planned for.
func (a Account) planning(log *slog.Logger) polling.Config {
	return polling.Config{Account: a.Name, Price: a.PollPrice, ReadyLists: a.Sweep, HookExpected: a.HookURL != "", Logger: log}
}

// probed is what a vendor said to a probe.
type probed struct {
	mu      sync.Mutex
	at      time.Time
	verdict error
}

// New returns a worker. It makes no connection before Run.
func New(cfg Config) (*Worker, error) {
	cfg = cfg.withDefaults()
	records, err := store.NewRecords(cfg.Redis)
	if err != nil {
		return nil, err
	}
	w := &Worker{
		cfg: cfg, id: store.NewToken(), records: records, queue: queue.New(cfg.Redis),
		limiter: limiter.New(cfg.Redis, records), log: cfg.Logger, base: context.Background(),
		polls: polling.NewStore(cfg.Redis, records), reading: make(chan struct{}, vendorSlots), probing: make(chan struct{}, vendorSlots),
	}
	if w.accounts, err = w.prepare(cfg.Accounts); err != nil {
		return nil, err
	}
	return w, nil
}

// prepare makes this process's accounts of those that are configured, with what the
// present ones of the same name share between their steps.
func (w *Worker) prepare(configured []Account) (map[string]*account, error) {
	out := map[string]*account{}
	for _, c := range configured {
		if !extraction.ValidAccount(c.Name) {
			return nil, fmt.Errorf("account name %q is not 1 to 40 characters a-z, 0-9 and -", c.Name)
		}
		a := &account{
			Account: c, places: newPlaces(w.cfg.Concurrency), unknown: new(sync.Map),
			planner: polling.NewPlanner(w.polls, c.planning(w.log)), room: make(chan struct{}, 1), reading: make(chan struct{}, 1),
			probed: new(probed), offset: new(atomic.Pointer[time.Duration]),
		}
		if old, ok := w.account(c.Name); ok {
			a.places, a.unknown, a.room, a.reading, a.offset = old.places, old.unknown, old.room, old.reading, old.offset
			if c.planning(w.log) == old.planning(w.log) {
				a.planner = old.planner
			}
		}
		out[c.Name] = a
	}
	return out, nil
}

// account finds one of the accounts.
func (w *Worker) account(name string) (*account, bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	a, ok := w.accounts[name]
	return a, ok
}

// all are the accounts by name.
func (w *Worker) all() map[string]*account {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.accounts
}

// handle turns the handler of a step into one of asynq: it decodes, logs what
// asynq would retry, lets a panic cost one attempt, not the process, and leaves a
// completed task behind where the handler ended the extraction.
func (w *Worker) handle(h func(context.Context, queue.Payload) (*queue.Outcome, error)) func(context.Context, *asynq.Task) error {
	return func(ctx context.Context, t *asynq.Task) (err error) {
		w.running.Add(1)
		defer w.running.Add(-1)
		p, err := queue.Decode(t)
		if err != nil {
			w.log.ErrorContext(ctx, "task not understood", slog.String("type", t.Type()), slog.Any("error", err))
			return err
		}
		defer func() {
			if v := recover(); v != nil {
				w.log.ErrorContext(ctx, "step panicked", slog.String("extraction_id", p.ID),
					slog.String("stack", string(debug.Stack())))
				err = fmt.Errorf("step of %s panicked", p.ID)
			}
		}()
		ended, err := h(ctx, p)
		if err != nil {
			w.log.WarnContext(ctx, "step interrupted", slog.String("extraction_id", p.ID),
				slog.String("account", p.Account), slog.Any("error", err))
			return err
		}
		if ended == nil {
			return queue.Passed
		}
		// One that was deleted at this moment leaves no completed task either.
		erased, err := w.records.ErasedWith(ctx, p.Account, p.ID, func(pipe redis.Pipeliner) {
			queue.ShowIn(ctx, pipe, t, p.Account, *ended)
		})
		if err != nil { // The record has it all the same.
			w.log.WarnContext(ctx, "outcome not shown", slog.String("extraction_id", p.ID), slog.Any("error", err))
		}
		if erased {
			return queue.Passed
		}
		return nil
	}
}

// asynqLogger passes asynq's own messages to slog.
type asynqLogger struct{ log *slog.Logger }

func (l asynqLogger) Debug(args ...any) { l.write(slog.LevelDebug, args) }
func (l asynqLogger) Info(args ...any)  { l.write(slog.LevelInfo, args) }
func (l asynqLogger) Warn(args ...any)  { l.write(slog.LevelWarn, args) }
func (l asynqLogger) Error(args ...any) { l.write(slog.LevelError, args) }

// Fatal is an error here: ending the process is main's.
func (l asynqLogger) Fatal(args ...any) { l.write(slog.LevelError, args) }

func (l asynqLogger) write(level slog.Level, args []any) {
	message := fmt.Sprint(args...)
	if strings.HasPrefix(message, "revoke task") {
		return // Every step but the last returns queue.Passed.
	}
	l.log.Log(context.Background(), level, "asynq", slog.String("message", message))
}
