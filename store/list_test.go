package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

// listed are the ids of a list.
func (r *rig) listed(accounts []string, f extraction.Filter, after Cursor) []string {
	r.t.Helper()
	var out []string
	for rec, err := range r.s.List(r.t.Context(), accounts, f, after) {
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, rec.ID)
	}
	return out
}

// createdAt moves the creation of an extraction.
func (r *rig) createdAt(in Input, ms int64) {
	r.t.Helper()
	k := accountKeys(in.Account)
	ctx := r.t.Context()
	if err := r.rdb.HSet(ctx, k.record(in.ID), fieldCreatedAt, ms).Err(); err != nil {
		r.t.Fatal(err)
	}
	for _, key := range []string{k.list(), k.batch(in.Batch)} {
		if err := r.rdb.ZAddXX(ctx, key, z(float64(ms), in.ID)).Err(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// Extractions of several accounts come in one order, whatever the pages: also
// when many are of one millisecond.
func TestList(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	accounts := []string{"acme", "other", "empty"}
	var all []Input
	created := map[string]int64{}
	for i := range 2*listPage + 150 {
		in := testInput()
		in.Account = accounts[i%2]
		in.Batch = []string{"b1", "b2"}[i%3/2]
		if _, err := r.s.Create(t.Context(), in, Creation{Token: NewToken()}); err != nil {
			t.Fatal(err)
		}
		ms := int64(1_000_000)
		if i%10 == 0 { // The rest, more than a page of each account, is of one moment.
			ms += int64(i) - listPage
		}
		r.createdAt(in, ms)
		created[in.ID] = ms
		all = append(all, in)
	}
	slices.SortFunc(all, func(a, b Input) int {
		return cmp.Or(cmp.Compare(created[b.ID], created[a.ID]), strings.Compare(b.ID, a.ID))
	})
	want := func(keep func(Input) bool) []string {
		var out []string
		for _, in := range all {
			if keep(in) {
				out = append(out, in.ID)
			}
		}
		return out
	}
	middle := all[len(all)/2]
	after := Cursor{time.UnixMilli(created[middle.ID]), middle.ID}
	for name, tt := range map[string]struct {
		accounts []string
		f        extraction.Filter
		after    Cursor
		keep     func(Input) bool
	}{
		"all":         {accounts, extraction.Filter{}, Cursor{}, func(Input) bool { return true }},
		"one account": {accounts[1:], extraction.Filter{}, Cursor{}, func(in Input) bool { return in.Account == "other" }},
		"a batch":     {accounts, extraction.Filter{Batch: "b2"}, Cursor{}, func(in Input) bool { return in.Batch == "b2" }},
		"from a cursor": {accounts, extraction.Filter{}, after, func(in Input) bool {
			return created[in.ID] < created[middle.ID] ||
				created[in.ID] == created[middle.ID] && in.ID < middle.ID
		}},
		"since":      {accounts, extraction.Filter{Since: extraction.Time{Time: time.UnixMilli(1_000_000)}}, Cursor{}, func(in Input) bool { return created[in.ID] >= 1_000_000 }},
		"until":      {accounts, extraction.Filter{Until: extraction.Time{Time: time.UnixMilli(1_000_000)}}, Cursor{}, func(in Input) bool { return created[in.ID] < 1_000_000 }},
		"until half": {accounts, extraction.Filter{Until: extraction.Time{Time: time.UnixMilli(1_000_000).Add(1)}}, Cursor{}, func(in Input) bool { return created[in.ID] <= 1_000_000 }},
	} {
		if diff := gocmp.Diff(want(tt.keep), r.listed(tt.accounts, tt.f, tt.after)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is accepted or erased while a list is read neither repeats nor hides
// another.
func TestListWhileItChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var want []string
	for range listPage + 10 {
		want = append(want, r.finished(extraction.StatusSuccess).Input.ID)
	}
	seen := map[string]int{}
	n := 0
	for rec, err := range r.s.List(t.Context(), []string{"acme"}, extraction.Filter{}, Cursor{}) {
		if err != nil {
			t.Fatal(err)
		}
		seen[rec.ID]++
		if n++; n%10 == 0 {
			r.create()
		}
		r.want("Erase", r.s.Erase(t.Context(), rec.Input, true, testKept), nil)
	}
	if len(seen) != len(want) {
		t.Errorf("%d extractions were listed, want %d", len(seen), len(want))
	}
	for _, id := range want {
		if seen[id] != 1 {
			t.Errorf("%s was listed %d times", id, seen[id])
		}
	}
}

func TestFilterMatches(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_000_000)
	r := Record{
		Input: Input{Type: "invoice", Customer: "acme", Batch: "monday"}, Status: extraction.StatusError, CreatedAt: at,
		Failure: extraction.NewFailure(extraction.CodeVendorFailed, "x", nil),
	}
	portfolio := Record{Input: Input{Types: []string{"invoice", "receipt"}}, CreatedAt: at}
	for _, tt := range []struct {
		f    extraction.Filter
		r    Record
		want bool
	}{
		{extraction.Filter{}, r, true},
		{extraction.Filter{Customer: "acme", Batch: "monday", Type: "invoice"}, r, true},
		{extraction.Filter{Customer: "other"}, r, false},
		{extraction.Filter{Batch: "tuesday"}, r, false},
		{extraction.Filter{Type: "receipt"}, r, false},
		{extraction.Filter{Type: "receipt"}, portfolio, true},
		{extraction.Filter{Status: []extraction.Status{"EXPIRED", "ERROR"}}, r, true},
		{extraction.Filter{Status: []extraction.Status{"EXPIRED"}}, r, false},
		{extraction.Filter{Error: "vendor_failed"}, r, true},
		{extraction.Filter{Error: "expired"}, r, false},
		{extraction.Filter{Error: "expired"}, portfolio, false},
		{extraction.Filter{Since: extraction.Time{Time: at}}, r, true},
		{extraction.Filter{Since: extraction.Time{Time: at.Add(1)}}, r, false},
		{extraction.Filter{Until: extraction.Time{Time: at}}, r, false},
		{extraction.Filter{Until: extraction.Time{Time: at.Add(1)}}, r, true},
	} {
		if got := tt.r.Matches(tt.f); got != tt.want {
			t.Errorf("%s matches %v, want %v", fmt.Sprintf("%+v", tt.f), got, tt.want)
		}
	}
}
