package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// spoken are the script calls of a client, by their keys' names.
type spoken struct {
	mu    sync.Mutex
	calls int
}

func (s *spoken) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *spoken) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.note()
		return next(ctx, cmds)
	}
}

func (s *spoken) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if !redis.HasErrorPrefix(err, "NOSCRIPT") && !strings.HasPrefix(cmd.Name(), "script") {
			s.note()
		}
		return err
	}
}

func (s *spoken) note() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
}

// An extraction takes few round trips of its worker, without asynq's own: the lease with the
// admission, the journal, and the end of each step with the task that follows.
func TestFewRoundTrips(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	own := redis.NewClient(r.rdb.(*redis.Client).Options())
	t.Cleanup(func() { _ = own.Close() })
	count := new(spoken)
	r.cfg.Redis = own
	w := r.worker()
	first := r.submit("x") // Learns what is asked every few seconds only.
	r.drive(w, first)
	own.AddHook(count)
	id := r.submit("x")
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	submit := count.calls
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusSuccess || got.Attempts != 1 || got.Polls != 1 {
		t.Fatalf("%s is %s after %d attempts", id, got.Status, got.Attempts)
	}
	// Begin, a number where the last is used up, mark, next, schedule; begin, finish.
	if poll := count.calls - submit; submit > 5 || poll > 2 {
		t.Errorf("a submission takes %d round trips, a poll %d", submit, poll)
	}
}

// A submission that was admitted with its lease is journalled with its last byte, or with
// what it came to: attempts are counted whichever way it goes.
func TestAttemptsAreCounted(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"one call", "two steps"} {
		for _, fails := range []int{0, 1, 2} {
			t.Run(fmt.Sprintf("%s, fails %d times", provider, fails), func(t *testing.T) {
				t.Parallel()
				v, p := searchable(provider)
				refuse := func(n int) error {
					if n <= fails {
						return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Status: 503, Err: fmt.Errorf("503")}
					}
					return nil
				}
				v.onSubmit, v.onOpen = func(n int, _ extraction.Submission) error { return refuse(n) }, refuse
				r := newRig(t, p)
				id := r.submit("x")
				r.drive(r.worker(), id)
				if got := r.get(id); got.Status != extraction.StatusSuccess || got.Attempts != fails+1 || got.SubmitSeq == (store.SubmitSeq{}) {
					t.Errorf("it is %s after %d attempts, the last of number %v, want %d attempts", got.Status, got.Attempts, got.SubmitSeq, fails+1)
				}
			})
		}
	}
}

// What a vendor does well is told to the account with what the step writes, for each kind of
// call, and once that is refused by a call of its own.
func TestSuccessEndsTheRow(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	w := r.worker()
	id := r.submit("x")
	rows := func() (n []int64) {
		for _, row := range []string{"failing-submits", "failing"} {
			n = append(n, r.rdb.Exists(t.Context(), "extractq:{acme}:"+row).Val())
		}
		return n
	}
	fail := func(op limiter.Op) {
		t.Helper()
		if _, err := r.limiter.Report(t.Context(), "acme", "another", op, false); err != nil {
			t.Fatal(err)
		}
	}
	fail(limiter.OpSubmit)
	fail(limiter.OpPoll)
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	state, err := r.limiter.State(t.Context(), "acme")
	if got := rows(); err != nil || !slices.Equal(got, []int64{0, 1}) || state.LastSubmitOK.IsZero() {
		t.Errorf("after a submission there are %v rows of failures, the last went at %v, %v", got, state.LastSubmitOK, err)
	}
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := rows(); !slices.Equal(got, []int64{0, 0}) {
		t.Errorf("after a poll there are %v rows of failures", got)
	}
	// A poll whose extraction is canceled meanwhile writes nothing, and the vendor answers
	// all the same.
	fail(limiter.OpPoll)
	id = r.polling(w, "y", 0)
	fail(limiter.OpPoll)
	p := r.payload(id)
	v := w.accounts["acme"].Provider.(*vendor)
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		err := r.records.Cancel(t.Context(), r.get(id).Input, store.NewToken(), store.Kept{Record: 1 << 40})
		return done(), err
	}
	if _, err := w.poll(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if got := rows(); !slices.Equal(got, []int64{0, 0}) {
		t.Errorf("after a poll that lost there are %v rows of failures", got)
	}
}
