package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/extractq/extractq/extraction"
)

// maxFileName is the longest file name, in bytes, that file systems take.
const maxFileName = 255

// resultFile is where the extraction of a document is written.
func (b *backfill) resultFile(name string) string {
	return filepath.Join(b.out, filepath.FromSlash(name)+".json")
}

// writeResult writes an extraction by rename, so that a reader never sees half.
func writeResult(path string, e extraction.Extraction) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".extractq-*")
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = errors.Join(enc.Encode(e), f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
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
