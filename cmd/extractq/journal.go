package main

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
	// Shared says that others may work on what is in the Redis, without telling
	// this journal.
	Shared bool `json:"shared,omitempty"`
}

// progressed is how far the extraction of an entry has got. The last line of an
// id counts.
type progressed struct {
	ID string `json:"id"`
	// Accepted says that the record was written: where it is missing later, it
	// was lost.
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

// progressOf is how far the submission of an extraction has got.
func progressOf(id string, b intake.Begun) progressed {
	return progressed{
		ID: id, VendorID: b.VendorID, UploadExpires: b.UploadExpires, SubmittedAt: b.SubmittedAt, SentAt: b.SentAt,
		RetryOf: b.RetryOf, Sought: b.Sought,
	}
}

// journal is what runs with the same --out have begun. Only one run may have it
// open. It keeps about a hundred bytes a document in memory: what a line says is
// read again when it is asked for.
type journal struct {
	dir  string
	lock *flock.Flock
	file *os.File
	// durable says that what a worker tells must survive a power cut here,
	// because nothing else keeps it.
	durable bool
	// damaged are the numbers of the lines that cannot be read.
	damaged []int
	// fold makes one of all names that the file system of --out takes for one.
	fold func(string) string

	syncing sync.Mutex
	synced  int64 // What is on disk for certain.

	mu   sync.Mutex
	size int64
	// entries are where the lines are, found by place and by name: the same
	// bytes with the same question at the same path, or, for folders that were
	// moved, under the same name. The last one counts.
	entries map[documents.Hash]int64
	// owners are the paths that the names of result files belong to.
	owners map[documents.Hash]documents.Hash
	// progress is where the last line about an id is.
	progress map[documents.Hash]int64
	// running is the progress of what this run carries.
	running map[string]progressed
}

// byPath and byName are the keys of an entry.
func (e entry) byPath() documents.Hash {
	return documents.HashOf("path\x00" + e.Path + "\x00" + e.SHA256 + e.Question)
}

func (e entry) byName() documents.Hash {
	return documents.HashOf("name\x00" + e.Name + "\x00" + e.SHA256 + e.Question)
}

// openJournal opens the journal in the state folder of out, and locks it.
func openJournal(out string) (*journal, error) {
	dir := filepath.Join(out, stateFolder)
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

// peekJournal reads the journal in the state folder of out and changes nothing.
// It is empty where there is none.
func peekJournal(out string) (*journal, error) {
	dir := filepath.Join(out, stateFolder)
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

func newJournal(dir string, file *os.File) *journal {
	return &journal{
		dir: dir, file: file, entries: map[documents.Hash]int64{}, owners: map[documents.Hash]documents.Hash{},
		progress: map[documents.Hash]int64{}, running: map[string]progressed{}, fold: func(name string) string { return name },
	}
}

// outFails is trouble with writing to --out.
func outFails(err error) error {
	return errkind.MarkUnavailable(fmt.Errorf("--out cannot be written: %w", documents.Cause(err)))
}

// read takes in the lines. A torn last one is what a crash leaves: what it was to
// say had not happened yet, and it is not counted to the size. A damaged one is passed
// over: what it said is looked for elsewhere.
func (j *journal) read() error {
	return j.lines(-1, func(n int, at, next int64, e entry) {
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

// lines calls line with each whole line up to a size, or with all: its number, where it
// and the next one begin, and what it says. A damaged one says nothing.
func (j *journal) lines(size int64, line func(n int, at, next int64, e entry)) error {
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
		var e entry // Without a path it is about progress, which has an id, too.
		// A power cut may leave zeros where a line was to be, before the next one.
		if json.Unmarshal(bytes.TrimLeft(text, "\x00"), &e) != nil {
			e = entry{}
		}
		next := at + int64(len(text))
		line(n, at, next, e)
		at = next
	}
}

// Damage says which lines are damaged, and what comes of it; empty where none is.
func (j *journal) Damage() string {
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

// remember takes in an entry.
func (j *journal) remember(e entry, at int64) {
	j.entries[e.byPath()], j.entries[e.byName()] = at, at
	j.owners[documents.HashOf(j.fold(e.Name))] = documents.HashOf(e.Path)
}

// lineAt reads a line again.
func (j *journal) lineAt(at int64, into any) error {
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
func (j *journal) Find(want entry) (e entry, p progressed, found bool, err error) {
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
	var latest entry // Found by a name that its result could not have.
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
func (j *journal) progressNow(id string) (p progressed, err error) {
	if at, ok := j.progress[documents.HashOf(id)]; ok {
		err = j.lineAt(at, &p)
	}
	p.ID = id
	return p, err
}

// IDs are the extractions that entries name, read once more. others says that some entry
// asks another question.
func (j *journal) IDs(question string) (ids map[documents.Hash]struct{}, others bool, err error) {
	j.mu.Lock()
	size := j.size
	j.mu.Unlock()
	ids = map[documents.Hash]struct{}{}
	err = j.lines(size, func(_ int, _, _ int64, e entry) {
		if e.Path != "" && e.ID != "" {
			ids[documents.HashOf(e.ID)] = struct{}{}
			others = others || e.Question != question
		}
	})
	if err != nil {
		err = errkind.MarkUnavailable(fmt.Errorf("read journal: %w", err))
	}
	return ids, others, err
}

// Close lets the next run have the journal.
func (j *journal) Close() error {
	err := j.file.Close()
	if j.lock != nil {
		err = errors.Join(err, j.lock.Unlock())
	}
	return err
}
