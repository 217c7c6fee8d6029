package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"
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
