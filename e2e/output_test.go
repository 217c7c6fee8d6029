package e2e

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// runArgs are the arguments of a run on the Sensible account.
func runArgs(args ...string) []string {
	return append([]string{"run", "--account", sensibleAccount, "--type", "tax_forms"}, args...)
}

func TestRunPrintsNDJSONWithoutOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 3)
	r := s.run(runArgs(paths(docs)...)...).want(t, 0)
	got := map[string]map[string]any{}
	for _, line := range lines(r.stdout) {
		v := parse(t, line)
		got[nameOf(v)] = v
	}
	if len(got) != 3 || len(lines(r.stdout)) != 3 {
		t.Fatalf("%d lines about %d documents, want 3", len(lines(r.stdout)), len(got))
	}
	for _, d := range docs {
		wantSuccess(t, got[d.name], sensibleAccount, d)
	}
}

// nameOf is the name of an extraction's document.
func nameOf(v map[string]any) string {
	d, _ := v["document"].(map[string]any)
	name, _ := d["name"].(string)
	return name
}

func TestRunPrintsTheFormatThatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 2)
	names := []string{docs[0].name, docs[1].name}
	tests := map[string]func(t *testing.T, stdout string) []string{
		"json": func(t *testing.T, stdout string) []string {
			var all []map[string]any
			if err := json.Unmarshal([]byte(stdout), &all); err != nil {
				t.Fatalf("no JSON array: %v", err)
			}
			return []string{nameOf(all[0]), nameOf(all[1])}
		},
		"csv": func(t *testing.T, stdout string) []string {
			rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"name", "id", "status", "error_code", "text"}, rows[0]); diff != "" {
				t.Errorf("head of the CSV (-want +got):\n%s", diff)
			}
			for _, row := range rows[1:] {
				if row[2] != "SUCCESS" || row[3] != "" || row[4] == "" {
					t.Errorf("row %q, want SUCCESS, no error and a text", row)
				}
			}
			return []string{rows[1][0], rows[2][0]}
		},
		"table": func(t *testing.T, stdout string) []string {
			all := lines(stdout)
			if len(all) != 3 || !strings.HasPrefix(all[0], "NAME ") {
				t.Fatalf("no head and two rows: %q", all)
			}
			return []string{strings.Fields(all[1])[0], strings.Fields(all[2])[0]}
		},
		"ndjson": func(t *testing.T, stdout string) []string {
			all := lines(stdout)
			return []string{nameOf(parse(t, all[0])), nameOf(parse(t, all[1]))}
		},
	}
	for format, read := range tests {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			out := s.path("out-" + format)
			r := s.run(runArgs("--format", format, "--out", out, docs[0].path, docs[1].path)...).want(t, 0)
			got := read(t, r.stdout)
			slices.Sort(got)
			if diff := cmp.Diff(names, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if len(filesBelow(t, out)) != 2 {
				t.Error("with --format the results are no longer written to --out")
			}
		})
	}
}

func TestRunWalksDirectories(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 4)
	for i, to := range []string{"a/x.pdf", "a/b/x.PDF", "x.pdf"} {
		move(t, s, docs[i].path, "inbox/"+to)
	}
	move(t, s, docs[3].path, "elsewhere/single.pdf")
	s.write("inbox/notes.txt", "not a document")
	s.write("inbox/a/.hidden.pdf", "not to be taken")
	s.write("inbox/.cache/z.pdf", "not to be taken")

	out := s.path("results")
	r := s.run(runArgs("--out", out, s.path("inbox"), s.path("elsewhere", "single.pdf"))...).want(t, 0)
	if diff := cmp.Diff([]string{"a/b/x.PDF.json", "a/x.pdf.json", "single.pdf.json", "x.pdf.json"}, filesBelow(t, out)); diff != "" {
		t.Errorf("files in --out (-want +got):\n%s", diff)
	}
	if !strings.Contains(r.stderr, "2 files") || !strings.Contains(r.stderr, "skipped") {
		t.Errorf("stderr does not count the 2 skipped files: %q", r.stderr)
	}
	s.vendor.wantOnce(t, docs)
}

func move(t *testing.T, s *site, from, to string) {
	t.Helper()
	s.write(to, "") // Makes the folder.
	if err := os.Rename(from, s.path(to)); err != nil {
		t.Fatal(err)
	}
}

// TestFlagsMayStandAnywhere also takes relative paths, a symbolic link and a
// name that looks like a flag.
func TestFlagsMayStandAnywhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	d := s.documents("inbox", 1)[0]
	move(t, s, d.path, "-odd.pdf")
	for name, args := range map[string][]string{
		"before": {"--log-level", "info", "run", "--account", sensibleAccount, "--type=tax_forms", "--", "-odd.pdf"},
		"after":  {"run", "./-odd.pdf", "--type", "tax_forms", "--account", sensibleAccount, "--log-level", "info"},
		"around": {"--config", "extractq.yaml", "run", "--type", "tax_forms", "./-odd.pdf", "--account", sensibleAccount},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Each needs a data directory of its own to have a Redis of its own.
			args := append([]string{"--data", t.TempDir()}, args...)
			if got := lines(s.run(args...).want(t, 0).stdout); len(got) != 1 {
				t.Errorf("%d lines, want 1", len(got))
			}
		})
	}
}

// TestRunTakesALinkedDirectory names a directory by a symbolic link, as people
// do with shared drives.
func TestRunTakesALinkedDirectory(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("real", 2)
	if err := os.Symlink(s.path("real"), s.path("inbox")); err != nil {
		t.Fatal(err)
	}
	r := s.run(runArgs("inbox")...).want(t, 0)
	if got := len(lines(r.stdout)); got != len(docs) {
		t.Errorf("%d results, want %d", got, len(docs))
	}
}
