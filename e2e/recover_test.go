package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRunWithoutItsJournal stops a run when some of its documents have their results and
// the others are at the vendor, and goes on with copies of its folder whose journal is
// gone, is cut, or has a damaged line. Nothing is paid again.
func TestRunWithoutItsJournal(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(0))
		docs := s.documents("inbox", 10)
		late := s.documents("spare", 14)[10:]
		args := func(out string) []string {
			return []string{"run", "--account", d.account, "--type", "tax_forms", "--out", out, s.path("inbox")}
		}
		first := s.path("first")
		s.run(args(first)...).want(t, 0)
		held := newGate()
		s.vendor.on(opPoll, always, func(x *exchange) {
			if !held.isOpen() {
				x.refuse(503, "later")
				return
			}
			x.normal()
		})
		for _, doc := range late {
			move(t, s, doc.path, "inbox/"+doc.name)
		}
		docs = append(docs, late...)
		p := s.start(args(first)...)
		eventually(t, "all are at the vendor", func() bool { return len(s.vendor.takenBy()) == len(docs) })
		p.signal(syscall.SIGINT)
		p.wait().want(t, 130)
		held.open()
		journal := s.read("first/.extractq/journal.ndjson")
		lines := strings.SplitAfter(journal, "\n")
		third := len(strings.Join(lines[:len(lines)/3], ""))
		for i, damaged := range []string{"", journal[:third], journal[:third+20], journal[:third] + "nonsense\n" + journal[third+len(lines[len(lines)/3]):]} {
			out := s.path("copy" + strconv.Itoa(i))
			if err := exec.CommandContext(t.Context(), "cp", "-r", first, out).Run(); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(out, ".extractq", "journal.ndjson")
			if err := os.WriteFile(file, []byte(damaged), 0o600); err != nil {
				t.Fatal(err)
			}
			if damaged == "" {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
			r := s.run(args(out)...).want(t, 0)
			if says := strings.Contains(r.stderr, "line "); says != strings.Contains(damaged, "nonsense") {
				t.Errorf("copy %d: it says %q", i, r.stderr)
			}
			for _, doc := range docs {
				wantSuccess(t, s.result(out, doc.name), d.account, doc)
			}
			s.vendor.wantOnce(t, docs)
			s.wantNothingLeftToDo(args(out))
		}
	})
}

// TestResultsAloneAreEnough deletes all that a run keeps but the results.
func TestResultsAloneAreEnough(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 3)
	move(t, s, docs[1].path, "inbox/a/"+docs[0].name)
	move(t, s, docs[2].path, "inbox/b/"+docs[0].name)
	args := runArgs("--out", s.path("results"), s.path("inbox/a"), s.path("inbox/b"), docs[0].path)
	s.run(args...).want(t, 0)
	for _, left := range []string{"3 have their result", "to submit      0"} {
		if err := os.RemoveAll(s.path("results", ".extractq")); err != nil {
			t.Fatal(err)
		}
		if r := s.run(append(args, "--dry-run")...).want(t, 0); !strings.Contains(r.stdout, left) {
			t.Errorf("it plans %q", r.stdout)
		}
		s.wantNothingLeftToDo(args)
	}
	s.vendor.wantOnce(t, docs)
}

// TestNothingOutlivesAKill kills a run that has copied its standard input and has rows of
// CSV that wait.
func TestNothingOutlivesAKill(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 3)
	body, err := os.ReadFile(docs[0].path)
	if err != nil {
		t.Fatal(err)
	}
	s.vendor.on(opPut, func(n int) bool { return n == 2 }, func(x *exchange) { x.hold(newGate()) })
	cmd := s.command(s.shared(runArgs("--format", "csv", "--rate", "5/s", "-", docs[1].path, docs[2].path)...)...)
	cmd.Stdin = bytes.NewReader(body)
	p := launch(t, cmd)
	eventually(t, "two are done", func() bool { return s.vendor.asked(opPut) >= 3 && s.vendor.asked(opPoll) >= 2 })
	time.Sleep(500 * time.Millisecond) // The rows are written when their polls are.
	p.kill()
	left, err := filepath.Glob(s.path("tmp", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %q, %v", left, err)
	}
}
