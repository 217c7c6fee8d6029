package documents

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/extractq/extractq/internal/errkind"
)

// documentTypes are the extensions that a scan of a directory accepts: those that the
// vendors document. A file that is named itself is always accepted.
var documentTypes = []string{
	".pdf", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp",
	".doc", ".docx", ".xls", ".xlsx", ".xlsm", ".csv",
}

// pattern is what files below a directory must match; nil is all documents.
type pattern struct {
	text string // with slashes, relative to the directory
	// depth is how deep the matches are; 0 if that is not known.
	depth int
	// everything reports that the pattern itself says which kinds of file it means.
	everything bool
}

// isPattern reports whether an argument that names no file may be a pattern.
func isPattern(arg string) bool { return strings.ContainsAny(arg, "*?[{") }

// glob finds the documents that match a pattern. The library's own walk skips directories
// that it cannot read without saying so.
func glob(arg string, v visitor) error {
	base, text := doublestar.SplitPattern(filepath.ToSlash(arg))
	if !doublestar.ValidatePattern(text) {
		return v.trouble(arg, errors.New("there is no such file, and it is no pattern either: check brackets and braces"))
	}
	p := pattern{text: text}
	if !strings.Contains(text, "**") && !strings.Contains(text, "{") {
		p.depth = strings.Count(text, "/") + 1
	}
	if ext := filepath.Ext(text); ext != "" && ext != "." && !isPattern(ext) {
		p.everything = true
	}
	matches := 0
	document, skipped := v.document, v.skipped
	v.document = func(s Source) error { matches++; return document(s) }
	v.skipped = func() { matches++; skipped() }
	if info, err := os.Stat(filepath.FromSlash(base)); err != nil || !info.IsDir() {
		return v.trouble(arg, errors.New("no file matches the pattern: check its path"))
	}
	if err := walk(filepath.FromSlash(base), &p, v); err != nil {
		return err
	}
	if matches == 0 {
		return v.trouble(arg, errors.New("no file matches the pattern: check its path"))
	}
	return nil
}

// takes reports whether a file below the directory matches, and whether it is a
// document.
func (p *pattern) takes(below string) (matches, document bool) {
	kind := slices.Contains(documentTypes, strings.ToLower(filepath.Ext(below)))
	if p == nil {
		return true, kind
	}
	return doublestar.MatchUnvalidated(p.text, below), kind || p.everything
}

// tooDeep reports whether nothing in a directory can match.
func (p *pattern) tooDeep(below string) bool {
	return p != nil && p.depth > 0 && below != "." && strings.Count(below, "/")+1 >= p.depth
}

// walk finds the documents below a directory, in the order of their names.
// Hidden files and directories are skipped; our own state directory is one of them.
func walk(arg string, p *pattern, v visitor) error {
	dir, err := filepath.EvalSymlinks(arg) // The walk itself follows no links.
	if err != nil {
		return v.trouble(arg, Advise(err))
	}
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		below, relErr := filepath.Rel(dir, name)
		if relErr != nil {
			return v.trouble(name, relErr)
		}
		below = filepath.ToSlash(below)
		hidden := name != dir && strings.HasPrefix(filepath.Base(name), ".")
		switch {
		case err != nil: // The rest is walked all the same.
			return v.trouble(filepath.Join(arg, filepath.FromSlash(below)), Advise(err))
		case d.IsDir() && (hidden || p.tooDeep(below)):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		matches, document := p.takes(below)
		switch {
		case !matches:
		case !document, hidden, special(name, d):
			v.skipped()
		default:
			return v.document(Source{Path: name, Name: below})
		}
		return nil
	})
}

// special reports whether an entry is a device, a FIFO or the like, a link to one, or
// the file that results are printed to.
func special(name string, d fs.DirEntry) bool {
	info, err := os.Stat(name)
	if err != nil { // A link to nothing is named as a document that cannot be read.
		return d.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0
	}
	return info.Mode().Type()&^fs.ModeDir != 0 || isStdout(info)
}

// isStdout reports whether a file is this process's standard output, as in
// "run . > results.csv".
func isStdout(info fs.FileInfo) bool {
	out, err := os.Stdout.Stat()
	return err == nil && info.Mode().IsRegular() && os.SameFile(out, info)
}

// list finds what the lines of a file name: each line is an input like an
// argument, but neither a list nor standard input.
func (f *Finder) list(ctx context.Context, arg, path string, v visitor) error {
	kept := f.spooled[arg]
	if info, err := os.Stat(path); kept == nil && err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		if err := f.spoolList(ctx, arg, path); err != nil { // As in @<(find …).
			return err
		}
		kept = f.spooled[arg]
	}
	file, err := Source{Path: path, stdin: kept}.open()
	if err != nil {
		return errkind.Usagef("%s: %w", arg, Advise(err))
	}
	defer func() { _ = file.Close() }()
	lines := NewLines(file, PathsAhead)
	for lines.Scan() {
		line := lines.Text() // Without its \r, too.
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := input(line, v); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return errkind.Usagef("%s: %w: it holds one path or URL a line", arg, Cause(err))
	}
	return nil
}

func (f *Finder) spoolList(ctx context.Context, arg, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return errkind.Usagef("%s: %w", arg, Advise(err))
	}
	defer func() { _ = file.Close() }()
	return f.spool(ctx, arg, file)
}
