package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/extractq/extractq/extraction"
)

func (r *rig) inBatch(account, batch, customer string) Input {
	r.t.Helper()
	in := testInput()
	in.Account, in.Batch, in.Customer = account, batch, customer
	if _, err := r.s.Create(r.t.Context(), in, Creation{Token: NewToken()}); err != nil {
		r.t.Fatal(err)
	}
	return in
}

// A batch may be of several accounts and customers; who may see one customer only
// sees that one's part.
func TestBatchCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	canceled := r.inBatch("acme", "b1", "c1")
	r.inBatch("acme", "b1", "c2")
	r.inBatch("other", "b1", "")
	r.inBatch("other", "b2", "c2")
	r.want("Cancel", r.s.Cancel(t.Context(), canceled, NewToken(), testKept), nil)
	accounts := []string{"acme", "other"}
	type counts = map[extraction.Status]int64
	for _, tt := range []struct {
		accounts        []string
		batch, customer string
		want            counts
		final           int64
	}{
		{accounts, "b1", "", counts{"QUEUED": 2, "CANCELED": 1}, 1},
		{accounts[:1], "b1", "", counts{"QUEUED": 1, "CANCELED": 1}, 1},
		{accounts, "b1", "c1", counts{"CANCELED": 1}, 1},
		{accounts, "b1", "c2", counts{"QUEUED": 1}, 0},
		{accounts, "b2", "", counts{"QUEUED": 1}, 0},
	} {
		got, err := r.s.Count(t.Context(), tt.accounts, tt.batch, tt.customer)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(tt.want, got.Counts); diff != "" || got.Final() != tt.final || got.Latest.IsZero() {
			t.Errorf("%s of %q: %d final, latest %v (-want +got):\n%s", tt.batch, tt.customer, got.Final(), got.Latest, diff)
		}
	}
	for _, tt := range [][2]string{{"b2", "c1"}, {"b3", ""}} {
		_, err := r.s.Count(t.Context(), accounts, tt[0], tt[1])
		r.want("Count of "+tt[0]+" for "+tt[1], err, ErrNotFound)
	}
	// The counts of a batch stay.
	r.want("Erase", r.s.Erase(t.Context(), canceled, true, testKept), nil)
	if got, err := r.s.Count(t.Context(), accounts, "b1", "c1"); err != nil || got.Total() != 1 {
		t.Errorf("after an erasure: %+v, %v", got, err)
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 7
	for i := range n {
		r.inBatch([]string{"acme", "other"}[i%2], fmt.Sprintf("b%d", i), []string{"c1", "c2"}[i%2])
		r.rdb.ZAdd(t.Context(), accountKeys("acme").batches(), z(float64(i), fmt.Sprintf("b%d", i)))
		r.rdb.ZAdd(t.Context(), accountKeys("other").batches(), z(float64(i), fmt.Sprintf("b%d", i)))
	}
	for limit := 1; limit <= n; limit++ {
		if diff := gocmp.Diff([]string{"b6", "b5", "b4", "b3", "b2", "b1", "b0"}, r.batchPages([]string{"acme", "other"}, "", limit, nil)); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
		}
		if diff := gocmp.Diff([]string{"b5", "b3", "b1"}, r.batchPages([]string{"acme", "other"}, "c2", limit, nil)); diff != "" {
			t.Errorf("pages of %d for one customer (-want +got):\n%s", limit, diff)
		}
	}
}

// batchPages are the names on all pages of the list of batches; between is called after
// each page.
func (r *rig) batchPages(accounts []string, customer string, limit int, between func(page []Batch)) (names []string) {
	r.t.Helper()
	after := Cursor{}
	for range 10_000 {
		page, next, err := r.s.Batches(r.t.Context(), accounts, customer, after, limit)
		if err != nil {
			r.t.Fatal(err)
		}
		if len(page) > limit {
			r.t.Errorf("a page of %d, want %d at most", len(page), limit)
		}
		for _, b := range page {
			names = append(names, b.Name)
		}
		if next == (Cursor{}) {
			return names
		}
		if between != nil {
			between(page)
		}
		after = next
	}
	r.t.Fatal("the pages do not end")
	return nil
}

// A batch of several accounts stands where the latest of them has it, once, whatever the
// pages; also where two have it at the same moment.
func TestBatchesOfSeveralAccounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	accounts := []string{"acme", "other", "third"}
	rapid.Check(t, func(rt *rapid.T) {
		r.rdb.FlushDB(t.Context())
		latest := map[string]int64{}
		for i := range rapid.IntRange(0, 12).Draw(rt, "batches") {
			name := fmt.Sprintf("b%d", i)
			for _, account := range rapid.SliceOfNDistinct(rapid.SampledFrom(accounts), 1, 3, rapid.ID).Draw(rt, "accounts") {
				k, at := accountKeys(account), rapid.Int64Range(1, 6).Draw(rt, "at")
				r.rdb.ZAdd(t.Context(), k.batches(), z(float64(at), name))
				r.rdb.HSet(t.Context(), k.batchCounts(name), "QUEUED", 1)
				latest[name] = max(latest[name], at)
			}
		}
		want := slices.SortedFunc(maps.Keys(latest), func(a, b string) int {
			return cmp.Or(cmp.Compare(latest[b], latest[a]), strings.Compare(b, a))
		})
		limit := rapid.IntRange(1, 13).Draw(rt, "limit")
		if diff := gocmp.Diff(want, r.batchPages(accounts, "", limit, nil), cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("pages of %d (-want +got):\n%s", limit, diff)
		}
	})
}

// Batches come and go between the pages, also the one that the next page goes on behind:
// what stays is listed once.
func TestBatchesGoWhilePaging(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 30
	var want []string
	for i := range n {
		name := fmt.Sprintf("b%02d", n-i)
		in := r.inBatch("acme", name, "")
		r.rdb.ZAdd(t.Context(), r.k.batches(), z(float64(1000-i), name))
		want = append(want, name)
		r.want("Cancel", r.s.Cancel(t.Context(), in, NewToken(), Kept{}), nil)
		r.want("Erase", r.s.Erase(t.Context(), in, true, Kept{Record: time.Hour}), nil)
	}
	gone := map[string]bool{}
	forget := func(name string) {
		gone[name] = true
		r.rdb.ZAdd(t.Context(), r.k.emptied(), z(1, name))
		if forgotten, err := r.s.ForgetBatches(t.Context(), "acme", 10); forgotten != 1 || err != nil {
			t.Fatalf("ForgetBatches: %d, %v", forgotten, err)
		}
	}
	pages := 0
	got := r.batchPages([]string{"acme"}, "", 4, func(page []Batch) {
		pages++
		last := page[len(page)-1].Name
		forget(last) // The cursor's own, and one that is still to come.
		if i := slices.Index(want, last) + 2; i < len(want) {
			forget(want[i])
			want = slices.Delete(want, i, i+1)
		}
		r.inBatch("acme", fmt.Sprint("new", pages), "")
	})
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if len(gone) < 10 {
		t.Errorf("only %d batches went", len(gone))
	}
}

// replies counts the commands of a client by name, and the members and fields that come
// back.
type replies struct {
	commands map[string]int
	entries  int
}

func (h *replies) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *replies) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.count(cmd)
		return err
	}
}

func (h *replies) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			h.count(cmd)
		}
		return err
	}
}

func (h *replies) count(cmd redis.Cmder) {
	h.commands[cmd.Name()]++
	switch c := cmd.(type) {
	case *redis.ZSliceCmd:
		h.entries += len(c.Val())
	case *redis.MapStringStringCmd:
		h.entries += len(c.Val())
	}
}

// A page costs what it shows, however many batches there are; and for a customer that
// has a part in none of them, it ends before all were read.
func TestBatchesPageIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const n = 20_000
	accounts := []string{"acme", "other"}
	_, err := r.rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range n {
			name := fmt.Sprintf("b%d", i)
			for _, account := range accounts {
				p.ZAdd(t.Context(), accountKeys(account).batches(), z(float64(i), name))
				p.HSet(t.Context(), accountKeys(account).batchCounts(name), "SUCCESS", 1)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &replies{commands: map[string]int{}}
	r.rdb.AddHook(h)
	page, next, err := r.s.Batches(t.Context(), accounts, "", Cursor{time.UnixMilli(n / 2), "b"}, 50)
	if err != nil || len(page) != 50 || page[0].Name != "b9999" || next.ID != "b9950" {
		t.Fatalf("a page of %d, next %v, %v", len(page), next, err)
	}
	// Both accounts have each batch: it is counted at most twice, and read ahead for a page.
	if h.commands["hgetall"] > 4*(50+listPage) || h.entries > 8*(50+listPage) {
		t.Errorf("a page of 50 took %v with %d entries", h.commands, h.entries)
	}
	*h = replies{commands: map[string]int{}}
	page, next, err = r.s.Batches(t.Context(), accounts, "nobody", Cursor{}, 50)
	if err != nil || len(page) != 0 || next == (Cursor{}) {
		t.Errorf("for a customer without a part: %d batches, next %v, %v", len(page), next, err)
	}
	if most := 3 * batchesRead; h.commands["hgetall"] > most {
		t.Errorf("for a customer without a part: %v, want at most %d counts", h.commands, most)
	}
}
