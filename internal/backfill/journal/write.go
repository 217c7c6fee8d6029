package journal

import (
	"encoding/json"
	"fmt"

	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
)

// Begin writes an entry, under a name that belongs to no other document, and returns it once
// it is on disk. whole is its name if another document's result has its own.
func (j *Journal) Begin(e Entry, whole string) (Entry, error) {
	e, err := j.begin(e, whole)
	if err == nil {
		err = j.sync()
	}
	return e, err
}

// Repeat is Begin for an extraction that goes on from an earlier one, with its progress.
func (j *Journal) Repeat(e Entry, whole string, p Progress) (Entry, error) {
	e, err := j.begin(e, whole)
	if err == nil {
		j.mu.Lock()
		err = j.write(p)
		j.mu.Unlock()
	}
	if err == nil {
		err = j.sync()
	}
	return e, err
}

func (j *Journal) begin(e Entry, whole string) (Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Name = j.free(e, whole)
	if err := j.entry(e); err != nil {
		return e, err
	}
	j.running[e.ID] = Progress{ID: e.ID}
	return e, nil
}

// Adopt writes an entry and its progress, under the name that its result has already.
func (j *Journal) Adopt(e Entry, p Progress) error {
	j.mu.Lock()
	err := j.entry(e)
	if err == nil {
		err = j.write(p)
		delete(j.running, p.ID)
	}
	j.mu.Unlock()
	if err == nil {
		err = j.sync()
	}
	return err
}

// Progress is how far an extraction has got, as far as the journal knows.
func (j *Journal) Progress(id string) (Progress, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.progressNow(id)
}

// Rename gives an extraction's result another name, and returns it; empty if the journal does
// not have the extraction.
func (j *Journal) Rename(id string, name func(Entry) string) (string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var e Entry
	err := j.lines(j.size, func(_ int, _, _ int64, line Entry) {
		if line.Path != "" && line.ID == id {
			e = line
		}
	})
	if err != nil {
		return "", errkind.MarkUnavailable(fmt.Errorf("read journal: %w", err))
	}
	if e.Path == "" {
		return "", nil
	}
	e.Name = name(e)
	return e.Name, j.entry(e)
}

// Void takes an entry back whose document was refused before it became an extraction.
func (j *Journal) Void(e Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.running, e.ID)
	e.ID = ""
	return j.entry(e)
}

// Resume says that this run goes on with what an earlier one began.
func (j *Journal) Resume(p Progress) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running[p.ID] = p
}

// Accepted says that the extraction's record was written.
func (j *Journal) Accepted(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.running[id]
	p.ID, p.Accepted = id, true
	return j.write(p)
}

// Ended notes that this run no longer follows an extraction.
func (j *Journal) Ended(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.running, id)
}

// Note writes how far a submission has got. It is on disk when Note returns if Redis does not
// keep it.
func (j *Journal) Note(id string, b intake.Begun) error {
	if b.UploadURL != "" && j.Durable {
		if err := j.keepUpload(id, b.UploadURL); err != nil {
			return err
		}
	}
	err := j.note(id, b)
	if err == nil && j.Durable && (b.VendorID != "" || !b.SentAt.IsZero()) {
		err = j.sync()
	}
	if err == nil && j.Durable && !b.SubmittedAt.IsZero() {
		j.dropUpload(id)
	}
	return err
}

func (j *Journal) note(id string, b intake.Begun) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	p, ours := j.running[id]
	if !ours {
		return nil // Another run's, in the same Redis.
	}
	next := ProgressOf(id, b)
	next.Accepted, next.RetryOf = p.Accepted, p.RetryOf
	return j.write(next)
}

func (j *Journal) entry(e Entry) error {
	at := j.size
	if err := j.append(e); err != nil {
		return err
	}
	j.remember(e, at)
	return nil
}

func (j *Journal) write(p Progress) error {
	at := j.size
	if err := j.append(p); err != nil {
		return err
	}
	j.progress[documents.HashOf(p.ID)] = at
	j.running[p.ID] = p
	return nil
}

// append writes a line where the last complete one ends. A torn line, which a full disk
// leaves, is overwritten.
func (j *Journal) append(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	crash.Before("journal line")
	n, err := j.file.WriteAt(append(line, '\n'), j.size)
	crash.After("journal line")
	if err != nil {
		return outFails(err)
	}
	j.size += int64(n)
	return nil
}

// sync returns once every line so far is on disk. Concurrent calls share one write.
func (j *Journal) sync() error {
	j.mu.Lock()
	wanted := j.size
	j.mu.Unlock()
	j.syncing.Lock()
	defer j.syncing.Unlock()
	if j.synced >= wanted {
		return nil
	}
	j.mu.Lock()
	written := j.size
	j.mu.Unlock()
	err := j.file.Sync()
	crash.After("journal sync")
	if err != nil {
		return outFails(err)
	}
	j.synced = written
	return nil
}
