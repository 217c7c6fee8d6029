package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/sandbox"
)

// TestRunTakesDocumentsThroughTheVendor is the main job: a dozen documents in,
// a dozen results out, and nothing at the vendor that it did not ask for.
func TestRunTakesDocumentsThroughTheVendor(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, siteConfig{sandbox: sandbox.Config{ProcessingTime: sandbox.LogNormal(3*time.Second, 0.25), Seed: 7}})
		docs := s.documents("inbox", 12)
		out := s.path("results")

		r := s.run(append([]string{"run", "--account", d.account, "--type", "tax_forms", "--out", out}, paths(docs)...)...).want(t, 0)
		t.Logf("12 documents of 2 to 5 s took %v", r.took.Round(10*time.Millisecond))
		if r.stdout != "" {
			t.Errorf("with --out nothing belongs on stdout: %q", r.stdout)
		}
		var want []string
		for _, doc := range docs {
			want = append(want, doc.name+".json")
			wantSuccess(t, s.result(out, doc.name), d.account, doc)
		}
		if diff := cmp.Diff(want, filesBelow(t, out)); diff != "" {
			t.Errorf("files in --out (-want +got):\n%s", diff)
		}
		s.vendor.wantOnce(t, docs)
		wantHonestUploads(t, s.vendor, docs)
	})
}

// result reads what run has written for a document.
func (s *site) result(out, name string) map[string]any {
	s.t.Helper()
	body, err := os.ReadFile(filepath.Join(out, filepath.FromSlash(name)+".json"))
	if err != nil {
		s.t.Fatal(err)
	}
	return parse(s.t, string(body))
}

// filesBelow are the files in a folder, but for those of hidden folders, which
// are the program's own.
func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.IsDir():
			below, err := filepath.Rel(dir, name)
			out = append(out, filepath.ToSlash(below))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// wantHonestUploads checks Sensible's upload requests: the document as it is,
// with its length, under the content type that was declared, and without the key,
// which S3 would take for a second signature.
func wantHonestUploads(t *testing.T, v *vendor, docs []document) {
	t.Helper()
	sizes := map[string]int{}
	for _, d := range docs {
		sizes[d.sha256] = d.bytes
	}
	declared := map[string]string{}
	for _, c := range v.log(opOpen) {
		var said struct {
			ContentType string `json:"content_type"`
		}
		if err := json.Unmarshal(c.Body, &said); err != nil {
			t.Errorf("request for an upload URL: %v", err)
		}
		declared[c.VendorID] = said.ContentType
		if got := c.Header.Get("Authorization"); got != "Bearer "+sensibleKey {
			t.Errorf("Authorization of a call is not the account's key")
		}
	}
	for _, c := range v.log(opPut) {
		if c.Header.Get("Authorization") != "" {
			t.Error("the key was sent to the upload URL")
		}
		if got, want := c.Header.Get("Content-Type"), declared[c.VendorID]; got != want || want != "application/pdf" {
			t.Errorf("Content-Type of the upload %q, declared %q, want application/pdf for both", got, want)
		}
		if want := int64(sizes[digest(c.Body)]); c.Length != want {
			t.Errorf("Content-Length of the upload %d, want %d", c.Length, want)
		}
	}
}

// TestRunAsksSparingly checks that a result is not asked for more often than it
// takes: the point of the program is few requests.
func TestRunAsksSparingly(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(4*time.Second))
	docs := s.documents("inbox", 6)
	s.run(append([]string{"run", "--account", sensibleAccount, "--type", "tax_forms"}, paths(docs)...)...).want(t, 0)
	n := s.vendor.asked(opPoll)
	t.Logf("6 documents of 4 s took %d polls", n)
	if n > 6*4 {
		t.Errorf("6 documents of 4 s took %d polls, want at most 4 each", n)
	}
}
