// Package documents finds the documents that a command line names, and opens them: files,
// directories, patterns, URLs, standard input, and lists of them. It keeps no list of what
// it finds, so that a directory may have millions of files.
package documents

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/extractq/extractq/internal/guard"
)

// Source is one document that the arguments name.
type Source struct {
	// Path is the file with its bytes; empty if URL or stdin is set.
	Path string
	// URL is the address that the document is downloaded from.
	URL string
	// stdin is the copy of standard input.
	stdin *spooled
	// Name is the name of its result, with slashes: the path below the argument that named
	// it. If several documents have the same, Name is the whole path, and ShortName is the
	// one they share.
	Name, ShortName string
}

// size is the size of the document's file; 0 if it cannot be determined.
func (s Source) size() int64 {
	stat := func() (fs.FileInfo, error) { return os.Stat(s.Path) }
	if s.stdin != nil {
		stat = s.stdin.file.Stat
	}
	info, err := stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// Title is what messages call the document.
func (s Source) Title() string {
	if s.URL != "" {
		return guard.Redact(s.URL)
	}
	return s.Name
}

// FileName is the document's own name, without a folder.
func (s Source) FileName() string {
	if s.URL != "" || s.stdin != nil {
		return path.Base(s.Name)
	}
	return filepath.Base(s.Path)
}

// Identity identifies the document for a later run, apart from its bytes. It contains no
// secret of a URL.
func (s Source) Identity() (string, error) {
	switch {
	case s.URL != "":
		return strconv.QuoteToASCII(guard.Redact(s.URL) + " " + URLDigest(s.URL)), nil
	case s.stdin != nil:
		return strconv.QuoteToASCII("stdin " + s.Name), nil
	}
	abs, err := filepath.Abs(s.Path)
	return strconv.QuoteToASCII(abs), err
}

// WholeName is the name of a document whose own name is taken by another one: its whole
// path.
func (s Source) WholeName() string {
	switch {
	case s.stdin != nil:
		return s.Name
	case s.URL == "":
		return ValidName(wholePath(s.Path))
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return s.Name
	}
	name := ValidName(wholePath(u.Hostname() + "/" + u.Path))
	if u.RawQuery != "" {
		name += "-" + URLDigest(s.URL)[:8]
	}
	return name
}

// fromURL is the document at an http or https URL.
func fromURL(u string) Source { return Source{URL: u, Name: urlName(u)} }

// isURL reports whether an argument is an http or https URL.
func isURL(arg string) bool {
	scheme, _, ok := strings.Cut(arg, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// urlName is the document's name in a URL: the last part of its path.
func urlName(raw string) string {
	name := ""
	if u, err := url.Parse(raw); err == nil {
		name = path.Base("/" + u.Path)
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '_'
		}
		return r
	}, ValidName(name))
	if name == "/" || name == "" || name == "." || name == ".." {
		return "document"
	}
	return name
}

// URLDigest stands for a URL that may contain a secret.
func URLDigest(u string) string {
	sum := sha256.Sum256([]byte(u))
	return hex.EncodeToString(sum[:])
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

// ValidName is a name that can be encoded as JSON.
func ValidName(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
