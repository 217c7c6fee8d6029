package docs_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// stilted are words and phrases that say less than plain ones: the subject of a sentence is
// a worker, a step, a request or a caller.
var stilted = regexp.MustCompile(`(?i)\b(somebody|someone|nobody|whoever|everybody|otherwise than|(which|that) (are|is) no [a-z]+|who comes|by itself|anybody|those who|told of|for ever)\b`)

// TestWording finds stilted words in comments, texts for users and documents.
func TestWording(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d.Name() == ".git" || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch {
		case path == "../docs/wording_test.go" || strings.HasSuffix(path, "/THIRD_PARTY_NOTICES"):
		case filepath.Ext(path) == ".go":
			checkGo(t, path, body)
		case strings.Contains(".lua .md .sh .yml .yaml .py .js", filepath.Ext(path)) && filepath.Ext(path) != "", d.Name() == "Makefile", d.Name() == "Dockerfile":
			for i, line := range strings.Split(string(body), "\n") {
				checkWording(t, path, i+1, line)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkGo checks the comments of a Go file and its texts: what is one word is a name.
func checkGo(t *testing.T, path string, body []byte) {
	t.Helper()
	files := token.NewFileSet()
	file := files.AddFile(path, -1, len(body))
	var s scanner.Scanner
	s.Init(file, body, nil, scanner.ScanComments)
	for {
		pos, tok, text := s.Scan()
		switch {
		case tok == token.EOF:
			return
		case tok == token.COMMENT, tok == token.STRING && strings.Contains(text, " "):
			checkWording(t, path, file.Line(pos), text)
		}
	}
}

func checkWording(t *testing.T, path string, line int, text string) {
	t.Helper()
	for _, found := range stilted.FindAllString(text, -1) {
		if strings.HasSuffix(found, " no longer") {
			continue
		}
		t.Errorf("%s:%d: %q: name the worker, step, request or caller that is meant", strings.TrimPrefix(path, "../"), line, found)
	}
}
