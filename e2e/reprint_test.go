package e2e

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestResumedRunPrintsAll stops a run and goes on: what is printed at the end is
// every document that was named, the same in each format, also when there is
// nothing left to do. It does so with each kind of Redis.
func TestResumedRunPrintsAll(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"server", "memory"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(time.Second))
			if kind == "memory" {
				s.withoutServer()
			}
			docs := s.documents("inbox", 4)
			secret := locked(t)
			s.write("inbox/locked.pdf", secret)
			args := runArgs("--out", "results", "inbox")
			s.run(append(args, "--limit", "2")...).want(t, 0)

			first := csvRows(t, s.run(append(args, "--format", "csv")...).want(t, 1).stdout)
			if len(first) != 1+len(docs)+1 {
				t.Errorf("%d rows, want a head and five: %q", len(first), first)
			}
			again := csvRows(t, s.run(append(args, "--format", "csv")...).want(t, 1).stdout)
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("the second time (-first +second):\n%s", diff)
			}
			var all []map[string]any
			if err := json.Unmarshal([]byte(s.run(append(args, "--format", "json")...).want(t, 1).stdout), &all); err != nil || len(all) != 5 {
				t.Errorf("%d in the array, %v", len(all), err)
			}
			for _, line := range lines(s.run(append(args, "--json")...).want(t, 1).stdout) {
				e := parse(t, line)
				body, err := os.ReadFile(s.path("results", nameOf(e)+".json"))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(parse(t, string(body)), e); diff != "" {
					t.Errorf("printed is not what was written (-file +stdout):\n%s", diff)
				}
			}
			s.vendor.wantOnce(t, append(docs, document{name: "locked.pdf", sha256: digest([]byte(secret)), bytes: len(secret)}))
		})
	}
}

// csvRows are the rows by name, the head among them, without the ids.
func csvRows(t *testing.T, text string) map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, row := range rows {
		out[row[0]] = strings.Join(row[2:], "|")
	}
	return out
}
