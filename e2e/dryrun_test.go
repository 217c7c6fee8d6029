package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDryRun says what there is to do before, in the middle of and after a run,
// and does none of it.
func TestDryRun(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(5*time.Second))
		docs := s.documents("inbox", 4)
		s.write("inbox/notes.txt", "no document")
		s.write("inbox/empty.pdf", "")
		size := 0
		for _, doc := range docs {
			size += doc.bytes
		}
		args := []string{"run", "--account", d.account, "--type", "tax_forms", "--out", "results", "inbox"}
		plan := func(more ...string) map[string]float64 {
			t.Helper()
			before := s.vendor.total()
			r := s.run(append(append(args, "--dry-run", "--json"), more...)...).want(t, 1)
			if n := s.vendor.total() - before; n != 0 {
				t.Errorf("it made %d requests", n)
			}
			if !strings.Contains(r.stderr, "empty.pdf: unsupported_document") {
				t.Errorf("it does not name the empty document: %q", r.stderr)
			}
			var p map[string]float64
			if err := json.Unmarshal([]byte(r.stdout), &p); err != nil {
				t.Fatalf("%v in %q", err, r.stdout)
			}
			return p
		}
		want := func(p map[string]float64, more map[string]float64) {
			t.Helper()
			all := map[string]float64{
				"documents": 5, "bytes": float64(size), "urls": 0, "skipped": 1, "refused": 1,
				"done": 0, "failed": 0, "at_vendor": 0, "submit": 0, "polls_each": 4, "vendor_calls": 0, "estimated_seconds": 0,
			}
			maps.Copy(all, more)
			if diff := cmp.Diff(all, p); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		}
		want(plan(), map[string]float64{"submit": 4, "vendor_calls": 20, "estimated_seconds": 15})
		if _, err := os.Stat(s.path("results")); !os.IsNotExist(err) {
			t.Errorf("it made --out: %v", err)
		}
		s.run(append(args, "--limit", "2", "--timeout", "4s")...).want(t, 4)
		want(plan(), map[string]float64{"submit": 2, "at_vendor": 2, "vendor_calls": 18, "estimated_seconds": 15})
		want(plan("--rate", "1/s"), map[string]float64{"submit": 2, "at_vendor": 2, "vendor_calls": 18, "estimated_seconds": 18})
		s.run(args...).want(t, 1)
		want(plan(), map[string]float64{"done": 4})
		s.vendor.wantOnce(t, docs)

		r := s.run(append(args, "--dry-run")...).want(t, 1)
		if !strings.Contains(r.stdout, "\nto submit      0\n") {
			t.Errorf("it prints %q", r.stdout)
		}
	})
}
