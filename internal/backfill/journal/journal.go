// Package journal keeps, on disk, which documents the runs with one --out have begun and how
// far each has got, so that no crash lets the next run submit one again.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
)

// Folder is where a run keeps its state, below --out.
const Folder = ".extractq"

// Entry says that a document has been given an extraction. It is on disk before the
// extraction exists. One without an id takes back the one before.
type Entry struct {
	// Name is what the result file is called.
	Name string `json:"name"`
	// Path is the document's absolute path, or what identifies it if it has none, quoted: it
	// need not be UTF-8.
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	// Request is a digest of the account and everything that was asked.
	Request string `json:"question"`
	ID      string `json:"id"`
	// Shared says that other processes may work on what is in the Redis, without this
	// journal.
	Shared bool `json:"shared,omitempty"`
}

// Progress is how far the extraction of an entry has got. The last line of an
// id counts.
type Progress struct {
	ID string `json:"id"`
	// Accepted says that the record was written: if it is missing later, it was lost.
	Accepted bool `json:"accepted,omitempty"`
	// The rest is what intake.Client.Resume goes on with, but for the secret
	// upload URL, which has a file of its own until the document is there.
	VendorID      string    `json:"vendor_id,omitempty"`
	UploadExpires time.Time `json:"upload_expires,omitzero"`
	SubmittedAt   time.Time `json:"submitted_at,omitzero"`
	SentAt        time.Time `json:"sent_at,omitzero"`
	RetryOf       string    `json:"retry_of,omitempty"`
	Sought        string    `json:"sought,omitempty"`
}

// ProgressOf is how far the submission of an extraction has got.
func ProgressOf(id string, b intake.Begun) Progress {
	return Progress{
		ID: id, VendorID: b.VendorID, UploadExpires: b.UploadExpires, SubmittedAt: b.SubmittedAt, SentAt: b.SentAt,
		RetryOf: b.RetryOf, Sought: b.Sought,
	}
}

// Journal is what runs with the same --out have begun. Only one run may have it open. It
// keeps about a hundred bytes a document in memory: a line is read again when it is needed.
type Journal struct {
	// Durable says that Note must survive a power cut, because nothing else keeps it.
	Durable bool

	dir  string
	lock *flock.Flock
	file *os.File
	// damaged are the numbers of the lines that cannot be read.
	damaged []int
	// fold is the same for all names that the file system of --out takes for one.
	fold func(string) string

	syncing sync.Mutex
	synced  int64 // What is on disk for certain.

	mu   sync.Mutex
	size int64
	// entries are the offsets of the lines, by path and by name: the same bytes with the
	// same request at the same path or, for folders that were moved, under the same name.
	// The last one counts.
	entries map[documents.Hash]int64
	// owners are the paths that the names of result files belong to.
	owners map[documents.Hash]documents.Hash
	// progress are the offsets of the last lines about each id.
	progress map[documents.Hash]int64
	// running is the progress of the extractions that this run follows.
	running map[string]Progress
}

// byPath and byName are the keys of an entry.
func (e Entry) byPath() documents.Hash {
	return documents.HashOf("path\x00" + e.Path + "\x00" + e.SHA256 + e.Request)
}

func (e Entry) byName() documents.Hash {
	return documents.HashOf("name\x00" + e.Name + "\x00" + e.SHA256 + e.Request)
}

// Open opens the journal in the state folder of out, and locks it.
func Open(out string) (*Journal, error) {
	dir := filepath.Join(out, Folder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, outFails(err)
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, outFails(err)
	}
	if !ok {
		return nil, errkind.Usagef("another run is using --out %s: wait for it, or use another folder", out)
	}
	file, err := os.OpenFile(filepath.Join(dir, "journal.ndjson"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		_ = lock.Unlock()
		return nil, outFails(err)
	}
	j := newJournal(dir, file)
	j.lock = lock
	if foldsNames(dir) {
		j.fold = foldName
	}
	if err := j.read(); err != nil {
		_ = j.Close()
		return nil, errkind.MarkUnavailable(fmt.Errorf("read %s: %w", file.Name(), err))
	}
	if err := file.Truncate(j.size); err != nil {
		_ = j.Close()
		return nil, outFails(err)
	}
	return j, nil
}

// Peek reads the journal in the state folder of out and changes nothing.
// It is empty where there is none.
func Peek(out string) (*Journal, error) {
	dir := filepath.Join(out, Folder)
	file, err := os.Open(filepath.Join(dir, "journal.ndjson"))
	if errors.Is(err, fs.ErrNotExist) {
		file, err = os.Open(os.DevNull)
	}
	if err != nil {
		return nil, errkind.MarkUnavailable(fmt.Errorf("--out cannot be read: %w", documents.Cause(err)))
	}
	j := newJournal(dir, file)
	if err := j.read(); err != nil {
		_ = j.Close()
		return nil, errkind.MarkUnavailable(fmt.Errorf("read %s: %w", file.Name(), err))
	}
	return j, nil
}

func newJournal(dir string, file *os.File) *Journal {
	return &Journal{
		dir: dir, file: file, entries: map[documents.Hash]int64{}, owners: map[documents.Hash]documents.Hash{},
		progress: map[documents.Hash]int64{}, running: map[string]Progress{}, fold: func(name string) string { return name },
	}
}

// outFails is the error of a write to --out.
func outFails(err error) error {
	return errkind.MarkUnavailable(fmt.Errorf("--out cannot be written: %w", documents.Cause(err)))
}

// read reads the lines. A torn last one is what a crash leaves: what it was to say had not
// happened yet, so it does not count. A damaged one is passed over: what it said is looked
// for elsewhere.
func (j *Journal) read() error {
	return j.lines(-1, func(n int, at, next int64, e Entry) {
		switch j.size = next; {
		case e.Path != "":
			j.remember(e, at)
		case e.ID != "": // It is about progress.
			j.progress[documents.HashOf(e.ID)] = at
		default:
			j.damaged = append(j.damaged, n)
		}
	})
}

// lines calls line with each complete line up to a size, or with all: its number, the offsets
// of it and the next one, and its entry. That of a damaged line is empty.
func (j *Journal) lines(size int64, line func(n int, at, next int64, e Entry)) error {
	if size < 0 {
		size = 1<<63 - 1
	}
	r := bufio.NewReader(io.NewSectionReader(j.file, 0, size))
	at := int64(0)
	for n := 1; ; n++ {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var e Entry // Without a path it is about progress, which has an id, too.
		// A power cut may leave zeros where a line was to be, before the next one.
		if json.Unmarshal(bytes.TrimLeft(text, "\x00"), &e) != nil {
			e = Entry{}
		}
		next := at + int64(len(text))
		line(n, at, next, e)
		at = next
	}
}

// Damage says which lines are damaged, and what follows from that; empty if none is.
func (j *Journal) Damage() string {
	const shown = 5
	if len(j.damaged) == 0 {
		return ""
	}
	which := make([]string, 0, shown)
	for _, n := range j.damaged[:min(shown, len(j.damaged))] {
		which = append(which, strconv.Itoa(n))
	}
	text := "line " + strings.Join(which, ", ")
	if more := len(j.damaged) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s: damaged and passed over: %s; what was there is looked for in the results and in the queue of earlier runs",
		j.file.Name(), text)
}

// remember indexes an entry.
func (j *Journal) remember(e Entry, at int64) {
	j.entries[e.byPath()], j.entries[e.byName()] = at, at
	j.owners[documents.HashOf(j.fold(e.Name))] = documents.HashOf(e.Path)
}

// lineAt reads a line again.
func (j *Journal) lineAt(at int64, into any) error {
	line, err := bufio.NewReader(io.NewSectionReader(j.file, at, j.size-at)).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(bytes.TrimLeft(line, "\x00"), into)
	}
	if err != nil {
		return errkind.MarkUnavailable(fmt.Errorf("read journal: %w", err))
	}
	return nil
}

// Find returns what an earlier run began for a document, if it asked the same,
// and how far that has got.
func (j *Journal) Find(want Entry) (e Entry, p Progress, found bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at, ok := j.entries[want.byPath()]
	if !ok {
		at, ok = j.entries[want.byName()]
	}
	if !ok {
		return e, p, false, nil
	}
	if err := j.lineAt(at, &e); err != nil || e.ID == "" {
		return e, p, false, err
	}
	var latest Entry // Found by a name that its result could not have.
	if last, ok := j.entries[e.byPath()]; ok && last != at {
		if err := j.lineAt(last, &latest); err != nil {
			return e, p, false, err
		}
		if latest.ID == e.ID {
			e = latest
		}
	}
	p, err = j.progressNow(e.ID)
	return e, p, err == nil, err
}

// progressNow is how far an extraction has got, as far as the journal knows.
func (j *Journal) progressNow(id string) (p Progress, err error) {
	if at, ok := j.progress[documents.HashOf(id)]; ok {
		err = j.lineAt(at, &p)
	}
	p.ID = id
	return p, err
}

// IDs are the extractions that entries name, read once more. others says that the request of
// some entry is another one.
func (j *Journal) IDs(request string) (ids map[documents.Hash]struct{}, others bool, err error) {
	j.mu.Lock()
	size := j.size
	j.mu.Unlock()
	ids = map[documents.Hash]struct{}{}
	err = j.lines(size, func(_ int, _, _ int64, e Entry) {
		if e.Path != "" && e.ID != "" {
			ids[documents.HashOf(e.ID)] = struct{}{}
			others = others || e.Request != request
		}
	})
	if err != nil {
		err = errkind.MarkUnavailable(fmt.Errorf("read journal: %w", err))
	}
	return ids, others, err
}

// Damaged reports whether lines are damaged.
func (j *Journal) Damaged() bool { return len(j.damaged) > 0 }

// Empty reports whether no run has begun anything.
func (j *Journal) Empty() bool { return j.size == 0 }

// Probe writes a little beside the journal, to find out whether that is possible.
func (j *Journal) Probe() error {
	name := filepath.Join(j.dir, "probe")
	err := os.WriteFile(name, make([]byte, 16<<10), 0o600)
	_ = os.Remove(name) // The next one writes over it.
	return err
}

// Close lets the next run open the journal.
func (j *Journal) Close() error {
	err := j.file.Close()
	if j.lock != nil {
		err = errors.Join(err, j.lock.Unlock())
	}
	return err
}
