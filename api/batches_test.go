package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction/protocol"
)

func (a answer) batches(t *testing.T) (names []string) {
	t.Helper()
	var page protocol.BatchPage
	if err := json.Unmarshal(a.body, &page); err != nil {
		t.Fatal(err)
	}
	for _, b := range page.Batches {
		names = append(names, b.Batch)
	}
	return names
}

// The pages of the list of batches go on where they were when the batch is gone that they
// go on behind. Its name may be as long as one may be, and any characters.
func TestBatchesPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	long := strings.Repeat("界.", 63)
	var want []string
	ids := map[string]string{}
	for i := range 9 {
		name := fmt.Sprint(i, ".", long)
		ids[name] = r.submit("account=acme&type=t&batch=" + url.QueryEscape(name))
		want = append([]string{name}, want...)
		r.rdb.ZAdd(t.Context(), "extractq:{acme}:batches", redis.Z{Score: float64(1000 + i), Member: name})
	}
	var got []string
	q := url.Values{"limit": {"2"}}
	for range 10 {
		a := r.do("GET", "/v1/batches?"+q.Encode(), "").want(t, "batches", 200)
		page := a.batches(t)
		got = append(got, page...)
		next, more := a.json["next_cursor"].(string)
		if !more {
			break
		}
		q.Set("cursor", next)
		last := page[len(page)-1]
		r.do("DELETE", "/v1/extractions/"+ids[last], "").want(t, "delete", 204)
		r.do("GET", "/v1/batches/"+url.PathEscape(last), "").want(t, "a batch within its retention", 200)
		r.rdb.ZAddXX(t.Context(), "extractq:{acme}:emptied", redis.Z{Score: 1, Member: last})
		if n, err := r.records.ForgetBatches(t.Context(), "acme", 10); n != 1 || err != nil {
			t.Fatalf("%d batches were forgotten, %v", n, err)
		}
		r.do("GET", "/v1/batches/"+url.PathEscape(last), "").wantProblem(t, "a batch after its retention", 404, codeNotFound)
		for _, list := range []string{"ready", "extractions"} {
			r.do("GET", "/v1/"+list+"?cursor="+next, "").want(t, "the cursor of another list", 422)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("batches in pages (-want +got):\n%s", diff)
	}
	if left := r.do("GET", "/v1/batches", "").want(t, "batches", 200).batches(t); len(left) != 5 {
		t.Errorf("left are %d batches, want 5", len(left))
	}
	one := r.do("GET", "/v1/extractions?batch="+url.QueryEscape(want[1]), "")
	if n := len(one.want(t, "the extractions of a batch that is gone", 200).extractions(t)); n != 0 {
		t.Errorf("a batch that is gone has %d extractions", n)
	}
}
