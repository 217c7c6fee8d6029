package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
)

// stateFolder is where run keeps what it must remember, below --out.
const stateFolder = ".extractq"

// entry says that a document has been given an extraction. It is on disk before
// the extraction exists, so that no crash lets the next run submit it again. One
// without an id takes back the one before.
type entry struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	ID     string `json:"id"`
	// Account and Type make it the same question.
	Account string `json:"account"`
	Type    string `json:"type"`
	// Volatile says that the record was in a Redis that ended with the run.
	Volatile bool `json:"volatile,omitempty"`
}

// journal is what earlier runs with the same --out have begun. Only one run may
// have it open.
type journal struct {
	lock *flock.Flock
	file *os.File

	mu      sync.Mutex
	entries map[string]entry // By name; the last one counts.
}

// openJournal opens the journal in the state folder of out, and locks it.
func openJournal(out string) (*journal, error) {
	dir := filepath.Join(out, stateFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unavailable(fmt.Errorf("--out cannot be written: %w", err))
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, unavailable(fmt.Errorf("--out cannot be locked: %w", err))
	}
	if !ok {
		return nil, usage("another run is using --out %s: wait for it, or use another folder", out)
	}
	file, err := os.OpenFile(filepath.Join(dir, "journal.ndjson"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		_ = lock.Unlock()
		return nil, unavailable(fmt.Errorf("--out cannot be written: %w", err))
	}
	j := &journal{lock: lock, file: file, entries: map[string]entry{}}
	if err := j.read(); err != nil {
		_ = j.Close()
		return nil, unavailable(fmt.Errorf("read journal: %w", err))
	}
	return j, nil
}

// read takes in the entries. A torn last line is what a crash leaves: its
// extraction was never created, so it is cut off.
func (j *journal) read() error {
	r := bufio.NewReader(j.file)
	var good int64
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("line at byte %d: %w", good, err)
		}
		good += int64(len(line))
		j.entries[e.Name] = e
	}
	return j.file.Truncate(good)
}

// Find returns what an earlier run began for a document, if it asked the same.
func (j *journal) Find(want entry) (entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[want.Name]
	want.ID, want.Volatile = e.ID, e.Volatile
	return e, ok && e.ID != "" && e == want
}

// Add writes an entry and returns once it is on disk.
func (j *journal) Add(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return unavailable(fmt.Errorf("write journal: %w", err))
	}
	if err := j.file.Sync(); err != nil {
		return unavailable(fmt.Errorf("write journal: %w", err))
	}
	j.entries[e.Name] = e
	return nil
}

// Close lets the next run have the journal.
func (j *journal) Close() error {
	return errors.Join(j.file.Close(), j.lock.Unlock())
}
