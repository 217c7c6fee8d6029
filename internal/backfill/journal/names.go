package journal

import (
	"encoding/hex"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/extractq/extractq/internal/backfill/results"
	"github.com/extractq/extractq/internal/documents"
)

// free is the entry's name. If another document's result has it, it is one made from whole;
// if no file can have that, one made from the document's path.
func (j *Journal) free(e Entry, whole string) string {
	if j.mine(e, e.Name) {
		return e.Name
	}
	if results.TooLong(e.Name) || results.TooLong(whole) {
		whole = PlainName(e)
	}
	name := whole
	for n := 2; !j.mine(e, name); n++ {
		name = whole + "-" + strconv.Itoa(n)
	}
	return name
}

// mine reports whether an entry's result may have a name. A file that the journal does not
// know is only written over if it is the result of the same bytes.
func (j *Journal) mine(e Entry, name string) bool {
	if results.TooLong(name) {
		return false
	}
	if owner, taken := j.owners[documents.HashOf(j.fold(name))]; taken {
		return owner == documents.HashOf(e.Path)
	}
	file := results.Path(filepath.Dir(j.dir), name)
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return true
	case info.IsDir():
		return false
	}
	there, ok := results.Read(file)
	return !ok || string(there.Document.SHA256) == e.SHA256
}

// PlainName is a name that every file system accepts, for a document whose own name it does
// not: in no folder, short, of the plainest characters, and different for each path.
func PlainName(e Entry) string {
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

// foldName is the same for all names that a file system may take for one: those that differ
// in case, in the form of accents, or in dots and spaces at the end.
func foldName(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts[:len(parts)-1] { // The last one ends in .json.
		parts[i] = strings.TrimRight(part, ". ")
	}
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(strings.Join(parts, "/"))))
}

// foldsNames finds out, with a file, whether the file system takes names that differ in case
// or normal form for one.
func foldsNames(dir string) bool {
	const probe = ".Probe-\u00c4"
	file := filepath.Join(dir, probe)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return false // The next write reports it.
	}
	defer func() { _ = os.Remove(file) }()
	for _, other := range []string{strings.ToLower(probe), norm.NFD.String(probe)} {
		if _, err := os.Lstat(filepath.Join(dir, other)); err == nil {
			return true
		}
	}
	return false
}
