package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWorkersShareTheWork runs the roles as a service does: two workers and a
// scheduler over one Redis and one document store, and a producer's commands.
func TestWorkersShareTheWork(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		cfg := quick(time.Second)
		cfg.concurrency = 4
		s := newSite(t, cfg)
		docs := s.documents("inbox", 8)
		// One worker alone might be quick enough for everything. It has four
		// slots, and all eight documents are asked for at the same time.
		held := newGate()
		s.vendor.on(opPoll, first(len(docs)), func(x *exchange) { x.hold(held); x.normal() })
		workers := []*process{s.worker(), s.worker()}

		ids := s.submit(d.account, append([]string{"--batch", "monday"}, paths(docs)...)...)
		if len(ids) != len(docs) || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(docs) {
			t.Fatalf("submit printed %d ids, want %d different ones: %q", len(ids), len(docs), ids)
		}
		eventually(t, "all documents are being asked for", func() bool { return s.vendor.asked(opPoll) >= len(docs) })
		held.open()
		// Both ways of watching, one after the other: the second one finds
		// everything final.
		for _, what := range [][]string{{"--batch", "monday"}, ids} {
			r := s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, what...)...)...).want(t, 0)
			var seen []string
			for _, line := range lines(r.stdout) {
				v := parse(t, line)
				wantShape(t, "whole", v)
				id, _ := v["id"].(string)
				seen = append(seen, id)
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(ids)), slices.Sorted(slices.Values(seen))); diff != "" {
				t.Errorf("ids that watch %v printed (-want +got):\n%s", what, diff)
			}
		}
		s.wantAll(ids, "SUCCESS")
		wantShape(t, "result", parse(t, s.run(s.shared("result", ids[0])...).want(t, 0).stdout))
		s.vendor.wantOnce(t, docs)
		for i, w := range workers {
			n := strings.Count(w.stderr.String(), "outcome=SUCCESS")
			t.Logf("worker %d has finished %d documents", i, n)
			if n == 0 {
				t.Errorf("worker %d has finished nothing", i)
			}
		}
	})
}

// wantAll fails the test unless all extractions have a status, by the status
// command.
func (s *site) wantAll(ids []string, status string) {
	s.t.Helper()
	for _, id := range ids {
		v := s.status(id)
		wantShape(s.t, "listed", v)
		if v["status"] != status || v["id"] != id {
			s.t.Errorf("%s is %v (error %v, last error %v), want %s", id, v["status"], v["error"], v["last_error"], status)
		}
	}
}

// TestProducerCommandsSayWhatIsWrong checks the exit codes of the producer's
// commands, with no worker running.
func TestProducerCommandsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 1)
	id := s.submit(sensibleAccount, docs[0].path)[0]
	const unknown = "01JD0Z3M9V7Q8W2R5T6Y4X1C0B"
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"status of an unknown id":        {[]string{"status", unknown}, 1, unknown},
		"result of an unknown id":        {[]string{"result", unknown}, 1, unknown},
		"watch of an unknown id":         {[]string{"watch", unknown}, 1, unknown},
		"watch of an unknown batch":      {[]string{"watch", "--batch", "nobody"}, 1, "nobody"},
		"result that is not there":       {[]string{"result", id}, 1, "QUEUED"},
		"watch that takes too long":      {[]string{"watch", id, "--timeout", "300ms"}, 4, "timeout"},
		"watch without anything":         {[]string{"watch"}, 2, "--batch"},
		"status without an id":           {[]string{"status"}, 2, "one id"},
		"an id that is not an id at all": {[]string{"status", "../../etc/passwd"}, 1, "passwd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantComplaint(t, s.run(s.shared(test.args...)...), test.code, test.says)
		})
	}
	t.Run("status", func(t *testing.T) {
		t.Parallel()
		v := s.status(id)
		wantShape(t, "listed", v)
		if v["status"] != "QUEUED" {
			t.Errorf("status %v, want QUEUED", v["status"])
		}
	})
}

// TestSubmitWaits checks submit --wait, which prints what watch would.
func TestSubmitWaits(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.worker()
	docs := s.documents("inbox", 2)
	r := s.run(s.shared("submit", "--account", typlessAccount, "--type", "tax_forms", "--wait", docs[0].path, docs[1].path)...).want(t, 0)
	if n := len(lines(r.stdout)); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
	for _, line := range lines(r.stdout) {
		wantShape(t, "whole", parse(t, line))
	}
}
