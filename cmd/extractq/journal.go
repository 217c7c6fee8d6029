package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/gofrs/flock"
)

// stateFolder is where run keeps what it must remember, below --out.
const stateFolder = ".extractq"

// entry says that a document has been given an extraction. It is on disk before
// the extraction exists, so that no crash lets the next run submit it again. One
// without an id takes back the one before.
type entry struct {
	// Name is what the result file is called.
	Name string `json:"name"`
	// Path is the document's absolute path, or what stands for it where there
	// is none, quoted: it need not be UTF-8.
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	// Question is a digest of the account and everything that was asked.
	Question string `json:"question"`
	ID       string `json:"id"`
	// Volatile says that the record was in a Redis that ended with the run.
	Volatile bool `json:"volatile,omitempty"`
	// Accepted says that the record was written: where it is missing later, it
	// was lost, and with it what became of the document.
	Accepted bool `json:"accepted,omitempty"`
}

// journal is what earlier runs with the same --out have begun. Only one run may
// have it open.
type journal struct {
	lock *flock.Flock
	file *os.File

	mu sync.Mutex
	// entries are found by place and by name: the same bytes with the same
	// question at the same path, or, for folders that were moved, under the same
	// name. The last one counts.
	entries map[[3]string]entry
	// owners are the paths that the names of result files belong to.
	owners map[string]string
}

// byPath and byName are the keys of an entry.
func (e entry) byPath() [3]string { return [3]string{"path " + e.Path, e.SHA256, e.Question} }
func (e entry) byName() [3]string { return [3]string{"name " + e.Name, e.SHA256, e.Question} }

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
	j := &journal{lock: lock, file: file, entries: map[[3]string]entry{}, owners: map[string]string{}}
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
		j.remember(e)
	}
	return j.file.Truncate(good)
}

// remember takes in an entry.
func (j *journal) remember(e entry) {
	j.entries[e.byPath()], j.entries[e.byName()] = e, e
	j.owners[e.Name] = e.Path
}

// Find returns what an earlier run began for a document, if it asked the same.
func (j *journal) Find(want entry) (entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[want.byPath()]
	if !ok {
		e, ok = j.entries[want.byName()]
	}
	return e, ok && e.ID != ""
}

// Begin writes an entry, under a name that belongs to no other document, and
// returns it once it is on disk. whole is its name where another document's
// result has its own.
func (j *journal) Begin(e entry, whole string) (entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Name = j.free(e, whole)
	err := j.write(e)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return e, unavailable(fmt.Errorf("write journal: %w", err))
	}
	return e, nil
}

// Note writes an entry again after a change that a crash may lose.
func (j *journal) Note(e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(e); err != nil {
		return unavailable(fmt.Errorf("write journal: %w", err))
	}
	return nil
}

func (j *journal) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return err
	}
	j.remember(e)
	return nil
}

// free is the entry's name, or one made from whole where another document's
// result has it.
func (j *journal) free(e entry, whole string) string {
	mine := func(name string) bool {
		owner, taken := j.owners[name]
		return !taken || owner == e.Path
	}
	if mine(e.Name) {
		return e.Name
	}
	name := whole
	for n := 2; !mine(name); n++ {
		name = whole + "-" + strconv.Itoa(n)
	}
	return name
}

// Close lets the next run have the journal.
func (j *journal) Close() error {
	return errors.Join(j.file.Close(), j.lock.Unlock())
}
