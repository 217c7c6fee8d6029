package documents

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
	"github.com/extractq/extractq/store"
)

// readerFor opens documents for a provider, and reaches the hosts of allow.
func readerFor(t *testing.T, provider string, limit int64, allow ...string) *Opener {
	t.Helper()
	o, err := NewOpener(OpenerConfig{AllowHosts: allow, MaxDocument: limit, FetchesURL: provider == sensible.Name})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// server answers every path with its name, /large with a hundred bytes.
func server(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/gone.pdf":
			http.NotFound(w, r)
		case "/large.pdf":
			_, _ = io.WriteString(w, strings.Repeat("x", 100))
		case "/broken.pdf":
			w.Header().Set("Content-Length", "40")
			_, _ = io.WriteString(w, "half")
		default:
			_, _ = io.WriteString(w, r.URL.Path)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestOpenURL(t *testing.T) {
	t.Parallel()
	base := server(t)
	for name, test := range map[string]struct {
		url   string
		allow []string
		body  string
		code  extraction.Code
		says  string
	}{
		"as it is":      {"/x.pdf", []string{"127.0.0.1"}, "/x.pdf", "", ""},
		"internal":      {"/x.pdf", nil, "", extraction.CodeDocumentUnavailable, "fetch.allow_hosts"},
		"not there":     {"/gone.pdf", []string{"127.0.0.1"}, "", extraction.CodeDocumentUnavailable, "404"},
		"too large":     {"/large.pdf", []string{"127.0.0.1"}, "", extraction.CodeDocumentTooLarge, "too large"},
		"broken off":    {"/broken.pdf", []string{"127.0.0.1"}, "", extraction.CodeDocumentUnavailable, "EOF"},
		"a host's name": {"/x.pdf", []string{"localhost"}, "", extraction.CodeDocumentUnavailable, "internal address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := readerFor(t, typless.Name, 50, test.allow...).Open(t.Context(), fromURL(base+test.url+"?sig=secret"))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			s := d.In(intake.Submission{})
			if s.URL != "" || s.Name != strings.TrimPrefix(test.url, "/") {
				t.Errorf("URL %q, name %q; want the document itself under its name", s.URL, s.Name)
			}
			body, err := io.ReadAll(s.Document)
			if test.code == "" {
				if err != nil || string(body) != test.body {
					t.Errorf("%q, %v; want %q", body, err, test.body)
				}
				return
			}
			if err == nil {
				t.Fatalf("%q without an error", body)
			}
			err = d.Blame(err)
			if errkind.Of(err) == errkind.Unavailable || CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v, want %s with %q", CodeOf(err), err, test.code, test.says)
			}
		})
	}
}

// TestOpenURLForTheVendor hands the URL on, unless it leads inside.
func TestOpenURLForTheVendor(t *testing.T) {
	t.Parallel()
	base := server(t)
	d, err := readerFor(t, sensible.Name, 0, "127.0.0.0/8").Open(t.Context(), fromURL(base+"/x.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if s := d.In(intake.Submission{}); s.URL != base+"/x.pdf" || s.Document != nil {
		t.Errorf("URL %q, document %v; want the URL alone", s.URL, s.Document)
	}
	check, _, err := intake.URLChecks(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	rules := intake.Rules{
		Provider: sensible.Name, FetchesURL: true, CheckDocumentURL: check,
		Check: func(extraction.Submission) error { return nil },
	}
	err = rules.Judge(t.Context(), d.In(intake.Submission{Account: "a", Provider: sensible.Name, Type: "t"}))
	if err = d.Blame(err); CodeOf(err) != extraction.CodeDocumentUnavailable || !strings.Contains(err.Error(), "fetch.allow_hosts") {
		t.Errorf("%v, want the setting that would allow it", err)
	}
}

// TestOpenFile blames a file for its own trouble and nothing else.
func TestOpenFile(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a.pdf", "folder.pdf/x")
	o := readerFor(t, sensible.Name, 0)
	if err := os.WriteFile(filepath.Join(dir, "empty.pdf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Open(t.Context(), Source{Path: filepath.Join(dir, "empty.pdf")}); CodeOf(err) != extraction.CodeUnsupportedDocument {
		t.Errorf("an empty file: %v, want unsupported_document", err)
	}
	d, err := o.Open(t.Context(), Source{Path: filepath.Join(dir, "folder.pdf")})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := io.ReadAll(d); errkind.Of(d.Blame(err)) == errkind.Unavailable || CodeOf(d.Blame(err)) != extraction.CodeDocumentUnavailable {
		t.Errorf("a folder: %v, want its own trouble", d.Blame(err))
	}
	good, err := o.Open(t.Context(), Source{Path: filepath.Join(dir, "a.pdf")})
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	if err := iotest.TestReader(good, []byte("a.pdf")); err != nil {
		t.Error(err)
	}
	for err, all := range map[error]bool{errors.New("disk is full"): true, store.ErrTooLarge: false, intake.ErrEmpty: false} {
		if got := errkind.Of(good.Blame(err)) == errkind.Unavailable; got != all {
			t.Errorf("%v: trouble of all documents is %v, want %v", err, got, all)
		}
	}
}

// TestOpenEndsWithItsContext reads on after the context has ended.
func TestOpenEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	d, err := readerFor(t, sensible.Name, 0).Open(ctx, Source{Path: filepath.Join(tree(t, "a.pdf"), "a.pdf")})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cancel()
	for {
		if _, err := d.Read(make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("it can still be read")
		}
	}
}
