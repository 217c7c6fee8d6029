package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/extractq/extractq/extraction"
)

// Fence names one step of one extraction: the extraction, its present seq and
// the attempt that wants to act.
type Fence struct {
	Input Input
	Seq   int64
	Token string
}

// Lease is a step that a worker holds.
type Lease struct {
	Fence
	// Record is the record as it was when the lease was taken.
	Record Record
	// Now is Redis's time at that moment.
	Now time.Time
	// Admitted says that the rider of Begin admitted the step's first call.
	Admitted bool
	// Crowded says that others wait for their turn.
	Crowded bool
}

// Scheduled is the step that follows: the task ID:Seq, to be carried out at Due.
type Scheduled struct {
	Seq int64
	Due time.Time
	// Now is Redis's time when the step was scheduled.
	Now time.Time
	// Crowded says, after Next, that others wait for their turn.
	Crowded bool
}

// Finished is the end of an extraction.
type Finished struct {
	At time.Time
	// Crowded says that others wait for their turn.
	Crowded bool
}

// Begin takes the lease of a step for d; the fence's input needs the account,
// the id and the batch. A submission needs an in-flight slot: it must have been
// released, or find that none waits and that there is room for it. Begin returns
// ErrNotFound, ErrFinal, ErrStale (also where the record's step is another one) or
// ErrBusy when there is nothing to do for this task. With ErrWaits, the lease has the
// record as it waits for its turn, under a new seq.
func (s *Records) Begin(ctx context.Context, f Fence, step extraction.Step, d time.Duration) (Lease, error) {
	return s.BeginWith(ctx, nil, f, step, d)
}

// BeginWith is Begin with a rider that admits the call to the vendor that the step begins
// with. It may be nil.
func (s *Records) BeginWith(ctx context.Context, first *Rider, f Fence, step extraction.Step, d time.Duration) (Lease, error) {
	got, err := s.runWith(ctx, first, "begin", f.Input, f.Token, f.Seq, d.Milliseconds(), string(step))
	if err != nil && !errors.Is(err, ErrWaits) {
		return Lease{}, err
	}
	r, decodeErr := decodeReply(got[1], got[2])
	if decodeErr != nil {
		return Lease{}, decodeErr
	}
	f.Input = r.Input
	r.Waiting = err != nil
	l := Lease{Fence: f, Record: r, Now: at(got, 0)}
	if err == nil {
		l.Admitted, l.Crowded = got[3] == int64(1), got[4] == int64(1)
	}
	return l, err
}

// Renew moves the end of a held lease to d from now.
func (s *Records) Renew(ctx context.Context, f Fence, d time.Duration) error {
	return s.renew(ctx, f, s.calls.Add(1), d)
}

// renew is one call of its script. Calls under a lease are numbered: one that is repeated
// after its answer was lost may come after later ones, and has no effect then.
func (s *Records) renew(ctx context.Context, f Fence, n int64, d time.Duration) error {
	_, err := s.run(ctx, "renew", f.Input, f.Token, n, d.Milliseconds())
	return err
}

// Mark journals a change under a held lease.
func (s *Records) Mark(ctx context.Context, f Fence, c *Change) error {
	return s.mark(ctx, f, s.calls.Add(1), c)
}

func (s *Records) mark(ctx context.Context, f Fence, n int64, c *Change) error {
	_, err := s.run(ctx, "mark", f.Input, append([]any{f.Token, n}, c.args()...)...)
	return err
}

// Next ends a step and schedules the one that follows after delay, which is
// rounded up to Redis's whole seconds. It needs the lease. Calling it again with the
// same arguments, after an answer that was lost, has no second effect; after a call
// with others it returns ErrStale.
func (s *Records) Next(
	ctx context.Context, f Fence, step extraction.Step, delay time.Duration, because extraction.Because, c *Change,
) (Scheduled, error) {
	args := append([]any{f.Token, f.Seq, string(step), delay.Milliseconds(), string(because)}, c.args()...)
	got, err := s.runWith(ctx, c.riding(), "next", f.Input, args...)
	if err != nil {
		return Scheduled{}, err
	}
	at := scheduled(got)
	at.Crowded = got[3] == int64(1)
	return at, nil
}

// Kept says how long something finished is kept, counted from its finish.
type Kept struct {
	// Record is for the record and the result, Document for the document.
	Record, Document time.Duration
}

// For is how long something that ended with status is kept. The document of what
// neither succeeded nor was canceled stays as long as its record, so that it can
// be submitted again.
func (k Kept) For(status extraction.Status) Kept {
	if status != extraction.StatusSuccess && status != extraction.StatusCanceled {
		k.Document = k.Record
	}
	return k
}

// Finish writes the final status under a held lease. kept is what the retention
// says for any status. Of a record that is Fetching it writes c, and changes nothing
// else of its end.
func (s *Records) Finish(ctx context.Context, f Fence, status extraction.Status, kept Kept, c *Change) (Finished, error) {
	kept = kept.For(status)
	args := append([]any{
		f.Token, f.Seq, string(status), kept.Record.Milliseconds(), kept.Document.Milliseconds(),
	}, c.args()...)
	got, err := s.runWith(ctx, c.riding(), "finish", f.Input, args...)
	if err != nil {
		return Finished{}, err
	}
	return Finished{At: at(got, 0), Crowded: got[1] == int64(1)}, nil
}

// Refetch makes the record of a SUCCESS Fetching, because its result resultSeq is damaged
// or gone. It returns ErrBusy where it is so already, and ErrStale where the record names
// another result by now.
func (s *Records) Refetch(ctx context.Context, in Input, token string, resultSeq int64) (Scheduled, error) {
	got, err := s.run(ctx, "refetch", in, token, resultSeq)
	if err != nil {
		return Scheduled{}, err
	}
	return scheduled(got), nil
}

// Reissue moves the fence of a step that no worker carries out and returns the
// record as it is then.
func (s *Records) Reissue(ctx context.Context, f Fence) (Record, Scheduled, error) {
	got, err := s.run(ctx, "reissue", f.Input, f.Token, f.Seq)
	if err != nil {
		return Record{}, Scheduled{}, err
	}
	r, err := decodeReply(got[3], got[4])
	return r, scheduled(got), err
}

// Touch lets reconcile look again after delay at an overdue step whose task exists.
// orphaned notes that the task looked active although no worker holds the lease.
func (s *Records) Touch(ctx context.Context, f Fence, delay time.Duration, orphaned bool) error {
	_, err := s.run(ctx, "touch", f.Input, f.Seq, delay.Milliseconds(), flag(orphaned))
	return err
}

// Resolve gives an extraction that has no vendor id the one of its own submission, whose
// answer came late or was lost. A worker that holds a step of it, as one that is about to
// submit it again, loses its lease. An extraction that has ended meanwhile keeps the id,
// and that is ErrFinal. Resolve returns ErrKnown where the extraction has this id
// already, and ErrSupplanted where it has another.
func (s *Records) Resolve(ctx context.Context, in Input, token, vendorID string) (Scheduled, error) {
	got, err := s.run(ctx, "resolve", in, token, vendorID)
	if err != nil {
		return Scheduled{}, err
	}
	return scheduled(got), nil
}

// flag is a truth as scripts take it.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// at reads a time in milliseconds.
func at(got []any, i int) time.Time {
	text, _ := got[i].(string)
	return extraction.FromMillis(number(text)).Time
}

// scheduled reads now, seq and due.
func scheduled(got []any) Scheduled {
	seq, _ := got[1].(string)
	return Scheduled{Now: at(got, 0), Seq: number(seq), Due: at(got, 2)}
}

// decodeReply reads a record from a script's HGETALL and its input.
func decodeReply(fields, input any) (Record, error) {
	pairs, _ := fields.([]any)
	m := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case string:
			m[name] = v
		case int64:
			m[name] = strconv.FormatInt(v, 10)
		}
	}
	in, _ := input.(string)
	return decodeRecord(m, map[string]string{detailInput: in})
}
