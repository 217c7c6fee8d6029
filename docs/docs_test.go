// Package docs_test holds the documents to the repository.
package docs_test

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named is a test as the documents name it: its package's folder, a dot, its name.
var named = regexp.MustCompile("`([a-z][a-z0-9/]*)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// fuzz is the head of a fuzz test.
var fuzz = regexp.MustCompile(`(?m)^func (Fuzz[A-Za-z0-9_]+)\(`)

// Every test that promises.md and security.md name exists, and each line of their tables
// names one, or says what else there is.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"promises.md", "security.md"} {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		found := 0
		lines := bufio.NewScanner(file)
		for n := 1; lines.Scan(); n++ {
			line := lines.Text()
			tests := named.FindAllStringSubmatch(line, -1)
			for _, m := range tests {
				found++
				if !exists(t, m[1], m[2]) {
					t.Errorf("%s:%d: there is no test %s.%s", name, n, m[1], m[2])
				}
			}
			row := strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| ---") && !strings.HasSuffix(line, "| held by |")
			if row && len(tests) == 0 && !strings.Contains(line, "`make check`") && !strings.Contains(line, "unproven") {
				t.Errorf("%s:%d: neither a test nor \"unproven\": %s", name, n, line)
			}
		}
		if err := lines.Err(); err != nil || found < 50 {
			t.Errorf("%s names %d tests, %v", name, found, err)
		}
	}
}

// Every fuzz test is in security.md: what is decoded is a threat that it has to name.
func TestFuzzTestsAreNamed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("security.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir("..", func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		body, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range fuzz.FindAllStringSubmatch(string(body), -1) {
			pkg, err := filepath.Rel("..", filepath.Dir(file))
			if err != nil {
				return err
			}
			if want := "`" + filepath.ToSlash(pkg) + "." + m[1] + "`"; !strings.Contains(string(text), want) {
				t.Errorf("security.md does not name %s", want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// exists reports whether a package has a test of that name, for any platform.
func exists(t *testing.T, pkg, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}

// states.md has a row for each script of the records, and for none that is not there.
func TestStatesNameEveryScript(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("states.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| .+ \\| .+ \\| .+ \\| .+ \\|$").FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = true
	}
	files, err := filepath.Glob("../store/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		if name == "lib" {
			continue
		}
		if !rows[name] {
			t.Errorf("states.md says nothing of %s", name)
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("states.md has a script %s, and there is none", name)
	}
}
