package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/crash"
)

// maxFileName is the longest file name, in bytes, that file systems take.
const maxFileName = 255

// resultFile is where the extraction of a document is written.
func (b *backfill) resultFile(name string) string { return resultPath(b.out, name) }

// resultPath is the file of a result below a folder.
func resultPath(out, name string) string { return filepath.Join(out, filepath.FromSlash(name)+".json") }

// writeResult writes an extraction by rename, so that a reader never sees half.
func writeResult(path string, e extraction.Extraction) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// One that was killed here leaves a file that the next one replaces.
	name := digestOf(filepath.Base(path))
	draft := filepath.Join(filepath.Dir(path), ".extractq-"+hex.EncodeToString(name[:]))
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = errors.Join(enc.Encode(e), f.Sync(), f.Close())
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
	return cause(err)
}

// readResult reads what an earlier run wrote.
func readResult(path string) (extraction.Extraction, bool) {
	var e extraction.Extraction
	f, err := os.Open(path)
	if err != nil {
		return e, false
	}
	defer func() { _ = f.Close() }()
	dec := json.NewDecoder(f)
	dec.UseNumber() // A number stays as the vendor wrote it.
	return e, dec.Decode(&e) == nil
}
