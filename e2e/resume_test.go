package e2e

import (
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRunResumes ends a run half way, in the kind way and in the unkind, and
// runs the same command again, with each kind of Redis that a run brings along.
func TestRunResumes(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"server", "memory"} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
			t.Run(kind+"/"+sig.String(), func(t *testing.T) { testResume(t, kind, sig) })
		}
	}
}

func testResume(t *testing.T, kind string, sig syscall.Signal) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(2*time.Second))
		if kind == "memory" {
			s.withoutServer()
		}
		docs := s.documents("inbox", 20)
		out := s.path("results")
		args := []string{"run", "--account", d.account, "--type", "tax_forms", "--out", out, s.path("inbox")}
		held := newGate()
		s.vendor.on(d.takes, func(n int) bool { return n == 5 }, func(x *exchange) { x.serve(); x.hold(held); x.reply() })
		// Two calls a second leave time to stop in between, with the last
		// documents not begun, on a slow machine, too.
		p := s.start(append(args, "--rate", "2/s")...)
		eventually(t, "the sixth document is at the vendor", func() bool { return len(s.vendor.takenBy()) >= 6 })
		p.signal(sig)
		asked := time.Now()
		r := p.wait()
		held.open()
		t.Logf("ended in %v", time.Since(asked).Round(10*time.Millisecond))
		if sig == syscall.SIGINT {
			r.want(t, 130)
			if took := time.Since(asked); took > 5*time.Second {
				t.Errorf("the first Ctrl-C took %v", took)
			}
		}
		if n := len(s.vendor.takenBy()); n == len(docs) {
			t.Fatal("the run was not stopped half way")
		}

		s.run(args...).want(t, 0)
		for _, doc := range docs {
			wantSuccess(t, s.result(out, doc.name), d.account, doc)
		}
		s.vendor.wantOnce(t, docs)
		s.wantNothingLeftToDo(args)
		s.wantNoRedis()
	})
}

// withoutServer leaves the site's programs no redis-server to start.
func (s *site) withoutServer() {
	s.t.Helper()
	for i, v := range s.env {
		if strings.HasPrefix(v, "PATH=") {
			s.env[i] = "PATH=" + s.t.TempDir()
		}
	}
}

// wantNothingLeftToDo runs the command once more: it must not bother the vendor.
func (s *site) wantNothingLeftToDo(args []string) {
	s.t.Helper()
	before := s.vendor.total()
	s.run(args...).want(s.t, 0)
	if n := s.vendor.total() - before; n != 0 {
		s.t.Errorf("a run with nothing left to do made %d requests", n)
	}
}

// total is the number of all requests so far.
func (v *vendor) total() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.calls)
}

// wantNoRedis fails the test if a run's own Redis is still there.
// A killed one needs a moment to go.
func (s *site) wantNoRedis() {
	s.t.Helper()
	eventually(s.t, "no Redis runs any more", func() bool { return len(s.ownRedis()) == 0 })
}

// TestRunSubmitsWhatIsNew adds a document, changes another and removes a result
// between two runs.
func TestRunSubmitsWhatIsNew(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 3)
	out := s.path("results")
	args := runArgs("--out", out, s.path("inbox"))
	s.run(args...).want(t, 0)

	changed := s.documents("other", 5)[3:]
	move(t, s, changed[0].path, "inbox/new.pdf")
	move(t, s, changed[1].path, "inbox/"+docs[0].name)
	if err := os.Remove(s.path("results", docs[1].name+".json")); err != nil {
		t.Fatal(err)
	}
	s.run(args...).want(t, 0)
	changed[0].name, changed[1].name = "new.pdf", docs[0].name
	for _, doc := range append(docs[1:], changed...) {
		wantSuccess(t, s.result(out, doc.name), sensibleAccount, doc)
	}
	s.vendor.wantOnce(t, append(docs, changed...))
}

// TestOneRunAtATime starts a second run on a folder that one is using.
func TestOneRunAtATime(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(time.Second))
	docs := s.documents("inbox", 2)
	held := newGate()
	s.vendor.on(opPut, always, func(x *exchange) { x.hold(held); x.normal() })
	args := runArgs("--out", s.path("results"), docs[0].path)
	p := s.start(args...)
	eventually(t, "the first run is under way", func() bool { return s.vendor.asked(opPut) > 0 })

	wantComplaint(t, s.run(runArgs("--out", s.path("results"), docs[1].path)...), 2, "another run")
	held.open()
	p.wait().want(t, 0)
	s.vendor.wantOnce(t, docs[:1])
}

// TestSecondInterruptEndsAtOnce presses Ctrl-C twice while the vendor does not
// answer.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(time.Second))
	docs := s.documents("inbox", 1)
	s.vendor.on(opPut, first(1), func(x *exchange) { x.serve(); x.hold(newGate()) })
	args := runArgs("--out", s.path("results"), docs[0].path)
	p := s.start(args...)
	eventually(t, "the document is at the vendor", func() bool { return len(s.vendor.takenBy()) > 0 })
	p.signal(syscall.SIGINT)
	p.signal(syscall.SIGINT)
	p.wait().want(t, 130)
	s.run(args...).want(t, 0)
	s.vendor.wantOnce(t, docs)
}

// TestRunSurvivesBeingKilledAnywhere kills a run again and again, whatever it is
// doing at the time.
func TestRunSurvivesBeingKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"server", "memory"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			testKilledAnywhere(t, kind)
		})
	}
}

// testKilledAnywhere is for submissions in two steps: after a kill in the middle
// of one call, it is unknown for minutes whether it has arrived.
func testKilledAnywhere(t *testing.T, kind string) {
	s := newSite(t, quick(time.Second))
	if kind == "memory" {
		s.withoutServer()
	}
	docs := s.documents("inbox", 12)
	args := runArgs("--rate", "5/s", "--out", s.path("results"), s.path("inbox"))
	for i := range 5 {
		p := s.start(args...)
		// The number of requests is a clock that stands still while the run starts.
		until := s.vendor.total() + 2 + i + rand.IntN(6)
		eventually(t, "the run has made some requests", func() bool { return s.vendor.total() >= until || p.ended() })
		p.kill()
	}
	s.run(args...).want(t, 0)
	for _, doc := range docs {
		wantSuccess(t, s.result(s.path("results"), doc.name), sensibleAccount, doc)
	}
	s.vendor.wantOnce(t, docs)
}

// TestRunTimesOut lets a run end by its own timeout, and goes on.
func TestRunTimesOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(5*time.Second))
	docs := s.documents("inbox", 4)
	args := runArgs("--out", s.path("results"), s.path("inbox"))
	r := s.run(append(args, "--timeout", "2s")...).want(t, 4)
	if !strings.Contains(r.stderr, "timeout") {
		t.Errorf("stderr does not say timeout: %q", r.stderr)
	}
	s.run(args...).want(t, 0)
	s.vendor.wantOnce(t, docs)
}

// TestRunStopsWhenTheKeyIsRefused takes the key away half way and gives it back.
func TestRunStopsWhenTheKeyIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(time.Second))
	docs := s.documents("inbox", 8)
	s.vendor.on(opOpen, func(n int) bool { return n == 4 }, func(x *exchange) { x.refuse(401, "Unauthorized") })
	restored := newGate()
	s.vendor.on(opReady, always, func(x *exchange) { // The probe is refused as well.
		if restored.isOpen() {
			x.normal()
			return
		}
		x.refuse(401, "Unauthorized")
	})
	args := runArgs("--rate", "4/s", "--out", s.path("results"), s.path("inbox"))
	r := s.run(args...).want(t, 1)
	if !strings.Contains(r.stderr, "unauthorized") || !strings.Contains(r.stderr, "left") {
		t.Errorf("stderr does not say unauthorized and how many are left: %q", r.stderr)
	}
	restored.open()
	s.run(args...).want(t, 0)
	s.vendor.wantOnce(t, docs)
}
