package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestBadUsage expects one clear line and the right exit code for whatever can
// be wrong with a command.
func TestBadUsage(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	doc := s.documents("inbox", 1)[0].path
	s.write("empty.pdf", "")
	s.write("nothing/notes.txt", "no document")
	s.write("misspelled.yaml", "acounts: {}\n")
	s.write("bad-value.yaml", "accounts:\n  a:\n    provider: sensible\n    api_key: k\n    rate: fast\n")
	s.write("no-secret.yaml", "accounts:\n  a:\n    provider: sensible\n    api_key: \"${E2E_UNSET}\"\n")
	s.write("empty.yaml", "")
	s.write("file", "in the way")
	away := "unix://" + s.path("no.sock")
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"unknown command":         {[]string{"frobnicate"}, 2, "frobnicate"},
		"unknown flag":            {runArgs("--frobnicate", doc), 2, "frobnicate"},
		"unknown global flag":     {[]string{"--frobnicate", "run"}, 2, "frobnicate"},
		"flag without its value":  {[]string{"run", doc, "--account"}, 2, "account"},
		"bad duration":            {runArgs("--timeout", "soon", doc), 2, "timeout"},
		"unknown account":         {[]string{"run", "--account", "nobody", "--type", "t", doc}, 2, "nobody"},
		"several accounts":        {[]string{"run", "--type", "t", doc}, 2, "--account"},
		"unknown provider":        {[]string{"run", "--provider", "nobody", "--type", "t", doc}, 2, "provider"},
		"no type":                 {[]string{"run", "--account", sensibleAccount, doc}, 2, "--type"},
		"no document":             {runArgs(), 2, "document"},
		"missing file":            {runArgs("missing.pdf"), 2, "missing.pdf"},
		"folder without document": {runArgs("nothing"), 2, "no document"},
		"metadata without value":  {runArgs("--metadata", "k", doc), 2, "--metadata"},
		"bad priority":            {runArgs("--priority", "urgent", doc), 2, "priority"},
		"bad rate":                {runArgs("--rate", "fast", doc), 2, "--rate"},
		"bad format":              {runArgs("--format", "xml", doc), 2, "--format"},
		"bad log level":           {runArgs("--log-level", "loud", doc), 2, "--log-level"},
		"missing configuration":   {runArgs("--config", "missing.yaml", doc), 2, "missing.yaml"},
		"unknown key":             {runArgs("--config", "misspelled.yaml", doc), 2, "misspelled.yaml:1"},
		"bad value":               {runArgs("--config", "bad-value.yaml", doc), 2, "bad-value.yaml:5"},
		"missing secret":          {runArgs("--config", "no-secret.yaml", doc), 2, "E2E_UNSET"},
		"no account at all":       {[]string{"run", "--config", "empty.yaml", "--type", "t", doc}, 2, "SENSIBLE_API_KEY"},
		"worker without account":  {[]string{"worker", "--config", "empty.yaml", "--redis", away}, 2, "account"},
		"worker with an argument": {[]string{"worker", "--redis", away, "now"}, 2, "argument"},
		"dashboard for everyone":  {[]string{"dashboard", "--redis", away, "--listen", ":0"}, 2, "api.keys"},
		"operator for everyone":   {[]string{"dashboard", "--redis", away, "--listen", ":0", "--operator"}, 2, "--operator"},
		"operator without a key":  {[]string{"dashboard", "--redis", away, "--operator", "--no-auth"}, 2, "--no-auth"},
		"bad dashboard address":   {[]string{"dashboard", "--redis", away, "--listen", "here"}, 2, "--listen"},
		"no redis, dashboard":     {[]string{"dashboard", "--redis", away, "--listen", "127.0.0.1:0", "--wait-for-redis", "0"}, 3, "no.sock"},
		"bad redis address":       {runArgs("--redis", "http://127.0.0.1:1", doc), 2, "redis"},
		"bad data address":        {runArgs("--data", "ftp://example.com", doc), 2, "data"},
		"redis not there, run":    {runArgs("--redis", away, doc), 3, "no.sock"},
		"redis not there, worker": {[]string{"worker", "--redis", away, "--wait-for-redis", "0"}, 3, "no.sock"},
		"redis not there, submit": {[]string{"submit", "--account", sensibleAccount, "--type", "t", "--redis", away, doc}, 3, "no.sock"},
		"redis not there, status": {[]string{"status", "--redis", "redis://127.0.0.1:1/0", "01JD0Z3M9V7Q8W2R5T6Y4X1C0B"}, 3, "127.0.0.1:1"},
		"no redis named, submit":  {[]string{"submit", "--account", sensibleAccount, "--type", "t", doc}, 3, "--redis"},
		"out is a file":           {runArgs("--out", "file", doc), 3, "--out"},
		"data is a file":          {runArgs("--data", "file", doc), 3, "file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantComplaint(t, s.run(test.args...), test.code, test.says)
		})
	}
	t.Run("empty file", func(t *testing.T) {
		t.Parallel()
		r := s.run(runArgs("--data", t.TempDir(), "empty.pdf")...)
		wantComplaint(t, r, 1, "empty.pdf: unsupported_document")
	})
	t.Run("empty file among others", func(t *testing.T) {
		t.Parallel()
		r := s.run(runArgs("--data", t.TempDir(), "empty.pdf", doc)...).want(t, 1)
		if len(lines(r.stdout)) != 1 {
			t.Errorf("%d results, want the one of the good document", len(lines(r.stdout)))
		}
	})
	t.Run("unreadable out", func(t *testing.T) {
		t.Parallel()
		if os.Getuid() == 0 {
			t.Skip("root can write everywhere")
		}
		dir := s.path("locked")
		if err := os.Mkdir(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		wantComplaint(t, s.run(runArgs("--out", dir, doc)...), 3, "--out")
	})
}

// TestTrailingFlagTakesNoDocument forgets the value of the last flag. It must not
// take a document for it: that document would silently not be submitted.
func TestTrailingFlagTakesNoDocument(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 2)
	for _, flag := range []string{"--batch", "--customer", "--out", "--config-name"} {
		t.Run(flag, func(t *testing.T) {
			t.Parallel()
			args := []string{"run", "--account", sensibleAccount, "--type", "tax_forms", "--data", t.TempDir(), docs[0].path, docs[1].path, flag}
			wantComplaint(t, s.run(args...), 2, strings.TrimPrefix(flag, "--"))
		})
	}
	t.Cleanup(func() {
		if n := len(s.vendor.takenBy()); n != 0 {
			t.Errorf("%d documents were submitted", n)
		}
	})
}

// TestVersion checks that --version says one line.
func TestVersion(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	if got := lines(s.run("--version").want(t, 0).stdout); len(got) != 1 {
		t.Errorf("--version prints %q, want one line", got)
	}
}
