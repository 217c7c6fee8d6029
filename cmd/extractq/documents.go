package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// source is one document that an argument names.
type source struct {
	// path is where it is.
	path string
	// name is what its result is called, with slashes: the path below the
	// argument that named it.
	name string
	// url reports that path is one, which the vendor fetches.
	url bool
}

// found are the documents of the arguments.
type found struct {
	sources []source
	// skipped counts files in directories that are no documents.
	skipped int
}

// skippedText says how many files were skipped; empty if none.
func (f found) skippedText() string {
	switch f.skipped {
	case 0:
		return ""
	case 1:
		return "; 1 file is skipped, which is no document"
	}
	return fmt.Sprintf("; %d files are skipped, which are no documents", f.skipped)
}

// documentTypes are the extensions that are taken from a directory: what the
// vendors document that they read. A file that is named itself is always taken.
var documentTypes = []string{
	".pdf", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp",
	".doc", ".docx", ".xls", ".xlsx", ".xlsm", ".csv",
}

// findDocuments expands files and directories. An argument that cannot be read
// is an error, before anything is submitted.
func findDocuments(args []string) (found, error) {
	var out found
	var problems []error
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err != nil:
			problems = append(problems, usage("%s: %w", arg, cause(err)))
		case !info.IsDir() && !info.Mode().IsRegular():
			problems = append(problems, usage("%s: it is neither a file nor a directory", arg))
		case !info.IsDir():
			out.sources = append(out.sources, source{path: arg, name: filepath.Base(arg)})
		default:
			if err := out.walk(arg); err != nil {
				problems = append(problems, usage("%s: %w", arg, cause(err)))
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return out, exitError{exitUsage, err}
	}
	out.separate()
	return out, nil
}

// walk adds the documents below a directory, in the order of their names.
func (f *found) walk(dir string) error {
	dir, err := filepath.EvalSymlinks(dir) // The walk itself follows no links.
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir // Our own state directory is such a one.
		case d.IsDir():
			return nil
		case d.Type()&^(fs.ModeDir|fs.ModeSymlink) != 0, !slices.Contains(documentTypes, strings.ToLower(filepath.Ext(name))) || strings.HasPrefix(d.Name(), "."):
			f.skipped++
			return nil
		}
		below, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		f.sources = append(f.sources, source{path: name, name: filepath.ToSlash(below)})
		return nil
	})
}

// separate drops what was named twice and gives documents of different
// arguments that would have the same name their whole path for a name.
func (f *found) separate() {
	count := map[string]int{}
	paths := map[string]bool{}
	f.sources = slices.DeleteFunc(f.sources, func(s source) bool {
		twice := paths[filepath.Clean(s.path)]
		paths[filepath.Clean(s.path)] = true
		return twice
	})
	for i, s := range f.sources {
		f.sources[i].name = strings.ToValidUTF8(s.name, "\uFFFD") // Names stand in JSON.
		count[f.sources[i].name]++
	}
	for i, s := range f.sources {
		if count[s.name] > 1 {
			f.sources[i].name = strings.ToValidUTF8(wholePath(s.path), "\uFFFD")
		}
	}
}

// wholePath is a path as a name below another directory: no root, no "..".
func wholePath(p string) string {
	p = filepath.ToSlash(filepath.Clean(p))
	if vol := filepath.VolumeName(p); vol != "" {
		p = strings.TrimPrefix(p, vol)
	}
	p = strings.TrimPrefix(p, "/")
	return strings.TrimPrefix(path.Clean(strings.ReplaceAll("/"+p, "/..", "/_")), "/")
}

// cause is what went wrong with a file, without its name.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
