package documents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/errkind"
)

// tree writes files below a folder and returns it.
func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// look is what a finder finds: names, and what it cannot read.
type look struct {
	Names    []string
	Skipped  int
	Troubles []string
}

// lookAt finds with both looks, which must agree.
func lookAt(t *testing.T, f *Finder) look {
	t.Helper()
	var out look
	found, err := f.Scan(t.Context(), true, func(what string, err error) {
		out.Troubles = append(out.Troubles, what+": "+err.Error())
	})
	if err != nil {
		t.Fatal(err)
	}
	err = f.Each(t.Context(), func(s Source) error { out.Names = append(out.Names, s.Name); return nil },
		func(what string, err error) error { return fmt.Errorf("new trouble: %s: %w", what, err) })
	if err != nil {
		t.Fatal(err)
	}
	if found.Documents != len(out.Names) || found.Unreadable != len(out.Troubles) {
		t.Errorf("the first look found %+v, the second %+v", found, out)
	}
	out.Skipped = found.Skipped
	return out
}

func find(t *testing.T, limit int, stdin string, args ...string) *Finder {
	t.Helper()
	f, err := Find(t.Context(), args, "", limit, 0, strings.NewReader(stdin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// TestFindDocuments finds in a folder what arguments of every kind name. $ is the
// folder.
func TestFindDocuments(t *testing.T) {
	t.Parallel()
	dir := tree(t, "in/b.pdf", "in/a.pdf", "in/notes.txt", "in/sub/c.PNG", "in/sub/deep/d.pdf", "in/sub/e.heic",
		"in/.hidden.pdf", "in/.extractq/documents/x.pdf", "other/a.pdf", "report[1].pdf", "{.pdf", "bad\xff.pdf")
	if err := os.Symlink(filepath.Join(dir, "in"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "list.txt")
	content := "\uFEFF$/in/a.pdf\r\n\n$/in/sub\n$/in/*.pdf\n$/gone.pdf\n@list.txt\nhttps://example.com/x.pdf\n"
	if err := os.WriteFile(list, []byte(strings.ReplaceAll(content, "$", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	const gone = "no such file or directory: check the path"
	const nothing = "no file matches the pattern: check its path"
	for name, test := range map[string]struct {
		args  []string
		limit int
		stdin string
		want  look
	}{
		"a directory":        {args: []string{"$/in"}, want: look{[]string{"a.pdf", "b.pdf", "sub/c.PNG", "sub/deep/d.pdf"}, 3, nil}},
		"a link to one":      {args: []string{"$/link"}, want: look{[]string{"a.pdf", "b.pdf", "sub/c.PNG", "sub/deep/d.pdf"}, 3, nil}},
		"a file of any kind": {args: []string{"$/in/notes.txt"}, want: look{Names: []string{"notes.txt"}}},
		"the first three":    {args: []string{"$/in"}, limit: 3, want: look{[]string{"a.pdf", "b.pdf", "sub/c.PNG"}, 2, nil}},
		"named twice": {
			args: []string{"$/in/b.pdf", "$/in/../in/b.pdf", "$/in"}, want: look{[]string{"b.pdf", "a.pdf", "sub/c.PNG", "sub/deep/d.pdf"}, 3, nil},
		},
		"one name for two": {
			args: []string{"$/in/a.pdf", "$/other", "$/in/b.pdf"}, want: look{Names: []string{"$/in/a.pdf", "$/other/a.pdf", "b.pdf"}},
		},
		"a pattern":               {args: []string{"$/in/*.pdf"}, want: look{Names: []string{"a.pdf", "b.pdf"}, Skipped: 1}},
		"a deep pattern":          {args: []string{"$/in/**/*.pdf"}, want: look{Names: []string{"a.pdf", "b.pdf", "sub/deep/d.pdf"}, Skipped: 1}},
		"a pattern below":         {args: []string{"$/in/*/*"}, want: look{Names: []string{"sub/c.PNG"}, Skipped: 1}},
		"a pattern of one kind":   {args: []string{"$/in/*/*.heic"}, want: look{Names: []string{"sub/e.heic"}}},
		"a pattern with braces":   {args: []string{"$/in/{a,sub/c}.{pdf,PNG}"}, want: look{Names: []string{"a.pdf", "sub/c.PNG"}}},
		"a pattern's name exists": {args: []string{"$/report[1].pdf", "$/{.pdf"}, want: look{Names: []string{"report[1].pdf", "{.pdf"}}},
		"a pattern for nothing":   {args: []string{"$/in/*.docx"}, want: look{Troubles: []string{"$/in/*.docx: " + nothing}}},
		"a pattern nowhere":       {args: []string{"$/no/*.pdf"}, want: look{Troubles: []string{"$/no/*.pdf: " + nothing}}},
		"no pattern at all": {
			args: []string{"$/in/[.pdf"}, want: look{Troubles: []string{"$/in/[.pdf: there is no such file, and it is no pattern either: check brackets and braces"}},
		},
		"missing among others": {args: []string{"$/gone.pdf", "$/in/a.pdf"}, want: look{Names: []string{"a.pdf"}, Troubles: []string{"$/gone.pdf: " + gone}}},
		"a device": {
			args: []string{"/dev/null"}, want: look{Troubles: []string{"/dev/null: it is neither a file nor a directory; a stream can be given on standard input, with - and --name"}},
		},
		"a list": {
			args: []string{"@$/list.txt"}, want: look{
				[]string{"a.pdf", "c.PNG", "deep/d.pdf", "b.pdf", "x.pdf"},
				2,
				[]string{"$/gone.pdf: " + gone, "@list.txt: " + gone},
			},
		},
		"a list on standard input": {
			args: []string{"@-", "$/in/b.pdf"}, stdin: "$/in/a.pdf\n$/in/b.pdf", want: look{Names: []string{"a.pdf", "b.pdf"}},
		},
		"standard input": {args: []string{"-", "$/in/a.pdf"}, stdin: "body", want: look{Names: []string{"stdin", "a.pdf"}}},
		"no text":        {args: []string{"$/bad\xff.pdf"}, want: look{Names: []string{"bad\uFFFD.pdf"}}},
		"URLs": {
			args: []string{"https://a.test/x/doc.pdf?sig=secret", "HTTP://b.test/x/doc.pdf", "https://a.test/x/doc.pdf?sig=secret", "https://a.test/"},
			want: look{Names: []string{"a.test/x/doc.pdf-" + URLDigest("https://a.test/x/doc.pdf?sig=secret")[:8], "b.test/x/doc.pdf", "document"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := func(s string) string { return strings.ReplaceAll(s, "$", dir) }
			named := func(s string) string { return strings.Replace(s, "$", strings.TrimPrefix(dir, "/"), 1) }
			each := func(list []string, f func(string) string) []string {
				var out []string
				for _, s := range list {
					out = append(out, f(s))
				}
				return out
			}
			got := lookAt(t, find(t, test.limit, in(test.stdin), each(test.args, in)...))
			test.want.Names, test.want.Troubles = each(test.want.Names, named), each(test.want.Troubles, in)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFindDocumentsRefuses what cannot be meant.
func TestFindDocumentsRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		name string
		says string
	}{
		"two documents on standard input": {[]string{"-", "-"}, "", "only once"},
		"a document and a list":           {[]string{"-", "@-"}, "", "only once"},
		"a name for nothing":              {[]string{"a.pdf"}, "x.pdf", "--name"},
		"a name for a list":               {[]string{"@-"}, "x.pdf", "--name"},
		"a name that leads elsewhere":     {[]string{"-"}, "../x.pdf", "--name"},
		"a list without a name":           {[]string{"@"}, "", "@list.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Find(t.Context(), test.args, test.name, 0, 0, strings.NewReader(""))
			if errkind.Of(err) != errkind.Usage || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want a usage error with %q", err, test.says)
			}
		})
	}
	t.Run("a list that is not there", func(t *testing.T) {
		t.Parallel()
		_, err := find(t, 0, "", "@"+filepath.Join(t.TempDir(), "list")).Scan(t.Context(), false, nil)
		if errkind.Of(err) != errkind.Usage {
			t.Errorf("%v, want a usage error", err)
		}
	})
}

// TestTroubleSinceTheFirstLook removes a file between the looks.
func TestTroubleSinceTheFirstLook(t *testing.T) {
	t.Parallel()
	dir := tree(t, "a.pdf", "b.pdf")
	f := find(t, 0, "", filepath.Join(dir, "a.pdf"), filepath.Join(dir, "b.pdf"), filepath.Join(dir, "never.pdf"))
	if _, err := f.Scan(t.Context(), false, func(string, error) {}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a.pdf")); err != nil {
		t.Fatal(err)
	}
	var names, troubles []string
	err := f.Each(t.Context(), func(s Source) error { names = append(names, s.Name); return nil },
		func(what string, _ error) error { troubles = append(troubles, filepath.Base(what)); return nil })
	if err != nil || !slices.Equal(names, []string{"b.pdf"}) || !slices.Equal(troubles, []string{"a.pdf"}) {
		t.Errorf("documents %q, trouble with %q, %v; want b.pdf and a.pdf", names, troubles, err)
	}
}

// TestStandardInputIsKept reads what is on standard input twice, from a copy that goes
// with the process.
func TestStandardInputIsKept(t *testing.T) {
	t.Parallel()
	f, err := Find(t.Context(), []string{"-"}, "1040.pdf", 0, 4, strings.NewReader("123456789"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		var body []byte
		err := f.Each(t.Context(), func(s Source) error {
			kept, err := s.open()
			if err == nil {
				body, err = io.ReadAll(kept)
			}
			return err
		}, nil)
		if err != nil || string(body) != "12345" {
			t.Fatalf("%q, %v; want one byte more than the limit", body, err)
		}
	}
	if found, err := f.Scan(t.Context(), true, nil); err != nil || found.Bytes != 5 {
		t.Errorf("%+v, %v; want five bytes", found, err)
	}
	if _, err := os.Stat(f.spooled["-"].file.Name()); !os.IsNotExist(err) {
		t.Errorf("the copy has a name: %v", err)
	}
}

// blocked is standard input without a writer.
type blocked struct{}

func (blocked) Read([]byte) (int, error) { select {} }

// TestStandardInputThatNeverComes ends with the context.
func TestStandardInputThatNeverComes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errEnough)
	defer cancel()
	if _, err := Find(ctx, []string{"-"}, "", 0, 0, blocked{}); !errors.Is(err, errEnough) {
		t.Errorf("%v, want the context's cause", err)
	}
}

func TestURLName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://a.test/x/1040.pdf?sig=s#page=2":  "1040.pdf",
		"https://a.test/two%20words.pdf":          "two words.pdf",
		"https://a.test/..%2f..%2fetc%2Fx.pdf":    "x.pdf",
		"https://a.test/x/..":                     "document",
		"https://a.test":                          "document",
		"https://a.test/x%00y%0a.pdf":             "x_y_.pdf",
		"https://a.test/%ff.pdf":                  "\uFFFD.pdf",
		"https://user:secret@a.test/.hidden/x":    "x",
		"https://a.test/%E6%97%A5%E6%9C%AC.pdf":   "日本.pdf",
		"https://a.test/a/b/?response=attachment": "b",
		"https://a.test/%zz?sig=secret":           "document",
		"https://a.test/.extractq":                ".extractq",
	} {
		if got := urlName(in); got != want {
			t.Errorf("urlName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPlaceHidesSecrets(t *testing.T) {
	t.Parallel()
	s := fromURL("https://user:secret1@a.test/x.pdf?sig=secret2")
	place, err := s.Identity()
	if err != nil || strings.Contains(place+s.Title()+s.Name+s.WholeName(), "secret") {
		t.Errorf("%q, %q, %q, %v", place, s.Title(), s.WholeName(), err)
	}
	other, _ := fromURL("https://a.test/x.pdf?sig=another").Identity()
	if other == place {
		t.Error("two URLs that differ in their query have one place")
	}
}
