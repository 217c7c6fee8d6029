package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// damage replaces the stored result of an extraction by another.
func (s *site) damage(id string) {
	s.t.Helper()
	n := 0
	for _, file := range allFiles(s.t, s.dir) {
		if part := path.Base(file); strings.Contains(file, "/"+id+"/") && strings.Trim(part, "0123456789") == "" {
			n++
			s.write(strings.TrimPrefix(file, s.dir), `{"raw":{"iban":"another"}}`)
		}
	}
	if n != 1 {
		s.t.Fatalf("%d results of %s are stored, want 1", n, id)
	}
}

// wantLost fails the test unless a command named an extraction whose result is lost.
func (r result) wantLost(t *testing.T, code int, id string) {
	t.Helper()
	r.want(t, code)
	if !strings.Contains(r.stderr, id) || !strings.Contains(r.stderr, "result_unavailable") {
		t.Errorf("it says %q, want the id %s and result_unavailable", tail(r.stderr), id)
	}
}

// TestRunFetchesLostResult damages a stored result whose file is not written yet. The
// document is reported as long as the vendor does not have the result, and is paid once.
func TestRunFetchesLostResult(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(0))
		docs := s.documents("inbox", 3)
		out := s.path("results")
		args := []string{"run", "--account", d.account, "--type", "tax_forms", "--out", out, s.path("inbox")}
		again := append([]string{"run", "--retry-failed"}, args[1:]...)
		s.run(args...).want(t, 0)
		name := docs[0].name
		id, _ := s.result(out, name)["id"].(string)
		s.damage(id)
		if err := os.Remove(s.path("results", name+".json")); err != nil {
			t.Fatal(err)
		}
		s.vendor.on(opPoll, always, func(x *exchange) { x.refuse(http.StatusNotFound, "{}") })
		for _, args := range [][]string{args, args, again} {
			r := s.run(args...)
			r.wantLost(t, 1, id)
			if !strings.Contains(r.stderr, name+": result_unavailable") || !strings.Contains(r.stderr, "3 of 3 done, 1 result unavailable") {
				t.Errorf("it says %q", r.stderr)
			}
			e := s.result(out, name)
			if failure, _ := e["error"].(map[string]any); e["id"] != id || e["status"] != "SUCCESS" || failure["code"] != "result_unavailable" {
				t.Errorf("the result file has %v", e)
			}
		}
		polls := s.vendor.asked(opPoll)
		s.vendor.on(opPoll, always, (*exchange).normal)
		s.run(again...).want(t, 0)
		if n := s.vendor.asked(opPoll) - polls; n != 1 {
			t.Errorf("the vendor was polled %d times for the result, want once", n)
		}
		for _, doc := range docs {
			wantSuccess(t, s.result(out, doc.name), d.account, doc)
		}
		if got := s.result(out, name)["id"]; got != id {
			t.Errorf("the result is of %v, want %s", got, id)
		}
		s.vendor.wantOnce(t, docs)
		s.wantNothingLeftToDo(args)
	})
}

// TestRunFetchesLostResultWithoutRecord has nothing but the file that says that the result
// is lost, and the journal or not even that, as after a run with its Redis in memory.
func TestRunFetchesLostResultWithoutRecord(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(0))
		s.withoutServer()
		docs := s.documents("inbox", 2)
		out := s.path("results")
		args := []string{"run", "--account", d.account, "--type", "tax_forms", "--out", out, "--retry-failed", s.path("inbox")}
		s.run(args...).want(t, 0)
		for _, journal := range []string{"as it was", "deleted"} {
			e := s.result(out, docs[0].name)
			e["result"], e["error"] = map[string]any{}, map[string]any{"code": "result_unavailable", "message": "x", "retryable": true}
			lost, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			s.write("results/"+docs[0].name+".json", string(lost))
			if journal == "deleted" {
				if err := os.Remove(s.path("results", ".extractq", "journal.ndjson")); err != nil {
					t.Fatal(err)
				}
			} else {
				dry := parse(t, s.run(append(args, "--dry-run", "--json")...).want(t, 0).stdout)
				if got := []any{dry["done"], dry["at_vendor"], dry["submit"]}; !cmp.Equal(got, []any{json.Number("1"), json.Number("1"), json.Number("0")}) {
					t.Errorf("--dry-run says %v", dry)
				}
			}
			s.run(args...).want(t, 0)
			for _, doc := range docs {
				wantSuccess(t, s.result(out, doc.name), d.account, doc)
			}
		}
		s.vendor.wantOnce(t, docs)
		s.wantNothingLeftToDo(args)
	})
}

// TestLostResultConcernsItself damages one result of a batch: the commands name it and go
// on with the others, over Redis and over the API. A retry fetches it again.
func TestLostResultConcernsItself(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(0), true)
	docs := o.documents("inbox", 3)
	ids := o.submit(sensibleAccount, append([]string{"--batch", "b"}, paths(docs)...)...)
	o.run(o.shared("watch", "--batch", "b")...).want(t, 0)
	good, lost := ids[0], ids[1]
	for way, run := range map[string]func(args ...string) result{
		"over Redis": func(args ...string) result { return o.run(o.shared(args...)...) },
		"by the API": func(args ...string) result { return launch(t, o.remote(args...)).wait() },
	} {
		o.damage(lost)
		r := run("watch", "--batch", "b", "--json")
		r.wantLost(t, 1, lost)
		if n := len(lines(r.stdout)); n != len(ids) || !strings.Contains(r.stderr, "1 result unavailable") {
			t.Errorf("%s: %d extractions are printed, with %q", way, n, r.stderr)
		}
		run("result", lost).wantLost(t, 1, lost)
		run("result", good).want(t, 0)
		run("retry", good).want(t, 1)
		if r := run("retry", "--batch", "b", "--dry-run").want(t, 0); r.stdout != lost+"\n" || !strings.Contains(r.stderr, "2 left as they are") {
			t.Errorf("%s: a retry would concern %q, and says %q", way, r.stdout, r.stderr)
		}
		if r := run("retry", lost).want(t, 0); r.stdout != lost+"\n" {
			t.Errorf("%s: retry prints %q, want the same id", way, r.stdout)
		}
		if r := run("watch", lost, "--json").want(t, 0); !strings.Contains(r.stdout, `"error":null`) {
			t.Errorf("%s: watch after the retry prints %q", way, r.stdout)
		}
		run("result", lost).want(t, 0)
		run("retry", lost).want(t, 1)
	}
	o.vendor.wantOnce(t, docs)
}
