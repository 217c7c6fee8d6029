package main

import (
	"encoding/hex"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/extractq/extractq/internal/documents"
)

// free is the entry's name, or one made from whole where another document's
// result has it, or from its place where no file can have that one.
func (j *journal) free(e entry, whole string) string {
	if j.mine(e, e.Name) {
		return e.Name
	}
	if tooLong(e.Name) || tooLong(whole) {
		whole = plainName(e)
	}
	name := whole
	for n := 2; !j.mine(e, name); n++ {
		name = whole + "-" + strconv.Itoa(n)
	}
	return name
}

// mine reports whether an entry's result may have a name. Where the journal does not
// know whose the name is, nothing of another document is written over.
func (j *journal) mine(e entry, name string) bool {
	if tooLong(name) {
		return false
	}
	if owner, taken := j.owners[documents.HashOf(j.fold(name))]; taken {
		return owner == documents.HashOf(e.Path)
	}
	file := resultPath(filepath.Dir(j.dir), name)
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return true
	case info.IsDir():
		return false
	}
	there, ok := readResult(file)
	return !ok || string(there.Document.SHA256) == e.SHA256
}

// tooLong reports whether no file can have the name of a result.
func tooLong(name string) bool {
	for part := range strings.SplitSeq(name+".json", "/") {
		if len(part) > maxFileName {
			return true
		}
	}
	return false
}

// plainName is a name that every file system takes, for a document whose own it does not
// take: in no folder, short, without any but the plainest characters, and of its place
// alone.
func plainName(e entry) string {
	const most = 100
	base := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, path.Base(e.Name))
	ext := path.Ext(base)
	if len(ext) > 10 {
		ext = ""
	}
	stem := strings.TrimSuffix(base, ext)
	place := documents.HashOf(e.Path)
	return stem[:min(most, len(stem))] + "-" + hex.EncodeToString(place[:4]) + ext
}

// foldName is one name for all that a file system without regard for case, for the form
// of accents, or for what ends in dots and spaces takes for the same.
func foldName(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts[:len(parts)-1] { // The last one ends in .json.
		parts[i] = strings.TrimRight(part, ". ")
	}
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(strings.Join(parts, "/"))))
}

// foldsNames finds out by a file whether the file system takes names that differ in case
// or normal form for one.
func foldsNames(dir string) bool {
	const probe = ".Probe-\u00c4"
	file := filepath.Join(dir, probe)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return false // What cannot be written here is said elsewhere.
	}
	defer func() { _ = os.Remove(file) }()
	for _, other := range []string{strings.ToLower(probe), norm.NFD.String(probe)} {
		if _, err := os.Lstat(filepath.Join(dir, other)); err == nil {
			return true
		}
	}
	return false
}
