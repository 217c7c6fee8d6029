package api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

func TestCancelRetryDelete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.submit("account=acme&type=t")
	path := "/v1/extractions/" + id
	r.do("POST", path+"/retry", "").wantProblem(t, "retry before the end", 409, codeConflict)
	if a := r.do("POST", path+"/cancel", "").want(t, "cancel", 200); a.json["status"] != "CANCELED" || !hasEmptyResult(a) {
		t.Errorf("canceled: %s", a.body)
	}
	r.do("POST", path+"/cancel", "").wantProblem(t, "cancel again", 409, codeFinal)
	a := r.do("POST", path+"/retry", "").want(t, "retry", 202)
	if a.json["retry_of"] != id || !hasEmptyResult(a) || a.header.Get("Location") != "/v1/extractions/"+a.id() {
		t.Errorf("retried: %v %s", a.header, a.body)
	}
	r.do("POST", path+"/retry", "").wantProblem(t, "retry again", 409, codeConflict)
	for range 2 {
		r.do("DELETE", path, "").want(t, "delete", 204)
	}
	r.do("GET", path, "").wantProblem(t, "a deleted one", 404, codeNotFound)
	r.do("DELETE", "/v1/extractions/01JD0Z3M9V7Q8W2R5T6Y4X1C0B", "").wantProblem(t, "delete of nothing", 404, codeNotFound)
	r.do("DELETE", "/v1/extractions/"+r.submit("account=acme&type=t"), "").want(t, "delete of a running one", 204)
	done := r.submit("account=acme&type=t")
	r.finish(done, extraction.StatusSuccess)
	r.do("POST", "/v1/extractions/"+done+"/retry", "").wantProblem(t, "retry of a success", 409, codeConflict)
}

// A repetition asks the vendor for the old one first, unless it is told not to, in the
// query or in a body.
func TestRetryResubmits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, tt := range map[string]struct {
		query, body string
		want        store.Phase
	}{
		"nothing said":   {"", "", store.PhaseRecheck},
		"an empty body":  {"", "{}", store.PhaseRecheck},
		"not, in a body": {"", `{"resubmit":false}`, store.PhaseRecheck},
		"in the query":   {"?resubmit=true", "", store.PhaseNone},
		"in a body":      {"", `{"resubmit":true}`, store.PhaseNone},
	} {
		id := r.submit("account=acme&type=t")
		late := extraction.NewFailure(extraction.CodeDeadlineExceeded, "no", nil)
		r.finishWith(id, extraction.StatusError, new(store.Change).Vendor("v-"+id).Failure(late))
		again := r.do("POST", "/v1/extractions/"+id+"/retry"+tt.query, tt.body, "Content-Type", "application/json").want(t, name, 202)
		if got := r.record(again.id()).Phase; got != tt.want {
			t.Errorf("%s: it begins in phase %q, want %q", name, got, tt.want)
		}
	}
}

// hasEmptyResult reports whether an answer is an extraction with the result {}, as
// each of them has it before its end.
func hasEmptyResult(a answer) bool {
	result, ok := a.json["result"].(map[string]any)
	return ok && len(result) == 0
}

func TestBulk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var ids []string
	for range 3 {
		ids = append(ids, r.submit("account=acme&type=t&batch=b"))
	}
	r.finish(ids[0], extraction.StatusSuccess)
	post := func(op, body string) answer {
		return r.do("POST", "/v1/extractions/"+op, body, "Content-Type", "application/json")
	}
	type counts struct{ matched, done, skipped string }
	for _, tt := range []struct {
		op, body string
		want     counts
	}{
		{"cancel", `{"filter":{"batch":"b"},"dry_run":true}`, counts{"3", "2", "1"}},
		{"cancel", `{"filter":{"batch":"b"}}`, counts{"3", "2", "1"}},
		{"cancel", `{"filter":{"batch":"b"}}`, counts{"3", "0", "3"}},
		{"redeliver", `{"filter":{"batch":"b"}}`, counts{"3", "0", "3"}},
		{"retry", fmt.Sprintf(`{"ids":[%q,%q,"01JD0Z3M9V7Q8W2R5T6Y4X1C0B"]}`, ids[0], ids[1]), counts{"2", "1", "1"}},
		{"delete", fmt.Sprintf(`{"ids":[%q,%q,%q],"dry_run":true}`, ids[0], ids[1], ids[0]), counts{"2", "2", "0"}},
		{"delete", `{"filter":{"status":"CANCELED","account":"acme"},"dry_run":true}`, counts{"2", "2", "0"}},
		{"delete", `{"filter":{"batch":"b","status":["CANCELED","SUCCESS"]}}`, counts{"3", "3", "0"}},
	} {
		a := post(tt.op, tt.body).want(t, tt.op, 200)
		got := counts{fmt.Sprint(a.json["matched"]), fmt.Sprint(a.json["done"]), fmt.Sprint(a.json["skipped"])}
		if got != tt.want {
			t.Errorf("%s %s = %+v, want %+v", tt.op, tt.body, got, tt.want)
		}
	}
	if n := len(r.do("GET", "/v1/extractions", "").ids()); n != 1 {
		t.Errorf("%d are left, want the repeated one", n)
	}
	for _, body := range []string{`{}`, `{"filter":{}}`, `{"ids":["a"],"filter":{"batch":"b"}}`, `{"ids":[]}`, `{"colour":"red"}`, `{"filter":{"status":["DONE"]}}`, `{"filter":{"status":"DONE"}}`, `{"filter":{"account":7}}`, `{"filter":{"account":null}}`} {
		post("delete", body).wantProblem(t, body, 422, codeInvalid)
	}
	post("delete", `{`).wantProblem(t, "no JSON", 400, codeInvalid)
}

func TestReadyAndAck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var ids []string
	for range 3 {
		ids = append(ids, r.submit("account=acme&type=t"))
	}
	if got := r.do("GET", "/v1/ready", "").want(t, "nothing ready", 200).ids(); len(got) != 0 {
		t.Errorf("ready %v", got)
	}
	waiting := make(chan answer, 1)
	go func() { waiting <- r.do("GET", "/v1/ready?wait=30s", "") }()
	for _, id := range ids {
		r.finish(id, extraction.StatusSuccess)
	}
	if got := (<-waiting).want(t, "ready after a wait", 200).ids(); len(got) == 0 {
		t.Error("the wait ended with nothing")
	}
	if diff := cmp.Diff(ids, r.do("GET", "/v1/ready", "").ids()); diff != "" {
		t.Errorf("ready (-want +got):\n%s", diff)
	}
	first := r.do("GET", "/v1/ready?limit=2", "")
	rest := r.do("GET", "/v1/ready?limit=2&cursor="+first.json["next_cursor"].(string), "")
	if diff := cmp.Diff(ids, append(first.ids(), rest.ids()...)); diff != "" {
		t.Errorf("ready in pages (-want +got):\n%s", diff)
	}
	for i := range 2 {
		a := r.do("POST", "/v1/ready/ack", fmt.Sprintf(`{"ids":[%q]}`, ids[0]), "Content-Type", "application/json").want(t, "ack", 200)
		if want := fmt.Sprint(1 - i); fmt.Sprint(a.json["acknowledged"]) != want {
			t.Errorf("acknowledged %v, want %s", a.json["acknowledged"], want)
		}
	}
	if diff := cmp.Diff(ids[1:], r.do("GET", "/v1/ready", "").ids()); diff != "" {
		t.Errorf("ready after an ack (-want +got):\n%s", diff)
	}
}

func TestBatchProgress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.submit("account=acme&type=t&batch=May%20%2F1")
	r.submit("account=other&type=t&batch=May%20%2F1")
	r.finish(a, extraction.StatusSuccess)
	got := r.do("GET", "/v1/batches/May%20%2F1", "").want(t, "batch", 200)
	if got.json["batch"] != "May /1" || fmt.Sprint(got.json["total"]) != "2" || fmt.Sprint(got.json["percent"]) != "50" ||
		got.json["estimated_finish_at"] == nil || fmt.Sprint(got.json["counts"]) != "map[QUEUED:1 SUCCESS:1]" {
		t.Errorf("batch: %s", got.body)
	}
	if all, _ := r.do("GET", "/v1/batches", "").want(t, "batches", 200).json["batches"].([]any); len(all) != 1 {
		t.Errorf("%d batches", len(all))
	}
	r.do("GET", "/v1/batches/nobody", "").wantProblem(t, "unknown batch", 404, codeNotFound)
	r.do("GET", "/v1/batches?cursor=!", "").wantProblem(t, "bad cursor", 422, codeCursor)
}

// A batch is at 100 when all of it is final, and not before.
func TestPercent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		final, total int64
		want         float64
	}{{0, 7, 0}, {1, 3, 33.3}, {2, 3, 66.6}, {1999, 2000, 99.9}, {999_999, 1_000_000, 99.9}, {2000, 2000, 100}} {
		if got := percent(tt.final, tt.total); got != tt.want {
			t.Errorf("percent(%d, %d) = %v, want %v", tt.final, tt.total, got, tt.want)
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do("GET", "/v2/extractions", "").wantProblem(t, "unknown path", 404, codeNotFound)
	if a := r.do("PUT", "/v1/extractions", ""); a.status != http.StatusMethodNotAllowed || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("wrong method: %d %v %s", a.status, a.header, a.body)
	}
	r.do("GET", "/docs/", "").want(t, "docs", 200)
	r.do("GET", "/openapi.yaml", "").want(t, "yaml", 200)
	r.do("GET", "/readyz", "").want(t, "readyz", 200)
}
