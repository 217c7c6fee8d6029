package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/redistest"
)

// TestResultOfAnotherRunIsNoResult runs two types into one folder and puts the
// file of the first back, as a kill between the record and the file leaves it.
func TestResultOfAnotherRunIsNoResult(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	doc := s.documents("inbox", 1)[0]
	out := s.path("results")
	file := s.path("results", doc.name+".json")
	run := func(documentType string) {
		s.run("run", "--account", sensibleAccount, "--type", documentType, "--out", out, doc.path).want(t, 0)
	}
	run("first")
	stale, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	run("second")
	for name, content := range map[string][]byte{"another extraction's": stale, "empty": nil} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		run("second")
		if got := s.result(out, doc.name)["type"]; got != "second" {
			t.Errorf("with a file that was %s the result is of type %v, want second", name, got)
		}
	}
}

// TestRefusedDocumentIsRefusedAgain runs an empty document twice with a Redis in
// memory. It was never submitted, so nothing about it is uncertain.
func TestRefusedDocumentIsRefusedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	empty := s.write("empty.pdf", "")
	for range 2 {
		cmd := s.command(runArgs("--out", s.path("results"), empty)...)
		cmd.Env = append(slices.Clone(cmd.Env), "PATH="+t.TempDir()) // No redis-server there.
		if r := launch(t, cmd).wait().want(t, 1); !strings.Contains(r.stderr, "unsupported_document") {
			t.Errorf("it says %q, want unsupported_document", r.stderr)
		}
	}
}

// TestSubmitStopsWhenNobodyReads closes the reader of submit's ids.
func TestSubmitStopsWhenNobodyReads(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 5)
	cmd := s.command(s.shared(append([]string{"submit", "--account", sensibleAccount, "--type", "t"}, paths(docs)...)...)...)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = reader.Close()
	cmd.Stdout = writer
	p := launch(t, cmd)
	_ = writer.Close()
	p.wait().want(t, 141)
}

// TestNamesAreKept gives documents of one name to one --out in the ways in which
// they come to be there. Each document is submitted once and has a result of its
// own, whatever else is named beside it.
func TestNamesAreKept(t *testing.T) {
	t.Parallel()
	for name, runs := range map[string][][]string{
		"a namesake comes later":     {{"one", "two/x.pdf"}, {"one", "two/x.pdf", "three"}, {"three", "one", "two/x.pdf"}},
		"a path looks like a name":   {{"one/x.pdf", "two/x.pdf", "below"}, {"below", "two/x.pdf", "one/x.pdf"}},
		"two folders, one after one": {{"one"}, {"three"}, {"one"}, {"three"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(0))
			docs := s.documents("spare", 4)
			for i, place := range []string{"one/x.pdf", "two/x.pdf", "three/x.pdf", "below/one/x.pdf"} {
				move(t, s, docs[i].path, place)
			}
			seen := map[string]bool{}
			for _, run := range runs {
				for _, arg := range run {
					seen[arg] = true
				}
				s.run(runArgs(append([]string{"--out", s.path("results")}, run...)...)...).want(t, 0)
			}
			if got := len(s.vendor.takenBy()); got != len(seen) {
				t.Errorf("%d documents are at the vendor, want %d", got, len(seen))
			}
			if got := s.vendor.asked(opPut); got != len(seen) {
				t.Errorf("%d uploads, want %d", got, len(seen))
			}
			var results []string
			err := filepath.WalkDir(s.path("results"), func(file string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() && strings.HasSuffix(file, ".pdf.json") || strings.Contains(d.Name(), ".pdf-") {
					results = append(results, file)
				}
				return err
			})
			if err != nil || len(results) != len(seen) {
				t.Errorf("results %q (%v), want %d", results, err, len(seen))
			}
		})
	}
}

// TestNameThatIsNoText runs a document whose name is not UTF-8 twice.
func TestNameThatIsNoText(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	doc := s.documents("inbox", 1)[0]
	move(t, s, doc.path, "inbox/bad\xff.pdf")
	for range 2 {
		s.run(runArgs("--out", s.path("results"), s.path("inbox"))...).want(t, 0)
	}
	if got := s.vendor.asked(opPut); got != 1 {
		t.Errorf("%d uploads, want 1", got)
	}
}

// TestLostStateIsNotPaidAgain loses the records of accepted documents between
// two runs. What the journal knows is followed.
func TestLostStateIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(5*time.Second))
	docs := s.documents("inbox", 2)
	args := runArgs("--out", s.path("results"), s.path("inbox"))
	s.run(append(args, "--timeout", "3s")...).want(t, 4)
	if err := os.RemoveAll(s.path("results", ".extractq", "redis")); err != nil {
		t.Fatal(err)
	}
	wantComplaint(t, s.run(args...), 2, "--accept-empty-redis")
	s.run(append(args, "--accept-empty-redis")...).want(t, 0)
	if got := s.vendor.asked(opPut); got != len(docs) {
		t.Errorf("%d uploads, want %d", got, len(docs))
	}
}

// TestSharedStateIsNotPaidAgain does so where another process's worker may have
// submitted what is accepted: then it is unknown.
func TestSharedStateIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(time.Hour))
	docs := s.documents("inbox", 2)
	stopped := s.start(s.shared(runArgs("--out", s.path("results"), "--rate", "1/m", s.path("inbox"))...)...)
	eventually(t, "one document is at the vendor", func() bool { return s.vendor.asked(opPut) == 1 })
	stopped.signal(syscall.SIGINT)
	stopped.wait().want(t, 130)
	other := redistest.Start(t)
	args := runArgs("--out", s.path("results"), "--redis", other.URL, "--data", s.path("other"), "--timeout", "8s", s.path("inbox"))
	if r := s.run(args...).want(t, 4); !strings.Contains(r.stderr, "submit_uncertain") {
		t.Errorf("it says %q, want submit_uncertain", r.stderr)
	}
	if got := s.vendor.asked(opPut); got != 1 {
		t.Errorf("%d uploads, want 1", got)
	}
	s.run(append(args, "--retry-failed")...).want(t, 4)
	if got := s.vendor.asked(opPut); got != len(docs) {
		t.Errorf("with --retry-failed %d uploads, want %d: what is followed is not repeated", got, len(docs))
	}
}
