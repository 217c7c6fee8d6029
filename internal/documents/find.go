package documents

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

// Finder finds the documents that arguments name. Each scan walks the arguments again and
// passes on one document at a time. Of each document a Finder keeps at most two hashes.
type Finder struct {
	args  []string
	name  string // of the document on standard input
	limit int    // 0 is none

	// spooled are copies of the arguments that can be read only once.
	spooled map[string]*spooled
	// duplicates are the names that several documents have.
	duplicates map[Hash]struct{}
	// reported are the unreadable arguments that Scan has reported.
	reported map[Hash]struct{}
}

// Hash stands for a path or a name.
type Hash [16]byte

// HashOf returns the hash of a path or a name.
func HashOf(s string) Hash {
	sum := sha256.Sum256([]byte(s))
	return Hash(sum[:16])
}

// Found is what a scan has found.
type Found struct {
	Documents int
	// Bytes is the total size of the files. The size of a document at a URL is not known.
	Bytes int64
	URLs  int
	// Skipped counts the files in directories that are not documents.
	Skipped int
	// Unreadable counts the arguments, and directories in them, that cannot be read.
	Unreadable int
}

// SkippedText says how many files were skipped; empty if none.
func (f Found) SkippedText() string {
	switch f.Skipped {
	case 0:
		return ""
	case 1:
		return "; 1 file skipped (not a document)"
	}
	return fmt.Sprintf("; %d files skipped (not documents)", f.Skipped)
}

// Check says what is skipped. It is an error if no document is left.
func (f Found) Check(say func(format string, args ...any)) error {
	skipped := f.SkippedText()
	switch {
	case f.Documents == 0 && f.Unreadable > 0:
		return errkind.New(errkind.Usage, errkind.ErrReported)
	case f.Documents == 0:
		return errkind.Usagef("there is no document in what was named%s", skipped)
	case skipped != "":
		say("%d documents%s", f.Documents, skipped)
	}
	return nil
}

// visitor is called for what a scan comes across.
type visitor struct {
	document func(Source) error
	skipped  func()
	// trouble is called with an argument, or a directory in one, that cannot be read. The
	// scan goes on with the others.
	trouble func(what string, err error) error
}

// errEnough ends a walk at the limit.
var errEnough = errors.New("enough documents")

// Find prepares to find what the arguments name. It copies standard input to a temporary
// file if an argument names it; name is then the document's name. limit is the number of
// documents to find, and max the largest to accept in bytes; 0 is no limit. Close must be
// called.
func Find(ctx context.Context, args []string, name string, limit int, max int64, stdin io.Reader) (_ *Finder, err error) {
	f := &Finder{args: args, name: name, limit: limit, spooled: map[string]*spooled{}, reported: map[Hash]struct{}{}}
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
		return f, f.spool(ctx, "-", stdin)
	case f.names("@-"):
		return f, f.spool(ctx, "@-", stdin)
	}
	return f, nil
}

func (f *Finder) names(arg string) bool { return slices.Contains(f.args, arg) }

// spool copies an argument that can be read only once to a file.
func (f *Finder) spool(ctx context.Context, arg string, r io.Reader) error {
	file, err := scratch.File()
	if err != nil {
		return errkind.MarkUnavailable(fmt.Errorf("keep standard input: %w", err))
	}
	f.spooled[arg] = &spooled{file}
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

// Close removes the copies.
func (f *Finder) Close() {
	for _, c := range f.spooled {
		_ = c.file.Close() // It was read only.
	}
}

// Scan walks the arguments once and returns what is there. It calls trouble for each that
// cannot be read. sizes asks for the total size, which costs a system call for each file.
func (f *Finder) Scan(ctx context.Context, sizes bool, trouble func(what string, err error)) (Found, error) {
	var out Found
	names := map[Hash]bool{} // Whether several documents have the name.
	err := f.each(ctx, visitor{
		document: func(s Source) error {
			out.Documents++
			key := HashOf(s.Name)
			_, taken := names[key]
			names[key] = taken
			if s.URL != "" {
				out.URLs++
			} else if sizes {
				out.Bytes += s.size()
			}
			return nil
		},
		skipped: func() { out.Skipped++ },
		trouble: func(what string, err error) error {
			out.Unreadable++
			f.reported[HashOf(what)] = struct{}{}
			trouble(what, err)
			return nil
		},
	})
	f.duplicates = map[Hash]struct{}{}
	for name, several := range names {
		if several {
			f.duplicates[name] = struct{}{}
		}
	}
	return out, err
}

// Each calls document for each document. Those that share a name, as Scan has seen, get the
// whole path for one. It calls trouble for what has become unreadable since Scan.
func (f *Finder) Each(ctx context.Context, document func(Source) error, trouble func(what string, err error) error) error {
	return f.each(ctx, visitor{
		document: func(s Source) error {
			if _, duplicate := f.duplicates[HashOf(s.Name)]; duplicate {
				s.Name, s.ShortName = s.WholeName(), s.Name
			}
			return document(s)
		},
		skipped: func() {},
		trouble: func(what string, err error) error {
			if _, reported := f.reported[HashOf(what)]; reported {
				return nil
			}
			return trouble(what, err)
		},
	})
}

// each walks the arguments in their order. A document that is named twice is found once.
func (f *Finder) each(ctx context.Context, v visitor) error {
	seen, n := map[Hash]struct{}{}, 0
	document := v.document
	v.document = func(s Source) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		identity, err := s.Identity()
		if err != nil {
			return v.trouble(s.Title(), err)
		}
		if _, twice := seen[HashOf(identity)]; twice {
			return nil
		}
		if f.limit > 0 && n == f.limit {
			return errEnough
		}
		seen[HashOf(identity)] = struct{}{}
		n++
		s.Name = ValidName(s.Name)
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
func (f *Finder) argument(ctx context.Context, arg string, v visitor) error {
	switch list, isList := strings.CutPrefix(arg, "@"); {
	case isList:
		return f.list(ctx, arg, list, v)
	case arg == "-":
		name := f.name
		if name == "" {
			name = "stdin"
		}
		return v.document(Source{stdin: f.spooled[arg], Name: name})
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
		return v.trouble(arg, Advise(err))
	case info.IsDir():
		return walk(arg, nil, v)
	case isStdout(info):
		v.skipped()
		return nil
	case !info.Mode().IsRegular():
		return v.trouble(arg, errors.New("it is neither a file nor a directory; a stream can be given on standard input, with - and --name"))
	}
	return v.document(Source{Path: arg, Name: filepath.Base(arg)})
}

// Cause is what went wrong with a file, without the name of the file.
func Cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// Advise is what went wrong with a file, and what to do about it.
func Advise(err error) error {
	err = Cause(err)
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
