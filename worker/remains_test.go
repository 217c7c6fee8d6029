package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

// fates is a vendor that does with a document what its config_name says.
func fates() *vendor {
	v := newVendor()
	fate := map[string]string{}
	v.onSubmit = func(n int, s extraction.Submission) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		id := fmt.Sprintf("v%d", n)
		fate[id] = s.ConfigName
		lost := &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
		switch s.ConfigName {
		case "rejected":
			return &extraction.Error{Op: "submit", Kind: extraction.KindRejected, Err: errors.New("422")}
		case "lost":
			return lost
		case "found":
			v.ready = append(v.ready, extraction.ReadyItem{VendorID: id, Name: s.Name})
			return lost
		}
		return nil
	}
	v.onPoll = func(id string, _ int) (extraction.Outcome, error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		switch fate[id] {
		case "failed":
			return extraction.Outcome{Status: extraction.StatusError, VendorStatus: "FAILED"}, nil
		case "expired":
			return extraction.Outcome{Status: extraction.StatusExpired, VendorStatus: "EXPIRED"}, nil
		case "never":
			return pending(), nil
		}
		return done(), nil
	}
	return v
}

// live lets documents go all ways through the system to their ends, with every label there
// is, and returns their ids. Round names them.
func (r *rig) live(round int) (ids []string) {
	t := r.t
	t.Helper()
	ctx := context.Background()
	bring := func(fate, label, callback string, priority extraction.Priority) string {
		t.Helper()
		label = fmt.Sprint(label, "-", round)
		s := intake.Submission{
			Account: "acme", Provider: "fake", Type: "t", ConfigName: fate, Name: "a.pdf", Document: strings.NewReader(label),
			Customer: "customer " + label, Batch: "batch " + label, Priority: priority, Metadata: map[string]string{"k": label},
			CallbackURL: callback, CallbackKey: "billing",
		}
		e, _, err := r.client.SubmitOnce(ctx, s, "", "key "+label)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
		return e.ID
	}
	for i, fate := range []string{"done", "failed", "expired", "rejected", "done", "found", "lost"} {
		priority := []extraction.Priority{extraction.PriorityNormal, extraction.PriorityBulk}[i%2]
		bring(fate, fmt.Sprint(fate, i), []string{"https://producer.test/hook", "https://gone.test/hook", ""}[i%3], priority)
	}
	adopted, err := r.client.Adopt(ctx, intake.Submission{Account: "acme", Provider: "fake", Type: "t", Batch: fmt.Sprint("adopted ", round)}, fmt.Sprint("w", round))
	if err != nil {
		t.Fatal(err)
	}
	ids = append(ids, adopted.ID)
	for _, id := range slices.Clone(ids) {
		r.final(id)
	}
	never := bring("never", "never", "https://producer.test/hook", "")
	r.await("it to be at the vendor", func() bool { return r.get(never).VendorID != "" })
	if err := r.client.Hook(ctx, "acme", extraction.Hook{VendorID: r.get(never).VendorID}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.client.Cancel(ctx, "acme", ids[len(ids)-1]); err != nil {
			t.Fatal(err)
		}
		e, err := r.client.Retry(ctx, "acme", ids[len(ids)-1], false)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	if _, err := r.client.Cancel(ctx, "acme", ids[len(ids)-1]); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		r.final(id)
		r.await("its callback", func() bool {
			d := r.get(id).Deliveries.State
			return d == "" || d == store.DeliveryDelivered || d == store.DeliveryFailed
		})
	}
	return ids
}

// remains are the members of every key in Redis, and what they hold. A key that goes by
// itself within the hour is left out, and so is what asynq keeps of servers and days.
func (r *rig) remains() (sizes map[string]int64, texts map[string]string) {
	t := r.t
	t.Helper()
	ctx := context.Background()
	sizes, texts = map[string]int64{}, map[string]string{}
	keys := r.rdb.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		key := keys.Val()
		if left := r.rdb.TTL(ctx, key).Val(); left > 0 && left <= time.Hour {
			continue
		}
		if strings.HasPrefix(key, "asynq:servers") || strings.HasPrefix(key, "asynq:workers") ||
			strings.Contains(key, ":processed") || strings.Contains(key, ":failed") {
			continue
		}
		var held any
		switch kind := r.rdb.Type(ctx, key).Val(); kind {
		case "hash":
			held, sizes[key] = r.rdb.HGetAll(ctx, key).Val(), r.rdb.HLen(ctx, key).Val()
		case "zset":
			held, sizes[key] = r.rdb.ZRange(ctx, key, 0, -1).Val(), r.rdb.ZCard(ctx, key).Val()
		case "set":
			held, sizes[key] = r.rdb.SMembers(ctx, key).Val(), r.rdb.SCard(ctx, key).Val()
		case "list":
			held, sizes[key] = r.rdb.LRange(ctx, key, 0, -1).Val(), r.rdb.LLen(ctx, key).Val()
		case "stream":
			held, sizes[key] = r.rdb.XRange(ctx, key, "-", "+").Val(), r.rdb.XLen(ctx, key).Val()
		case "string":
			held, sizes[key] = r.rdb.Get(ctx, key).Val(), 1
		default: // It has gone since.
			if kind != "none" {
				t.Errorf("%s is a %s", key, kind)
			}
			continue
		}
		texts[key] = fmt.Sprint(key, held)
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return sizes, texts
}

// Nothing in Redis outlives the records it is about: when extractions that went all ways
// have been erased, some by their retention and some by hand, and the time of what is kept
// for a while after that is over, there is as much as before them, and nothing names them.
// A new kind of key that stays makes this fail: let it go with erase, or with a time of its
// own, or bound it and name it here.
func TestNothingOutlivesItsRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t, fates())
	p := &producer{}
	p.answer = func(n int) DeliveryOutcome {
		if strings.Contains(p.got[n-1].URL, "gone") {
			return DeliveryOutcome{State: store.DeliveryFailed, Status: 410, Problem: "the host answers 410"}
		}
		return DeliveryOutcome{State: store.DeliveryDelivered, Status: 204}
	}
	r.cfg.Deliverer = p
	r.cfg.UncertainWindow = time.Second
	if err := store.Pair(t.Context(), r.records, r.blobs, store.Terms{}); err != nil {
		t.Fatal(err)
	}
	w := r.worker()
	// These stay and grow with what the account does. They are bounded.
	grows := map[string]string{
		"extractq:{acme}:lat:":    "a histogram of the vendor's latencies",
		"extractq:{acme}:lat:t":   "one of a document type",
		"extractq:{acme}:foreign": "the vendor's ids that are not ours, at most 10,000",
		"extractq:{acme}:unnamed": "those whose name the vendor does not tell, at most 10,000",
		"extractq:{acme}:strays":  "those by their token, at most 10,000",
		"extractq:{acme}:early":   "ids that hooks named, for two minutes",
		"extractq:{acme}:account": "the account's state, by field",
	}
	var before map[string]int64
	for round := range 3 {
		stop := r.start()
		ids := r.live(round)
		for i, id := range ids {
			if i%2 == 0 {
				r.hset(id, "exp", ago(time.Second))
				r.overdue(id)
			} else if _, err := r.client.Delete(t.Context(), "acme", id); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range ids {
			r.await(id+" to be erased", func() bool {
				_, err := r.records.Get(t.Context(), "acme", id)
				return errors.Is(err, store.ErrNotFound)
			})
		}
		// A task that was made just before a cancellation runs once more, and ends.
		r.await("the tasks to go", func() bool {
			n := int64(0)
			for _, queue := range []string{"acme.submit", "acme.poll", "deliver"} {
				for _, state := range []string{"scheduled", "retry"} {
					n += r.rdb.ZCard(context.Background(), "asynq:{"+queue+"}:"+state).Val()
				}
				for _, state := range []string{"pending", "active"} {
					n += r.rdb.LLen(context.Background(), "asynq:{"+queue+"}:"+state).Val()
				}
			}
			return n == 0
		})
		stop()
		w.expireUnreferenced(t.Context())
		// The retention of what is left passes.
		for _, key := range []string{"extractq:{acme}:tombs", "extractq:{acme}:emptied"} {
			members := r.rdb.ZRange(t.Context(), key, 0, -1).Val()
			if len(members) == 0 {
				t.Errorf("%s is empty", key)
			}
			for _, m := range members {
				r.rdb.ZAdd(t.Context(), key, z(1, m))
			}
		}
		inspector := asynq.NewInspectorFromRedisClient(r.rdb)
		for _, name := range []string{queue.SubmitQueue("acme"), queue.PollQueue("acme"), queue.DeliverQueue} {
			if _, err := inspector.DeleteAllCompletedTasks(name); err != nil { // asynq does so after ten minutes.
				t.Fatal(err)
			}
		}
		if _, err := w.reconcile(t.Context(), w.accounts["acme"]); err != nil {
			t.Fatal(err)
		}
		w.expireUnreferenced(t.Context())

		sizes, texts := r.remains()
		for key, text := range texts {
			if key == "extractq:{acme}:strays" { // A token is an id: a repetition finds its document by it.
				continue
			}
			for _, id := range ids {
				if strings.Contains(text, id) {
					t.Errorf("round %d: %s still names %s", round, key, id)
				}
			}
			for _, label := range []string{fmt.Sprint("-", round), "producer.test", "a.pdf", "billing"} {
				if strings.Contains(text, label) && key != "extractq:meta" {
					t.Errorf("round %d: %s still holds %q: %s", round, key, label, text)
				}
			}
		}
		for key := range grows {
			delete(sizes, key)
		}
		if diff := cmp.Diff(before, sizes); round > 0 && diff != "" {
			t.Errorf("round %d left more than the one before (-before +now):\n%s", round, diff)
		}
		before = sizes
	}
	left, err := os.ReadDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if e.Name() != "identity" {
			t.Errorf("the document store still has %s", e.Name())
		}
	}
}
