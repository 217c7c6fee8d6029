package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/documents"
)

// maxFileName is the longest file name, in bytes, that file systems take.
const maxFileName = 255

// resultFile is where the extraction of a document is written.
func (b *backfill) resultFile(name string) string { return resultPath(b.out, name) }

// resultPath is the file of a result below a folder.
func resultPath(out, name string) string { return filepath.Join(out, filepath.FromSlash(name)+".json") }

// inPlace is the largest result, in bytes, that is written out by way of memory, with the
// indentation of a text to be read. A larger one is copied from the store as it is.
const inPlace = 1 << 20

// writeResult writes an extraction by rename, so that a reader never sees half. large is
// its result where that is left out of e; nil otherwise.
func writeResult(path string, e extraction.Extraction, large io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// One that was killed here leaves a file that the next one replaces.
	name := documents.HashOf(filepath.Base(path))
	draft := filepath.Join(filepath.Dir(path), ".extractq-"+hex.EncodeToString(name[:]))
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(encodeResult(f, e, large), f.Sync(), f.Close())
	if err == nil {
		crash.Before("result file")
		err = os.Rename(draft, path)
		crash.After("result file")
	}
	if err != nil {
		_ = os.Remove(draft)
	}
	return err
}

// encodeResult writes the JSON of an extraction; large becomes its last member.
func encodeResult(w io.Writer, e extraction.Extraction, large io.Reader) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(e); err != nil {
		return err
	}
	if large == nil {
		_, err := w.Write(out.Bytes())
		return err
	}
	head := bytes.TrimSuffix(out.Bytes(), []byte("\n}\n"))
	for _, part := range []io.Reader{bytes.NewReader(head), strings.NewReader(",\n  \"result\": "), large, strings.NewReader("}\n")} {
		if _, err := io.Copy(w, part); err != nil {
			return err
		}
	}
	return nil
}

// remembering is a reader that keeps why it failed.
type remembering struct {
	io.Reader

	err error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// isOfPath reports whether a file could not be written for its own path's sake, and not
// for that of all of --out.
func isOfPath(err error) bool {
	for _, own := range []error{
		syscall.EINVAL, syscall.EEXIST, syscall.EISDIR, syscall.ENOTDIR, syscall.ENOTEMPTY, syscall.ENAMETOOLONG,
		syscall.EILSEQ, syscall.EACCES, syscall.ELOOP,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// errnoOf is what the system said, without the names of temporary files.
func errnoOf(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return documents.Cause(err)
}

// readResult reads what an earlier run wrote, but for the result itself.
func readResult(path string) (extraction.Extraction, bool) {
	var file struct {
		extraction.Extraction

		Result skipped `json:"result"`
	}
	ok := readFile(path, &file)
	return file.Extraction, ok
}

// skipped is a member that is not looked at.
type skipped struct{}

// UnmarshalJSON takes anything.
func (skipped) UnmarshalJSON([]byte) error { return nil }

// readWhole is readResult with the result.
func readWhole(path string) (e extraction.Extraction, ok bool) {
	ok = readFile(path, &e)
	return e, ok
}

func readFile(path string, to any) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	dec := json.NewDecoder(f)
	dec.UseNumber() // A number stays as the vendor wrote it.
	return dec.Decode(to) == nil
}
