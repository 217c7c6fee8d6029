package backfill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/backfill/results"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// finished writes the result of one final extraction, and frees its slots.
func (b *Backfill) finished(ctx context.Context, r store.Record, gone bool) error {
	b.mu.Lock()
	w := b.watched[r.ID]
	delete(b.watched, r.ID)
	b.mu.Unlock()
	name := w.name
	b.status.forget(r.ID)
	if b.journal != nil {
		defer b.journal.Ended(r.ID)
	}
	for range w.documents {
		<-b.slots
	}
	done := func(as render.Tally) {
		for range w.documents {
			b.progress.Done(as)
		}
	}
	if gone {
		b.refusals.open()
		done(render.Tally{Code: extraction.CodeInternal})
		b.fail(name, extraction.CodeInternal, errors.New("the extraction was erased while it was waited for"))
		return nil
	}
	e, err := b.whole(ctx, r)
	if err != nil {
		return err
	}
	b.refusals.ended(e.Error)
	if b.Out != "" {
		write := func(name string) error { return b.writeResult(ctx, name, e, r) }
		if err := b.writeOut(name, e.ID, write); results.IsOfPath(err) { // The others go on.
			done(render.Tally{Code: extraction.CodeInternal})
			b.fail(name, extraction.CodeInternal, fmt.Errorf("its result cannot be written to %s: %w; make room there, and "+
				"the same command again writes it", b.resultFile(name), results.Cause(err)))
			return nil
		} else if errkind.Of(err) == errkind.Unavailable {
			return err
		} else if err != nil {
			return errkind.MarkUnavailable(fmt.Errorf("--out cannot be written: %s: %w", b.resultFile(name), results.Cause(err)))
		}
	}
	if b.Out != "" && !b.ownsState() {
		if err := b.Records.ForgetRun(ctx, b.Account.Name, b.origin(), r.ID); err != nil {
			b.Log.DebugContext(ctx, "run not forgotten", slog.Any("error", err)) // The next run finds it, and skips it.
		}
	}
	done(render.TallyOf(e))
	if e.Error != nil {
		text := render.FailureText(e.Error)
		if b.Out != "" && e.Status == extraction.StatusSuccess {
			text += "; the same command again asks the vendor for it, and submits nothing"
		}
		b.fail(name, e.Error.Code, errors.New(text))
	}
	if !b.callbacks.Add(r, name) { // There is none, or it is through already.
		b.delivered(ctx, r, name)
	}
	return b.printer.Print(e)
}

// inMemory is the largest result, in bytes, that is written by way of memory, indented for
// readers. A larger one is copied from the store as it is.
const inMemory = 1 << 20

// whole is the public form of a final record. If nothing is printed, a large result is left in
// the store, and copied from there.
func (b *Backfill) whole(ctx context.Context, r store.Record) (extraction.Extraction, error) {
	if b.Print != nil {
		e, err := b.Blobs.Whole(ctx, r)
		return e, errkind.MarkUnavailable(err)
	}
	e, err := b.Blobs.WholeUpTo(ctx, r, inMemory)
	return e, errkind.MarkUnavailable(err)
}

// writeOut writes an extraction under its name, or under another one if no file can have that.
// The error is that of its own name.
func (b *Backfill) writeOut(name, id string, write func(name string) error) error {
	err := write(name)
	if !results.IsOfPath(err) {
		return err
	}
	other, renameErr := b.journal.Rename(id, journal.PlainName)
	switch {
	case renameErr != nil:
		return renameErr
	case other == "":
		return err
	}
	if writeErr := write(other); writeErr != nil {
		if results.IsOfPath(writeErr) {
			return err
		}
		return writeErr
	}
	b.Say("%s: its result is in %s: %s: %v", render.Escape(name), b.resultFile(other), b.resultFile(name), results.Cause(err))
	return nil
}

// resultFile is where the extraction of a document is written.
func (b *Backfill) resultFile(name string) string { return results.Path(b.Out, name) }

// writeResult writes an extraction to the file of a name, with a large result from the store.
func (b *Backfill) writeResult(ctx context.Context, name string, e extraction.Extraction, r store.Record) error {
	if e.Result != nil {
		return results.Write(b.resultFile(name), e, nil)
	}
	stored, _, err := b.Blobs.OpenResult(ctx, r)
	if err != nil {
		return errkind.MarkUnavailable(err)
	}
	defer func() { _ = stored.Close() }()
	large := &remembering{Reader: stored}
	err = results.Write(b.resultFile(name), e, large)
	if large.err != nil { // The store failed, not --out.
		return errkind.MarkUnavailable(fmt.Errorf("read the result of %s: %w", e.ID, large.err))
	}
	return err
}

// remembering is a reader that keeps why it failed.
type remembering struct {
	io.Reader

	err error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// fail counts and names a document that did not end with SUCCESS.
func (b *Backfill) fail(name string, code extraction.Code, err error) {
	b.failed.Add(1)
	b.Say("%s: %s: %s", render.Escape(name), code, render.OneLine(err))
}
