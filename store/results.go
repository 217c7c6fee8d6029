package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
)

// ErrEncode is returned for a result that has no JSON form.
var ErrEncode = errors.New("result has no JSON form")

// PutResult stores a result under ID/SEQ while it is written, and returns its digest once
// it is durable.
func (b *Blobs) PutResult(ctx context.Context, id string, seq int64, result extraction.Found) (sum string, err error) {
	digest := sha256.New()
	err = b.fill(ctx, resultKey(id, seq), false, func(w io.Writer) error {
		to := &moving{ctx: ctx, w: w}
		err := result.WriteJSON(io.MultiWriter(digest, to))
		if _, ours := errors.AsType[*transfer.SpoolError](err); err != nil && to.err == nil && !ours {
			return fmt.Errorf("%w: %w", ErrEncode, err)
		}
		return err
	})
	if err != nil {
		b.removeFolder(id)
		return "", fmt.Errorf("store result: %w", err)
	}
	return shortSum(digest.Sum(nil)), nil
}

// moving says that the context's transfer moves whenever something was written, and keeps
// why something was not.
type moving struct {
	ctx context.Context //nolint:containedctx // A writer has no other way to it.
	w   io.Writer
	err error
}

func (m *moving) Write(p []byte) (n int, err error) {
	n, m.err = m.w.Write(p)
	transfer.Moved(m.ctx, n)
	return n, m.err
}

// Result reads a stored result. It returns ErrNotFound where there is none, and
// ErrDamaged where it has not the digest sum; one that was stored without is empty.
func (b *Blobs) Result(ctx context.Context, id string, seq int64, sum string) (*extraction.Result, error) {
	body, err := b.read(ctx, resultKey(id, seq))
	if err != nil {
		return nil, fmt.Errorf("read result: %w", b.named(ctx, err))
	}
	if sum != "" && sumOf(body) != sum {
		return nil, fmt.Errorf("read result: %w", ErrDamaged)
	}
	var out extraction.Result
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // A number stays as the vendor wrote it.
	if err := dec.Decode(&out); err != nil {
		return nil, fmt.Errorf("decode result: %w: %w", ErrDamaged, err)
	}
	return &out, nil
}

// resultUpTo is the result of a record, and nil for one of more than most bytes.
func (b *Blobs) resultUpTo(ctx context.Context, r Record, most int64) (*extraction.Result, error) {
	if most < math.MaxInt64 {
		stored, err := b.bucket.Stat(ctx, resultKey(r.ID, r.ResultSeq))
		if err != nil {
			return nil, fmt.Errorf("read result: %w", b.named(ctx, err))
		}
		if stored.Size > most {
			return nil, b.CheckResult(ctx, r)
		}
	}
	return b.Result(ctx, r.ID, r.ResultSeq, r.ResultSum)
}

// Whole is a record in its public form with its result, which is empty before
// SUCCESS. A result that is gone or damaged is no error of the call: the extraction is
// shown without it, and its error says so.
func (b *Blobs) Whole(ctx context.Context, r Record) (extraction.Extraction, error) {
	return b.WholeUpTo(ctx, r, math.MaxInt64)
}

// WholeUpTo is Whole, but a result of more than most bytes stays in the store: it is
// compared there, and nil in the extraction. OpenResult streams it.
func (b *Blobs) WholeUpTo(ctx context.Context, r Record, most int64) (extraction.Extraction, error) {
	e := r.Extraction()
	e.Result = &extraction.Result{}
	if r.Status != extraction.StatusSuccess {
		return e, nil
	}
	result, err := b.resultUpTo(ctx, r, most)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrDamaged):
		why := "the result is no longer in the document store"
		if errors.Is(err, ErrDamaged) {
			why = "the result in the document store is not the one that was stored"
		}
		todo := "a retry fetches it from the vendor again, and submits nothing"
		switch {
		case r.Fetching():
			todo = "it is being fetched from the vendor again"
		case r.Trouble != nil && r.Trouble.Code == extraction.CodeResultUnavailable && r.Trouble.OverAt.IsZero():
			todo = r.Trouble.Message
		}
		e.Error = extraction.NewFailure(extraction.CodeResultUnavailable, why+" (extraction "+r.ID+"); "+todo, nil)
		return e, nil
	case err != nil:
		return e, err
	}
	e.Result = result
	return e, nil
}

// DeleteResult removes a result; one that does not exist is no error.
func (b *Blobs) DeleteResult(ctx context.Context, id string, seq int64) error {
	if err := b.remove(ctx, resultKey(id, seq)); err != nil {
		return err
	}
	b.removeFolder(id) // What was erased in the meantime had one no more.
	return nil
}
