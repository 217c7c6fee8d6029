package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/scratch"
)

// finder finds the documents that arguments name: files, directories, patterns,
// URLs, standard input, and lists of them. It never holds them: each look walks
// again and hands out one document at a time. What it keeps of each is a digest
// or two.
type finder struct {
	args  []string
	name  string // of the document on standard input
	limit int    // 0 is none

	// copies are what can be read only once, by argument.
	copies map[string]*copied
	// clashes are the names that several documents would have.
	clashes map[digest]struct{}
	// told are the troubles that Look has told of.
	told map[digest]struct{}
}

// digest stands for a path or a name.
type digest [16]byte

func digestOf(s string) digest {
	sum := sha256.Sum256([]byte(s))
	return digest(sum[:16])
}

// found is what a look has found.
type found struct {
	documents int
	// bytes are those of the files; what is at URLs nobody knows.
	bytes int64
	urls  int
	// skipped counts files in directories that are no documents.
	skipped int
	// troubles are arguments, and directories in them, that cannot be read.
	troubles int
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

// visitor is called for what a finder comes across.
type visitor struct {
	document func(source) error
	skipped  func()
	// trouble is called with an argument, or a directory in one, that cannot be
	// read. The others are not held up.
	trouble func(what string, err error) error
}

// errEnough ends a walk at the limit.
var errEnough = errors.New("enough documents")

// findDocuments prepares to find what the arguments name. max is the largest
// document that would be taken. Close must be called.
func findDocuments(ctx context.Context, args []string, name string, limit int, max int64, stdin io.Reader) (_ *finder, err error) {
	f := &finder{args: args, name: name, limit: limit, copies: map[string]*copied{}, told: map[digest]struct{}{}}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	reads := 0
	for _, arg := range args {
		if arg == "-" || arg == "@-" {
			reads++
		}
		if arg == "@" {
			return nil, errkind.Usagef("@: name the file with the list, as in @list.txt, or @- for standard input")
		}
	}
	switch asDocument := f.names("-"); {
	case reads > 1:
		return nil, errkind.Usagef("standard input can be read only once: give - or @-, and only one of them")
	case name != "" && !asDocument:
		return nil, errkind.Usagef("--name is the name of the document on standard input: give - for that")
	case name != "" && (strings.ContainsAny(name, `/\`) || name == "." || name == ".."):
		return nil, errkind.Usagef("--name: %q is not the name of a file, such as 1040.pdf", name)
	case asDocument:
		if max > 0 {
			stdin = io.LimitReader(stdin, max+1) // One more shows that it is too large.
		}
		return f, f.keep(ctx, "-", stdin)
	case f.names("@-"):
		return f, f.keep(ctx, "@-", stdin)
	}
	return f, nil
}

func (f *finder) names(arg string) bool { return slices.Contains(f.args, arg) }

// keep copies what can be read only once to a file.
func (f *finder) keep(ctx context.Context, arg string, r io.Reader) error {
	file, err := scratch.File()
	if err != nil {
		return errkind.MarkUnavailable(fmt.Errorf("keep standard input: %w", err))
	}
	f.copies[arg] = &copied{file}
	done := make(chan error, 1)
	go func() { // A read of a terminal or a pipe ends only with the process.
		_, err := io.Copy(file, r)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return errkind.MarkUnavailable(fmt.Errorf("keep standard input: %w", err))
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close gives the copies back.
func (f *finder) Close() {
	for _, c := range f.copies {
		_ = c.file.Close() // It was read only.
	}
}

// Look walks once and says what is there, and tells of every trouble. sizes says
// whether the bytes are wanted, which costs a look at each file.
func (f *finder) Look(ctx context.Context, sizes bool, trouble func(what string, err error)) (found, error) {
	var out found
	names := map[digest]bool{} // Whether another one has the name, too.
	err := f.each(ctx, visitor{
		document: func(s source) error {
			out.documents++
			key := digestOf(s.name)
			_, taken := names[key]
			names[key] = taken
			if s.url != "" {
				out.urls++
			} else if sizes {
				out.bytes += s.size()
			}
			return nil
		},
		skipped: func() { out.skipped++ },
		trouble: func(what string, err error) error {
			out.troubles++
			f.told[digestOf(what)] = struct{}{}
			trouble(what, err)
			return nil
		},
	})
	f.clashes = map[digest]struct{}{}
	for name, several := range names {
		if several {
			f.clashes[name] = struct{}{}
		}
	}
	return out, err
}

// Each hands out the documents, each with a name of its own where Look has seen
// that several would have the same, and what has become trouble since Look.
func (f *finder) Each(ctx context.Context, document func(source) error, trouble func(what string, err error) error) error {
	return f.each(ctx, visitor{
		document: func(s source) error {
			if _, clash := f.clashes[digestOf(s.name)]; clash {
				s.name, s.shortName = s.wholeName(), s.name
			}
			return document(s)
		},
		skipped: func() {},
		trouble: func(what string, err error) error {
			if _, told := f.told[digestOf(what)]; told {
				return nil
			}
			return trouble(what, err)
		},
	})
}

// each walks the arguments in their order. What is named twice is one document.
func (f *finder) each(ctx context.Context, v visitor) error {
	seen, n := map[digest]struct{}{}, 0
	document := v.document
	v.document = func(s source) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		place, err := s.place()
		if err != nil {
			return v.trouble(s.title(), err)
		}
		if _, twice := seen[digestOf(place)]; twice {
			return nil
		}
		if f.limit > 0 && n == f.limit {
			return errEnough
		}
		seen[digestOf(place)] = struct{}{}
		n++
		s.name = valid(s.name)
		return document(s)
	}
	for _, arg := range f.args {
		if err := f.argument(ctx, arg, v); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// argument finds what one argument of the command line names.
func (f *finder) argument(ctx context.Context, arg string, v visitor) error {
	switch list, isList := strings.CutPrefix(arg, "@"); {
	case isList:
		return f.list(ctx, arg, list, v)
	case arg == "-":
		name := f.name
		if name == "" {
			name = "stdin"
		}
		return v.document(source{stdin: f.copies[arg], name: name})
	}
	return input(arg, v)
}

// input finds what an argument, or a line of a list, names.
func input(arg string, v visitor) error {
	if isURL(arg) {
		return v.document(fromURL(arg))
	}
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isPattern(arg):
		return glob(arg, v)
	case err != nil:
		return v.trouble(arg, advise(err))
	case info.IsDir():
		return walk(arg, nil, v)
	case isStdout(info):
		v.skipped()
		return nil
	case !info.Mode().IsRegular():
		return v.trouble(arg, errors.New("it is neither a file nor a directory; a stream can be given on standard input, with - and --name"))
	}
	return v.document(source{path: arg, name: filepath.Base(arg)})
}

// cause is what went wrong with a file, without its name.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// advise is what went wrong with a file, and what to do.
func advise(err error) error {
	err = cause(err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: check the path", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: let this user read it", err)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%w: name the directory itself", err)
	}
	return err
}
