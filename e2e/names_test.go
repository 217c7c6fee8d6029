package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
)

// TestOddNames takes documents whose names are a trial for URLs, JSON, terminals
// and file systems.
func TestOddNames(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(0))
		var docs []document
		for i, name := range []string{
			"two words.pdf", "Übergrößenträger.pdf", "100% & more #1?.pdf", "a&amp;b.pdf", "quote\"'.pdf", "new\nline.pdf",
			"tab\tand\x1b[31mcolour.pdf", "~tilde~01JD0Z3M9V7Q8W2R5T6Y4X1C0B.pdf", "..x.pdf", "UPPER.PDF", "日本語の請求書.pdf",
			strings.Repeat("long", 60) + ".pdf",
		} {
			body := fixtures.Invoice(500 + i)
			docs = append(docs, document{name, s.write("inbox/"+name, string(body)), digest(body), len(body)})
		}
		out := s.path("results")
		r := s.run(append([]string{"run", "--account", d.account, "--type", "invoices", "--out", out}, paths(docs)...)...).want(t, 0)
		if strings.ContainsRune(r.stderr, 0x1b) {
			t.Error("an escape sequence in a name reaches the terminal")
		}
		for _, doc := range docs {
			v := s.result(out, doc.name)
			if v["status"] != "SUCCESS" || nameOf(v) != doc.name {
				t.Errorf("%q: %v under the name %q", doc.name, v["status"], nameOf(v))
			}
		}
		s.vendor.wantOnce(t, docs)
	})
}

// TestNameTooLongForAResult has documents whose results cannot have their names: one is
// too long, one has a folder where its result would be. They have others, also the next
// time, and hold up none.
func TestNameTooLongForAResult(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 3)
	long := strings.Repeat("n", 250) + ".pdf"
	move(t, s, docs[0].path, "inbox/"+long)
	move(t, s, docs[1].path, "inbox/x.pdf")
	move(t, s, docs[2].path, "inbox/x.pdf.json/y.pdf")
	out := s.path("results")
	for n := range 2 {
		r := s.run(runArgs("--out", out, s.path("inbox"))...).want(t, 0)
		if said := strings.Count(r.stderr, "its result "); n == 0 && said != 2 || n > 0 && said != 0 {
			t.Errorf("run %d names %d documents: %q", n, said, r.stderr)
		}
		if files := filesBelow(t, out); len(files) != len(docs) {
			t.Errorf("results: %q", files)
		}
	}
	s.vendor.wantOnce(t, docs)
}

// TestManyDocuments takes a few hundred, faster than a vendor would allow.
func TestManyDocuments(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		docs := s.documents("inbox", 200)
		out := s.path("results")
		r := s.run("run", "--account", d.account, "--type", "tax_forms", "--rate", "200/s", "--out", out, s.path("inbox")).want(t, 0)
		t.Logf("200 documents took %v", r.took.Round(100*time.Millisecond))
		if n := len(filesBelow(t, out)); n != len(docs) {
			t.Errorf("%d results, want %d", n, len(docs))
		}
		s.vendor.wantOnce(t, docs)
	})
}

// TestTypesReachTheVendor puts what a document type may not do into one.
func TestTypesReachTheVendor(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	doc := s.documents("inbox", 1)[0]
	for i, kind := range []string{"tax forms", "a/b", "../documents", "a?b=c", "ä"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			args := []string{"run", "--account", typlessAccount, "--type", kind, "--data", s.path(fmt.Sprint("data", i)), doc.path}
			v := parse(t, s.run(args...).want(t, 0).stdout)
			if v["type"] != kind {
				t.Errorf("type %v, want %q", v["type"], kind)
			}
		})
	}
}
