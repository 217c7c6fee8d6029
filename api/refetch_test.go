package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// loseResult takes the stored result of an extraction away.
func (r *rig) loseResult(id string) {
	r.t.Helper()
	if err := r.cfg.Blobs.DeleteResult(r.t.Context(), id, r.record(id).ResultSeq); err != nil {
		r.t.Fatal(err)
	}
}

// A SUCCESS whose result is lost says so, is retried under its own id, and submits
// nothing; one with a readable result is refused, alone and among many.
func TestRetryOfLostResult(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var ids []string
	for range 3 {
		id := r.submit("account=acme&type=t&batch=b")
		r.finishWith(id, extraction.StatusSuccess, new(store.Change).Vendor("v-"+id))
		ids = append(ids, id)
	}
	good, lost, other := ids[0], "/v1/extractions/"+ids[1], ids[2]
	r.loseResult(ids[1])
	r.loseResult(other)
	unavailable := func(what string, a answer) {
		t.Helper()
		failure, _ := a.want(t, what, 200).json["error"].(map[string]any)
		if failure["code"] != string(codeResultUnavailable) || a.id() != ids[1] || a.json["status"] != "SUCCESS" || !hasEmptyResult(a) {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	unavailable("get", r.do("GET", lost, ""))
	unavailable("get, and wait", r.do("GET", lost+"?wait=30s", ""))
	r.do("GET", lost+"/result", "").wantProblem(t, "result", 404, codeResultUnavailable)
	r.do("POST", "/v1/extractions/"+good+"/retry", "").wantProblem(t, "retry of a good one", 409, codeConflict)
	for _, query := range []string{"", "?resubmit=true"} {
		a := r.do("POST", lost+"/retry"+query, "")
		unavailable("retry"+query, a)
		if next, _ := a.json["next"].(map[string]any); next["step"] != "poll" || a.header.Get("Location") != lost {
			t.Errorf("retry%s: %v %s", query, a.header, a.body)
		}
	}
	r.do("POST", lost+"/cancel", "").wantProblem(t, "cancel while it is fetched", 409, codeFinal)
	for _, body := range []string{`{"filter":{"batch":"b"},"dry_run":true}`, `{"filter":{"batch":"b"}}`} {
		a := r.do("POST", "/v1/extractions/retry", body, "Content-Type", "application/json").want(t, body, 200)
		if fmt.Sprintf("%v, %v", a.json["done"], a.json["skipped"]) != "2, 1" {
			t.Errorf("%s = %s, want the good one skipped", body, a.body)
		}
	}
	if n := len(r.do("GET", "/v1/extractions", "").ids()); n != 3 {
		t.Errorf("%d extractions, want the three: nothing is submitted", n)
	}
	// Who waits has the fetched result.
	waited := make(chan answer, 1)
	go func() { waited <- r.do("GET", lost+"?wait=30s", "") }()
	rec := r.record(ids[1])
	f := store.Fence{Input: rec.Input, Seq: rec.Seq, Token: store.NewToken()}
	if _, err := r.records.Begin(t.Context(), f, extraction.StepPoll, time.Minute); err != nil {
		t.Fatal(err)
	}
	sum, err := r.cfg.Blobs.PutResult(t.Context(), ids[1], f.Seq, extraction.NewResult([]byte(`{"raw":"again"}`)))
	if err != nil {
		t.Fatal(err)
	}
	kept := store.Kept{Record: time.Hour, Document: time.Hour}
	if _, err := r.records.Finish(t.Context(), f, extraction.StatusSuccess, kept, new(store.Change).Result(f.Seq).ResultSum(sum)); err != nil {
		t.Fatal(err)
	}
	if a := <-waited; a.json["error"] != nil || hasEmptyResult(a) {
		t.Errorf("waited for %s", a.body)
	}
	r.do("GET", lost+"/result", "").want(t, "result", 200)
	r.do("POST", lost+"/retry", "").wantProblem(t, "retry once it is there", 409, codeConflict)
}
