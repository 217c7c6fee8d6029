package store

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		if diff := cmp.Diff(tt.want, got.Counts); diff != "" || got.Final() != tt.final || got.Latest.IsZero() {
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
	read := func(customer string, limit int) (names []string) {
		after := ""
		for range n {
			page, next, err := r.s.Batches(t.Context(), []string{"acme", "other"}, customer, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > limit {
				t.Errorf("a page of %d, want %d at most", len(page), limit)
			}
			for _, b := range page {
				names = append(names, b.Name)
			}
			if next == "" {
				return names
			}
			after = next
		}
		t.Fatal("the pages do not end")
		return nil
	}
	for limit := 1; limit <= n; limit++ {
		if diff := cmp.Diff([]string{"b6", "b5", "b4", "b3", "b2", "b1", "b0"}, read("", limit)); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
		}
		if diff := cmp.Diff([]string{"b5", "b3", "b1"}, read("c2", limit)); diff != "" {
			t.Errorf("pages of %d for one customer (-want +got):\n%s", limit, diff)
		}
	}
}
