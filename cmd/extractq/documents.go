package main

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

// source is one document that the arguments name.
type source struct {
	// path is the file with its bytes; empty where one of the others is set.
	path string
	// url is where the document is to be fetched.
	url string
	// stdin is the copy of standard input.
	stdin *copied
	// name is what its result is called, with slashes: the path below the
	// argument that named it. shortName is that where name is the whole path, because
	// several documents would have the same.
	name, shortName string
}

// size is how large the document's file is; 0 where that cannot be told.
func (s source) size() int64 {
	stat := func() (fs.FileInfo, error) { return os.Stat(s.path) }
	if s.stdin != nil {
		stat = s.stdin.file.Stat
	}
	info, err := stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

// title is what messages call the document.
func (s source) title() string {
	if s.url != "" {
		return guard.Redact(s.url)
	}
	return s.name
}

// fileName is the document's own name, without a folder.
func (s source) fileName() string {
	if s.url != "" || s.stdin != nil {
		return path.Base(s.name)
	}
	return filepath.Base(s.path)
}

// place is what a later run knows the document by, besides its bytes. It holds
// no secret of a URL.
func (s source) place() (string, error) {
	switch {
	case s.url != "":
		return strconv.QuoteToASCII(guard.Redact(s.url) + " " + urlDigest(s.url)), nil
	case s.stdin != nil:
		return strconv.QuoteToASCII("stdin " + s.name), nil
	}
	abs, err := filepath.Abs(s.path)
	return strconv.QuoteToASCII(abs), err
}

// wholeName is the name of a document whose own name another one has: its whole
// path.
func (s source) wholeName() string {
	switch {
	case s.stdin != nil:
		return s.name
	case s.url == "":
		return valid(wholePath(s.path))
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return s.name
	}
	name := valid(wholePath(u.Hostname() + "/" + u.Path))
	if u.RawQuery != "" {
		name += "-" + urlDigest(s.url)[:8]
	}
	return name
}

// fromURL is the document at an http or https URL.
func fromURL(u string) source { return source{url: u, name: urlName(u)} }

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
	}, valid(name))
	if name == "/" || name == "" || name == "." || name == ".." {
		return "document"
	}
	return name
}

// urlDigest stands for a URL that may hold a secret.
func urlDigest(u string) string {
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

// valid is a name that can stand in JSON.
func valid(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }
