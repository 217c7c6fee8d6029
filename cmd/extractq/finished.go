package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// finished writes out one final extraction, and gives its slots back.
func (b *backfill) finished(ctx context.Context, r store.Record, gone bool) error {
	b.mu.Lock()
	w := b.watched[r.ID]
	delete(b.watched, r.ID)
	b.mu.Unlock()
	name := w.name
	b.unanswered.forget(r.ID)
	if b.journal != nil {
		defer b.journal.Ended(r.ID)
	}
	for range w.documents {
		<-b.room
	}
	done := func(as render.Tally) {
		for range w.documents {
			b.shown.Done(as)
		}
	}
	if gone {
		done(render.Failed)
		b.fail(name, extraction.CodeInternal, errors.New("the extraction was erased while it was waited for"))
		return nil
	}
	e, err := b.whole(ctx, r)
	if err != nil {
		return err
	}
	if b.out != "" {
		write := func(name string) error { return b.writeResult(ctx, name, e, r) }
		if err := b.writeOut(name, e.ID, write); isOfPath(err) { // The others are not held up.
			done(render.Failed)
			b.fail(name, extraction.CodeInternal, fmt.Errorf("its result cannot be written to %s: %w; make room there, and "+
				"the same command again writes it", b.resultFile(name), errnoOf(err)))
			return nil
		} else if errkind.Of(err) == errkind.Unavailable {
			return err
		} else if err != nil {
			return errkind.MarkUnavailable(fmt.Errorf("--out cannot be written: %s: %w", b.resultFile(name), errnoOf(err)))
		}
	}
	if b.out != "" && !b.ownsState() {
		if err := b.Records.ForgetRun(ctx, b.account.Name, b.origin(), r.ID); err != nil {
			b.Log.DebugContext(ctx, "run not forgotten", slog.Any("error", err)) // It is found once more, and skipped.
		}
	}
	done(render.TallyOf(e))
	if e.Error != nil {
		text := render.FailureText(e.Error)
		if b.out != "" && render.TallyOf(e) == render.ResultUnavailable {
			text += "; the same command again asks the vendor for it, and submits nothing"
		}
		b.fail(name, e.Error.Code, errors.New(text))
	}
	if !b.outbox.Add(r, name) { // There is none, or it is through already.
		b.delivered(ctx, r, name)
	}
	return b.print.Print(e)
}

// whole is the public form of a final record. Where nothing is printed, a large result is
// left in the store, from where it is copied.
func (b *backfill) whole(ctx context.Context, r store.Record) (extraction.Extraction, error) {
	if b.prints() {
		e, err := b.Blobs.Whole(ctx, r)
		return e, errkind.MarkUnavailable(err)
	}
	e, err := b.Blobs.WholeUpTo(ctx, r, inPlace)
	if err != nil {
		return e, errkind.MarkUnavailable(err)
	}
	return e, nil
}

// writeOut writes an extraction under its name, or under another one where no file can
// have that. Its error is that of its own name.
func (b *backfill) writeOut(name, id string, write func(name string) error) error {
	err := write(name)
	if !isOfPath(err) {
		return err
	}
	other, renameErr := b.journal.Rename(id, plainName)
	switch {
	case renameErr != nil:
		return renameErr
	case other == "":
		return err
	}
	if writeErr := write(other); writeErr != nil {
		if isOfPath(writeErr) {
			return err
		}
		return writeErr
	}
	b.Say("%s: its result is in %s: %s: %v", render.Escape(name), b.resultFile(other), b.resultFile(name), errnoOf(err))
	return nil
}

// writeResult writes an extraction to the file of a name, with a large result from the
// store.
func (b *backfill) writeResult(ctx context.Context, name string, e extraction.Extraction, r store.Record) error {
	if e.Result != nil {
		return writeResult(b.resultFile(name), e, nil)
	}
	stored, _, err := b.Blobs.OpenResult(ctx, r)
	if err != nil {
		return errkind.MarkUnavailable(err)
	}
	defer func() { _ = stored.Close() }()
	large := &remembering{Reader: stored}
	err = writeResult(b.resultFile(name), e, large)
	if large.err != nil { // The store's trouble, and not that of --out.
		return errkind.MarkUnavailable(fmt.Errorf("read the result of %s: %w", e.ID, large.err))
	}
	return err
}

// prints reports whether results are printed.
func (b *backfill) prints() bool {
	p := b.print
	if s, ok := p.(*render.Shared); ok {
		p = s.Printer
	}
	_, quiet := p.(render.Discard)
	return !quiet
}

// fail counts and names a document that did not succeed.
func (b *backfill) fail(name string, code extraction.Code, err error) {
	b.failed.Add(1)
	b.Say("%s: %s: %s", render.Escape(name), code, render.OneLine(err))
}
