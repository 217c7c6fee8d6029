package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSaysThatNoWorkerIsThere has commands wait, over Redis and over the API: they say
// that no worker has their account, at the beginning and when the last one leaves, and
// when one is there again.
func TestSaysThatNoWorkerIsThere(t *testing.T) {
	t.Parallel()
	o := newOverAPI(t, quick(25*time.Second), false)
	docs := o.documents("in", 2)
	submit := []string{"submit", "--wait", "--account", sensibleAccount, "--type", "tax_forms", "--batch", "b"}
	waiting := []*process{
		launch(t, o.command(o.shared(append(submit, docs[0].path)...)...)),
		launch(t, o.remote(append(submit, docs[1].path)...)),
	}
	said := func(text string, times int) {
		t.Helper()
		for _, p := range waiting {
			eventually(t, text, func() bool { return strings.Count(p.stderr.String(), text) == times })
		}
	}
	lost, back := "no worker has "+sensibleAccount, "a worker has "+sensibleAccount+" again"
	said(lost, 1)
	for _, command := range []*process{
		launch(t, o.command(o.shared("watch", "--batch", "b", "--timeout", "5m")...)),
		launch(t, o.remote("watch", "--batch", "b", "--timeout", "5m")),
	} {
		command.says(lost)
		waiting = append(waiting, command)
	}
	worker := o.worker()
	said(back, 1)
	worker.signal(syscall.SIGTERM)
	worker.wait().want(t, 0)
	said(lost, 2)
	o.worker()
	said(back, 2)
	for _, p := range waiting {
		p.wait().want(t, 0)
	}
}

// TestRunIsSeen has a run on a Redis that others use, with an account that only it has:
// they see its worker, and none once it has ended.
func TestRunIsSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.durable()
	s.write("none.yaml", "admin: {listen: \"\"}\n")
	gate := newGate()
	t.Cleanup(gate.open)
	s.vendor.on(opPut, always, func(x *exchange) { x.hold(gate); x.normal() })
	docs := s.documents("in", 1)
	run := s.start(s.shared("run", "--account", sensibleAccount, "--type", "tax_forms", "--out", s.path("out"), docs[0].path)...)
	eventually(t, "the vendor is asked", func() bool { return s.vendor.total() > 0 })
	account := func() map[string]any {
		t.Helper()
		return parse(t, s.run(s.shared("accounts", sensibleAccount, "--config", "none.yaml")...).want(t, 0).stdout)
	}
	if got := account(); got["state"] != "active" || got["provider"] != "sensible" || got["rate"] == nil {
		t.Errorf("while a run works for it: %v", got)
	}
	if r := s.run(s.shared("doctor", "--no-vendors", "--config", "none.yaml")...); !strings.Contains(r.stdout, sensibleAccount) {
		t.Errorf("the doctor says %q", r.stdout)
	}
	gate.open()
	run.wait().want(t, 0)
	if got := account(); got["state"] != "paused" || got["provider"] != nil {
		t.Errorf("after the run: %v", got)
	}
}
