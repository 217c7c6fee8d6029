// Package results writes and reads the files in which a run leaves its extractions, below --out.
package results

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

// maxFileName is the longest file name, in bytes, that file systems accept.
const maxFileName = 255

// Path is the file of the result with a name, below out.
func Path(out, name string) string { return filepath.Join(out, filepath.FromSlash(name)+".json") }

// TooLong reports whether no file can have the name of a result.
func TooLong(name string) bool {
	for part := range strings.SplitSeq(name+".json", "/") {
		if len(part) > maxFileName {
			return true
		}
	}
	return false
}

// Write writes an extraction by rename, so that a reader never sees half. large is its
// result if that is left out of e; otherwise nil.
func Write(path string, e extraction.Extraction, large io.Reader) error {
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
	err = errors.Join(encode(f, e, large), f.Sync(), f.Close())
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

// encode writes the JSON of an extraction; large becomes its last member.
func encode(w io.Writer, e extraction.Extraction, large io.Reader) error {
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

// IsOfPath reports whether a file could not be written because of its own path, while others
// below --out can.
func IsOfPath(err error) bool {
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

// Cause is what the system said, without the names of temporary files.
func Cause(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return documents.Cause(err)
}

// Read reads what an earlier run wrote, except the result itself.
func Read(path string) (extraction.Extraction, bool) {
	var file struct {
		extraction.Extraction

		Result skipped `json:"result"`
	}
	ok := decode(path, &file)
	return file.Extraction, ok
}

// skipped is a member that is not read.
type skipped struct{}

// UnmarshalJSON accepts anything.
func (skipped) UnmarshalJSON([]byte) error { return nil }

// ReadWhole is Read with the result.
func ReadWhole(path string) (e extraction.Extraction, ok bool) {
	ok = decode(path, &e)
	return e, ok
}

func decode(path string, to any) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	dec := json.NewDecoder(f)
	dec.UseNumber() // A number stays as the vendor wrote it.
	return dec.Decode(to) == nil
}
