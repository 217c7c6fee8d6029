package dashboard

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/worker"
)

// vendor takes every document and finishes none before it is told to.
type vendor struct {
	taken, polls atomic.Int64
	finish       atomic.Bool
}

func (v *vendor) Traits() extraction.Traits         { return extraction.Traits{Provider: "fake"} }
func (v *vendor) Check(extraction.Submission) error { return nil }
func (v *vendor) Probe(context.Context) error       { return nil }

func (v *vendor) Submit(_ context.Context, s extraction.Submission) (extraction.Receipt, error) {
	body, err := s.Body()
	if err != nil {
		return extraction.Receipt{}, err
	}
	defer func() { _ = body.Close() }()
	if _, err := io.Copy(io.Discard, body); err != nil {
		return extraction.Receipt{}, err
	}
	return extraction.Receipt{VendorID: "v" + strconv.FormatInt(v.taken.Add(1), 10), VendorStatus: "PROCESSING"}, nil
}

func (v *vendor) Poll(context.Context, string) (extraction.Outcome, error) {
	v.polls.Add(1)
	if v.finish.Load() {
		return extraction.Outcome{Status: extraction.StatusSuccess, VendorStatus: "COMPLETE", Result: &extraction.Result{}}, nil
	}
	return extraction.Outcome{Status: extraction.StatusInProgress, VendorStatus: "PROCESSING"}, nil
}

func (v *vendor) Ready(context.Context, extraction.ReadyQuery) (extraction.ReadyPage, error) {
	return extraction.ReadyPage{}, nil
}

// service is a worker with one account, acme, and its vendor.
type service struct {
	t      *testing.T
	rdb    *redis.Client
	client *intake.Client
	vendor *vendor
}

// newService runs a worker until the test ends. The higher the price of a poll, the
// fewer there are.
func newService(t *testing.T, pollPrice time.Duration) *service {
	t.Helper()
	s := &service{t: t, rdb: redistest.Client(t), vendor: &vendor{}}
	blobs, err := store.OpenBlobs(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if s.client, err = intake.New(intake.Parts{Redis: s.rdb, Blobs: blobs}); err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Config{
		Redis: s.rdb, Blobs: blobs, Concurrency: slots, StopTimeout: 10 * time.Second, Logger: slog.New(slog.DiscardHandler),
		Accounts: []worker.Account{{
			Name: "acme", Provider: s.vendor, MaxInFlight: 500, Deadline: time.Hour, PollPrice: pollPrice, SubmitAttempts: 5,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("worker: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return s
}

// slots is how many steps run at once.
const slots = 16

// submit submits n documents.
func (s *service) submit(n int) {
	s.t.Helper()
	for i := range n {
		_, err := s.client.Submit(s.t.Context(), intake.Submission{
			Account: "acme", Provider: "fake", Type: "tax_forms", Customer: "north", Batch: "may",
			Name: "secret-name.pdf", Document: strings.NewReader("%PDF-1.7 " + strconv.Itoa(i)),
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// until waits for a condition.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for this: %s", what)
		}
		<-tick.C
	}
}

// snapshot is both queues of the account at one moment.
type snapshot struct {
	// tasks are how many there are in a state, of both queues.
	tasks map[string]int
	// inFlight and completed are the extractions that have such a task.
	inFlight, completed map[string]bool
}

// snapshot reads both queues in one transaction.
func (s *service) snapshot() snapshot {
	s.t.Helper()
	reads := map[string][]*redis.StringSliceCmd{}
	_, err := s.rdb.TxPipelined(s.t.Context(), func(p redis.Pipeliner) error {
		for _, name := range []string{queue.SubmitQueue("acme"), queue.PollQueue("acme")} {
			key := "asynq:{" + name + "}:"
			for _, state := range []string{"pending", "active"} {
				reads[state] = append(reads[state], p.LRange(s.t.Context(), key+state, 0, -1))
			}
			for _, state := range []string{"scheduled", "retry", "archived", "completed"} {
				reads[state] = append(reads[state], p.ZRange(s.t.Context(), key+state, 0, -1))
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	out := snapshot{map[string]int{}, map[string]bool{}, map[string]bool{}}
	for state, queues := range reads {
		for _, read := range queues {
			out.tasks[state] += len(read.Val())
			for _, task := range read.Val() {
				id, _, _ := strings.Cut(task, ":")
				if state == "completed" {
					out.completed[id] = true
				} else {
					out.inFlight[id] = true
				}
			}
		}
	}
	return out
}

// all are the extractions of the snapshot.
func (s snapshot) all() map[string]bool {
	out := maps.Clone(s.inFlight)
	maps.Copy(out, s.completed)
	return out
}

// waiting are the tasks that are not over.
func (s snapshot) waiting() int {
	return s.tasks["pending"] + s.tasks["active"] + s.tasks["scheduled"] + s.tasks["retry"]
}
