package e2e

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"github.com/extractq/extractq/internal/fixtures"
)

// TestRunTakesEveryKindOfInput names documents in all the ways there are, in one
// run.
func TestRunTakesEveryKindOfInput(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(0))
		docs := s.documents("inbox", 8)
		for i, place := range []string{"walked/sub/a.pdf", "walked/b.pdf", "matched/deep/c.pdf", "listed.pdf", "named.pdf"} {
			move(t, s, docs[i].path, place)
		}
		s.write("walked/notes.txt", "no document")
		s.write("list.txt", s.path("listed.pdf")+"\n")
		served := httptest.NewServer(http.FileServer(http.Dir(s.path("inbox"))))
		t.Cleanup(served.Close)
		s.allow(`fetch: {allow_hosts: ["127.0.0.1"]}`)
		out := s.path("results")
		args := []string{
			"run", "--account", d.account, "--type", "tax_forms", "--out", out, "--name", "piped.pdf",
			"walked", "matched/**/*.pdf", "@list.txt", "named.pdf", served.URL + "/" + docs[5].name + "?token=s3cret", "-",
		}
		want := []string{"b.pdf.json", "deep/c.pdf.json", "document-05.pdf.json", "listed.pdf.json", "named.pdf.json", "piped.pdf.json", "sub/a.pdf.json"}
		run := func() {
			t.Helper()
			cmd := s.command(args...)
			body, err := os.ReadFile(docs[6].path)
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stdin = bytes.NewReader(body)
			r := launch(t, cmd).wait().want(t, 0)
			if !strings.Contains(r.stderr, "7 documents; 1 file skipped") || strings.Contains(r.stderr, "s3cret") {
				t.Errorf("stderr %q, want seven documents and one skipped", r.stderr)
			}
			if diff := cmp.Diff(want, filesBelow(t, out)); diff != "" {
				t.Errorf("files in --out (-want +got):\n%s", diff)
			}
		}
		run()
		for _, file := range want {
			if v := s.result(out, strings.TrimSuffix(file, ".json")); v["status"] != "SUCCESS" {
				t.Errorf("%s: %v %v", file, v["status"], v["error"])
			}
		}
		before := s.vendor.total()
		run()
		if n := s.vendor.total() - before; n != 0 {
			t.Errorf("the same command again made %d requests", n)
		}
		left, err := filepath.Glob(s.path("tmp", "*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left in the temporary folder: %q, %v", left, err)
		}
	})
}

// allow adds a line to the site's configuration.
func (s *site) allow(line string) {
	s.t.Helper()
	body, err := os.ReadFile(s.path("extractq.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("extractq.yaml", line+"\n"+string(body))
}

// TestBadDocumentsStopNoOthers gives documents that cannot be taken, each with
// one line that says why, beside two that can.
func TestBadDocumentsStopNoOthers(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(0))
		docs := s.documents("inbox", 2)
		s.write("inbox/empty.pdf", "")
		s.write("inbox/locked.pdf", locked(t))
		if err := os.Symlink(s.path("home"), s.path("inbox", "folder.pdf")); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(s.path("home"), 0o700); err != nil {
			t.Fatal(err)
		}
		internal := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(internal.Close)
		for _, out := range []string{"", "results"} {
			args := []string{"run", "--account", d.account, "--type", "tax_forms", "inbox", "missing.pdf", internal.URL + "/x.pdf", "nothing/*.pdf"}
			if out != "" {
				args = append(args, "--out", out)
			}
			r := s.run(args...).want(t, 1)
			for doc, says := range map[string]string{
				"empty.pdf": "unsupported_document: the document is empty", "locked.pdf": "remove the password",
				"folder.pdf": "document_unavailable: is a directory", "missing.pdf": "document_unavailable: no such file",
				"/x.pdf": "fetch.allow_hosts", "nothing/*.pdf": "no file matches",
			} {
				n := 0
				for _, line := range lines(r.stderr) {
					if strings.Contains(line, doc+": ") {
						n++
						if !strings.HasPrefix(line, "extractq: ") || !strings.Contains(line, says) {
							t.Errorf("it says %q, want %q", line, says)
						}
					}
				}
				if n != 1 {
					t.Errorf("%d lines about %s, want one: %q", n, doc, r.stderr)
				}
			}
			if out == "" {
				continue
			}
			for _, doc := range docs {
				wantSuccess(t, s.result(s.path(out), doc.name), d.account, doc)
			}
		}
	})
}

// locked is an invoice that cannot be opened without its password. The
// configuration is written out, because pdfcpu's default one is a variable of
// its package and creates files in the user's home.
func locked(t *testing.T) string {
	t.Helper()
	conf := &model.Configuration{
		Reader15: true, ValidationMode: model.ValidationRelaxed, Offline: true, Eol: "\n",
		Limits: model.DefaultResourceLimits(), UserPW: "user", OwnerPW: "owner",
		EncryptUsingAES: true, EncryptKeyLength: 256, Permissions: model.PermissionsNone,
	}
	var b bytes.Buffer
	if err := api.Encrypt(bytes.NewReader(fixtures.Invoice(1)), &b, conf); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestUnreadableFolder walks a tree of which one part may not be read.
func TestUnreadableFolder(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 1)
	s.documents("inbox/closed", 1)
	if err := os.Chmod(s.path("inbox", "closed"), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(s.path("inbox", "closed"), 0o700) })
	run := func(args ...string) result {
		cmd := s.command(runArgs(args...)...)
		if os.Getuid() == 0 { // root may read everything
			s.giveAway("inbox/" + docs[0].name)
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		return launch(t, cmd).wait()
	}
	wantComplaint(t, run("inbox/closed"), 2, "inbox/closed: document_unavailable: permission denied")
	r := run("--data", s.path("tmp", "data"), "inbox").want(t, 1)
	if !strings.Contains(r.stderr, "inbox/closed: document_unavailable: permission denied: let this user read it") {
		t.Errorf("it says %q", r.stderr)
	}
	if len(lines(r.stdout)) != 1 {
		t.Errorf("%d results, want that of the document that can be read", len(lines(r.stdout)))
	}
}

// giveAway lets an unprivileged user run the program in the site.
func (s *site) giveAway(files ...string) {
	s.t.Helper()
	for _, dir := range []string{filepath.Dir(binary), filepath.Dir(s.dir)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, file := range append(files, "extractq.yaml", "tmp") {
		if err := os.Chown(s.path(file), 65534, 65534); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestSubmitTakesInputsLikeRun submits from standard input, a pattern and a list.
func TestSubmitTakesInputsLikeRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 3)
	s.worker()
	cmd := s.command(s.shared("submit", "--account", sensibleAccount, "--type", "t", "--wait", "--json",
		"@-", "missing.pdf", "inbox/*-0[12].pdf")...)
	cmd.Stdin = strings.NewReader(docs[0].path + "\n")
	r := launch(t, cmd).wait().want(t, 1)
	if n := len(lines(r.stdout)); n != 3 || !strings.Contains(r.stderr, "missing.pdf: document_unavailable") {
		t.Errorf("%d lines, want three: %s\n%s", n, r.stdout, r.stderr)
	}
	s.vendor.wantOnce(t, docs)
}
