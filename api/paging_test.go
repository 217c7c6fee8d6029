package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
)

// labels are what the extractions of a test differ in.
type labels struct{ account, kind, customer string }

func drawLabels(rt *rapid.T, what string) labels {
	return labels{
		account:  rapid.SampledFrom([]string{"acme", "wide"}).Draw(rt, what+" account"),
		kind:     rapid.SampledFrom([]string{"t", "u"}).Draw(rt, what+" type"),
		customer: rapid.SampledFrom([]string{"", "c1", "c2"}).Draw(rt, what+" customer"),
	}
}

// query is the labels as filters, those that are empty left out.
func (l labels) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"account": l.account, "type": l.kind, "customer": l.customer} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// matches reports whether a filter lets the labels through.
func (l labels) matches(filter labels) bool {
	return (filter.account == "" || filter.account == l.account) && (filter.kind == "" || filter.kind == l.kind) &&
		(filter.customer == "" || filter.customer == l.customer)
}

// extractions are those of a page.
func (a answer) extractions(t *testing.T) []extraction.Extraction {
	t.Helper()
	var page protocol.Page
	if err := json.Unmarshal(a.body, &page); err != nil {
		t.Fatal(err)
	}
	return page.Extractions
}

// While others insert, the pages of a list have everything that was there before
// the first page and matches, once, the newest first; and nothing that does not
// match.
func TestPagingUnderInserts(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) {
		c.Accounts = append(c.Accounts, Account{Name: "wide", Provider: "fake", Check: checkFake})
	})
	batch := 0
	var vendorIDs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		batch++ // Each run has extractions of its own.
		own := fmt.Sprintf("b%d", batch)
		submit := func(l labels) string { // What is adopted has no document to store, which takes longest.
			body, err := json.Marshal(protocol.Submission{
				Fields: protocol.Fields{Account: l.account, Type: l.kind, Customer: l.customer, Batch: own}, VendorID: fmt.Sprint("v", vendorIDs.Add(1)),
			})
			if err != nil {
				panic(err)
			}
			return r.do("POST", "/v1/extractions", string(body), "Content-Type", "application/json").want(t, "adopt", http.StatusAccepted).id()
		}
		var before []string
		filter := labels{
			account:  rapid.SampledFrom([]string{"", "acme", "wide"}).Draw(rt, "account"),
			kind:     rapid.SampledFrom([]string{"", "t", "u"}).Draw(rt, "type"),
			customer: rapid.SampledFrom([]string{"", "c1", "c2"}).Draw(rt, "customer"),
		}
		var mu sync.Mutex
		given := map[string]labels{}
		for range rapid.IntRange(0, 25).Draw(rt, "extractions") {
			l := drawLabels(rt, "old")
			id := submit(l)
			if given[id] = l; l.matches(filter) {
				before = append(before, id)
			}
		}
		late := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) labels { return drawLabels(rt, "new") }), 1, 10).Draw(rt, "inserts")
		limit := rapid.IntRange(1, 7).Draw(rt, "limit")

		q := filter.query()
		q.Set("batch", own)
		q.Set("limit", fmt.Sprint(limit))
		var seen []extraction.Extraction
		var inserts sync.WaitGroup
		begin := make(chan struct{})
		inserts.Go(func() {
			<-begin // The first page is there.
			for _, l := range late {
				id := submit(l)
				mu.Lock()
				given[id] = l
				mu.Unlock()
			}
		})
		for pages := 0; ; pages++ {
			a := r.do("GET", "/v1/extractions?"+q.Encode(), "").want(t, q.Encode(), http.StatusOK)
			page := a.extractions(t)
			if pages == 0 {
				close(begin)
			}
			seen = append(seen, page...)
			next, more := a.json["next_cursor"].(string)
			if len(page) > limit || more && len(page) != limit || pages > 50 {
				rt.Fatalf("page %d has %d of %d, and another one behind: %v", pages, len(page), limit, more)
			}
			if !more {
				break
			}
			q.Set("cursor", next)
			wrong := url.Values{"cursor": {next}, "batch": {own + "x"}}
			r.do("GET", "/v1/extractions?"+wrong.Encode(), "").wantProblem(t, "another filter", 422, codeCursor)
			r.do("GET", "/v1/ready?cursor="+next, "").wantProblem(t, "another list", 422, codeCursor)
		}
		inserts.Wait()
		counts := map[string]int{}
		for i, e := range seen {
			counts[e.ID]++
			if l, ok := given[e.ID]; !ok || !l.matches(filter) {
				rt.Errorf("%s with %+v was listed for %+v", e.ID, l, filter)
			}
			if i > 0 && (seen[i-1].CreatedAt.Before(e.CreatedAt.Time) || seen[i-1].CreatedAt.Equal(e.CreatedAt.Time) && seen[i-1].ID <= e.ID) {
				rt.Errorf("%s of %v comes behind %s of %v", e.ID, e.CreatedAt, seen[i-1].ID, seen[i-1].CreatedAt)
			}
		}
		for id, n := range counts {
			if n > 1 {
				rt.Errorf("%s was listed %d times", id, n)
			}
		}
		for _, id := range before {
			if counts[id] != 1 {
				rt.Errorf("%s was there before, and was listed %d times", id, counts[id])
			}
		}
		if fresh := slices.DeleteFunc(slices.Clone(seen), func(e extraction.Extraction) bool { return slices.Contains(before, e.ID) }); len(fresh) > len(late) {
			rt.Errorf("%d were listed that were never submitted", len(fresh)-len(late))
		}
	})
}

// The ready list pages in the same way, the oldest first, while more becomes ready.
func TestReadyPagingUnderInserts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ready := func(n int) (ids []string) {
		for range n {
			id := r.submit("account=acme&type=t&customer=c1")
			r.finish(id, extraction.StatusSuccess)
			ids = append(ids, id)
		}
		return ids
	}
	want := ready(23)
	var inserts sync.WaitGroup
	inserts.Go(func() { ready(5) })
	var got []string
	q := url.Values{"limit": {"4"}, "customer": {"c1"}}
	for {
		a := r.do("GET", "/v1/ready?"+q.Encode(), "").want(t, "ready", http.StatusOK)
		got = append(got, a.ids()...)
		next, more := a.json["next_cursor"].(string)
		if !more {
			break
		}
		q.Set("cursor", next)
		r.do("GET", "/v1/ready?cursor="+next, "").wantProblem(t, "another filter", 422, codeCursor)
	}
	inserts.Wait()
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("ready in pages: %v, want %v first", got, want)
	}
	if slices.Sort(got); len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("some are listed twice: %v", got)
	}
}
