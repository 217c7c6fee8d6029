package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// A vendor's ready list says of many extractions with one request that they have
// finished. What is on it is a hint, as a webhook is: the extraction is asked for at
// once, and its answer alone counts. Whether and how often the lists are read is
// decided in package polling.

// readLists reads the ready lists of one account.
func (w *Worker) readLists(ctx context.Context, a *account) {
	got, err := w.sweep(ctx, a)
	if err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "ready list not read", slog.String("account", a.Name), slog.Any("error", err))
	}
	if got.Hinted > 0 {
		w.log.InfoContext(ctx, "ready list read", slog.String("account", a.Name),
			slog.Int("pages", got.Pages), slog.Int("items", got.Items), slog.Int("finished", got.Hinted))
	}
}

// swept counts what one reading of the lists came to.
type swept struct{ Pages, Items, Hinted int }

const (
	// sweepMargin is how much longer ago than our record of it the vendor may have
	// made an extraction: the clocks are not the same, and a provider knows by how much
	// at best to a second.
	sweepMargin = 5 * time.Second
	// sweepPages bounds one reading. What is further back is polled.
	sweepPages = 20
	// itemsPerRequest is how many entries of a list are as dear as a request: a list
	// that never forgets what was fetched grows to megabytes.
	itemsPerRequest = 2000
)

// mayRead reports whether the lists may be read now, and how to end that: an account's
// once at a time, and only so many accounts', or those that are slow to come would take
// all slots of what looks after extractions.
func (w *Worker) mayRead(a *account) (end func(), ok bool) {
	select {
	case a.reading <- struct{}{}:
	default:
		return nil, false
	}
	select {
	case w.reading <- struct{}{}:
	default:
		<-a.reading
		return nil, false
	}
	return func() { <-w.reading; <-a.reading }, true
}

// sweep reads the lists once, page by page, while the rate allows it.
func (w *Worker) sweep(ctx context.Context, a *account) (swept, error) {
	var got swept
	l, err := w.polls.ReadyList(ctx, a.Name)
	if err != nil || l.Every == 0 || !a.Sweep {
		return got, err
	}
	end, ok := w.mayRead(a)
	if !ok {
		return got, nil // The next one tries again.
	}
	defer end()
	mine, err := w.polls.ClaimReadyList(ctx, a.Name, l.Every/2)
	if err != nil || !mine {
		return got, err
	}
	running, _, err := w.records.Running(ctx, a.Name)
	if err != nil || len(running) == 0 {
		return got, err
	}
	q := readyQuery(running, a.planner.Window(ctx), time.Now())
	for got.Pages < sweepPages {
		page, ok, err := w.readyPage(ctx, a, q)
		if err != nil || !ok {
			return got, err
		}
		if got.Pages++; got.Pages == 1 && !l.OnProbation() {
			if err := w.polls.ReadyListRead(ctx, a.Name, l.Now); err != nil {
				return got, err
			}
		}
		got.Items += len(page.Items)
		n, err := w.hintListed(ctx, a, page.Items)
		got.Hinted += n
		if err != nil {
			return got, err
		}
		if page.NextCursor == "" {
			break
		}
		q.Cursor = page.NextCursor
	}
	if l.OnProbation() { // What had ended before it has been shown by now, or was missed.
		if err := w.polls.ReadyListRead(ctx, a.Name, l.Now); err != nil {
			return got, err
		}
	}
	cost := float64(got.Pages) + float64(got.Items)/itemsPerRequest
	return got, w.polls.ReadyListCost(ctx, a.Name, cost)
}

// readyQuery asks for what may have finished of what is running and within the
// window. Where all of it is one customer's, others' are left out.
func readyQuery(running []store.Running, window time.Duration, now time.Time) extraction.ReadyQuery {
	oldest, customer := time.Duration(0), running[0].Customer
	for _, r := range running {
		if r.Age <= window {
			oldest = max(oldest, r.Age)
		}
		if r.Customer != customer {
			customer = ""
		}
	}
	return extraction.ReadyQuery{Customer: customer, Since: now.Add(-oldest - sweepMargin)}
}

// readyPage asks for one page, if the account's rate has room for it now.
func (w *Worker) readyPage(ctx context.Context, a *account, q extraction.ReadyQuery) (page extraction.ReadyPage, ok bool, err error) {
	admission, err := w.limiter.Admit(ctx, a.Name, limiter.OpSweep, a.Rate, limiter.OpSweep.Patience())
	if err != nil || admission.Verdict != limiter.Go {
		return page, false, err
	}
	if err := wait.For(ctx, admission.Wait); err != nil {
		return page, false, err
	}
	call, cancel := transfer.WithTimeout(ctx, w.cfg.Stall)
	defer cancel()
	page, err = a.Provider.Ready(call, q)
	if err == nil {
		return page, true, nil
	}
	if extraction.KindOf(err) == extraction.KindForbidden {
		return page, false, w.listRefused(ctx, a, err)
	}
	// A refused key, a used-up plan and a rate limit act on the account. Other
	// trouble is left to the polls, which are told apart by extraction.
	r := react(err, limiter.OpReady, 1, 0, true)
	r.Fault = false
	return page, false, errors.Join(err, w.troubled(ctx, a, r, err))
}

// hintListed makes those be asked for that are listed and ours, and returns how many
// those are.
func (w *Worker) hintListed(ctx context.Context, a *account, items []extraction.ReadyItem) (int, error) {
	vendorIDs := make([]string, 0, len(items))
	for _, item := range items {
		vendorIDs = append(vendorIDs, item.VendorID)
	}
	ours, err := w.records.Listed(ctx, a.Name, vendorIDs)
	if err != nil {
		return 0, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for vendorID, id := range ours {
		g.Go(func() error { return w.queue.Hint(ctx, w.records, a.Name, id, vendorID, store.SourceList) })
	}
	return len(ours), g.Wait()
}

// listRefused switches the lists off for all workers, because the vendor does not let the
// key read them, and says so once.
func (w *Worker) listRefused(ctx context.Context, a *account, cause error) error {
	fresh, err := w.polls.RefuseReadyList(ctx, a.Name)
	if err != nil || !fresh {
		return err
	}
	w.log.WarnContext(ctx, "ready list refused", slog.String("account", a.Name), slog.Any("error", cause))
	return w.limiter.Trouble(ctx, a.Name, string(troubleCode(cause)), cause.Error())
}
