package e2e

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// callbackRun is a command that runs the site's inbox with callbacks to p.
func (s *site) callbackRun(p *producer) []string {
	return []string{
		"run", "--account", sensibleAccount, "--type", "tax_forms", "--out", s.path("results"),
		"--callback-url", p.URL, s.path("inbox"),
	}
}

// eachRedis runs a test with each kind of Redis that a run brings along.
func eachRedis(t *testing.T, test func(t *testing.T, s *site, kind string)) {
	t.Parallel()
	for _, kind := range []string{"server", "memory"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(0))
			s.callsBack()
			if kind == "memory" {
				s.withoutServer()
			}
			test(t, s, kind)
		})
	}
}

// TestRunDelivers ends only when every producer knows, one of which had to be told
// twice and one of which wants nothing.
func TestRunDelivers(t *testing.T) {
	eachRedis(t, func(t *testing.T, s *site, _ string) {
		s.documents("inbox", 4)
		p := newProducer(t, http.StatusInternalServerError, http.StatusGone)
		r := s.run(s.callbackRun(p)...).want(t, 0)
		var ids []string
		for _, d := range p.called() {
			if data, _ := d.event["data"].(map[string]any); !d.signed || data["status"] != "SUCCESS" || data["id"] != d.event["subject"] {
				t.Errorf("called with %+v", d)
			}
			ids = append(ids, d.id)
		}
		if n := len(ids); n != 5 || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 4 {
			t.Errorf("called %d times, about %q; want 5 times, about 4", n, ids)
		}
		if n := strings.Count(r.stderr, "given up: the answer was 410"); n != 1 || strings.Contains(r.stderr, "not delivered") {
			t.Errorf("it said %q", r.stderr)
		}
		// There is nothing more to tell.
		s.run(s.callbackRun(p)...).want(t, 0)
		if n := len(p.called()); n != 5 {
			t.Errorf("called %d times after the same command again, want 5 times", n)
		}
		s.wantNoRedis()
	})
}

// TestRunWaitsForNoProducerForever has one that never answers well.
func TestRunWaitsForNoProducerForever(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.callsBack()
	s.withoutServer()
	s.documents("inbox", 1)
	p := newProducer(t, slices.Repeat([]int{http.StatusServiceUnavailable}, 9)...)
	r := s.run(s.callbackRun(p)...).want(t, 0)
	if r.took > time.Minute || !strings.Contains(r.stderr, "1 callback is not delivered, and nothing keeps") {
		t.Errorf("after %v it said %q", r.took, r.stderr)
	}
}

// TestRunDeliversWhatWasLeft stops a run that has nothing left but a callback.
func TestRunDeliversWhatWasLeft(t *testing.T) {
	eachRedis(t, func(t *testing.T, s *site, kind string) {
		docs := s.documents("inbox", 1)
		p := newProducer(t, http.StatusServiceUnavailable)
		first := s.start(s.callbackRun(p)...)
		eventually(t, "a first attempt", func() bool { return len(p.called()) == 1 })
		eventually(t, "the result", func() bool {
			_, err := os.Stat(s.path("results", docs[0].name+".json"))
			return err == nil
		})
		first.signal(syscall.SIGINT)
		asked := time.Now()
		r := first.wait().want(t, 130)
		if took := time.Since(asked); took > 5*time.Second {
			t.Errorf("the first Ctrl-C took %v", took)
		}
		again, says := 2, "the same command again goes on"
		if kind == "memory" {
			again, says = 1, "nothing keeps them"
		}
		if !strings.Contains(r.stderr, says) {
			t.Errorf("it said %q, want %s", r.stderr, says)
		}
		s.run(s.callbackRun(p)...).want(t, 0)
		calls := p.called()
		if len(calls) != again || calls[0].id != calls[again-1].id {
			t.Errorf("called with %+v", calls)
		}
		s.vendor.wantOnce(t, docs)
	})
}

// TestRunLeavesCallbacksToWorkers: on a Redis of several processes, a run has not
// the secrets of all producers.
func TestRunLeavesCallbacksToWorkers(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.callsBack()
	s.documents("inbox", 2)
	p := newProducer(t)
	r := s.run(s.shared(s.callbackRun(p)...)...).want(t, 0)
	if !strings.Contains(r.stderr, "2 callbacks are left to the workers of this Redis, and none is running") {
		t.Errorf("it said %q", r.stderr)
	}
	if n := len(p.called()); n != 0 {
		t.Errorf("the run made %d callbacks", n)
	}
	s.worker()
	eventually(t, "a worker makes them", func() bool { return len(p.called()) == 2 })
}
