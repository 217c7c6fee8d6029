package main

import (
	"encoding/json"
	"fmt"

	"github.com/extractq/extractq/internal/crash"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
)

// Begin writes an entry, under a name that belongs to no other document, and
// returns it once it is on disk. whole is its name where another document's
// result has its own.
func (j *journal) Begin(e entry, whole string) (entry, error) {
	e, err := j.begin(e, whole)
	if err == nil {
		err = j.sync()
	}
	return e, err
}

// Repeat is Begin for the repetition of an earlier extraction, of which p tells.
func (j *journal) Repeat(e entry, whole string, p progressed) (entry, error) {
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

func (j *journal) begin(e entry, whole string) (entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Name = j.free(e, whole)
	if err := j.entry(e); err != nil {
		return e, err
	}
	j.running[e.ID] = progressed{ID: e.ID}
	return e, nil
}

// Adopt writes an entry and what is known of its extraction, under the name that its
// result has already.
func (j *journal) Adopt(e entry, p progressed) error {
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
func (j *journal) Progress(id string) (progressed, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.progressNow(id)
}

// Rename says that an extraction's result has another name, and returns it; empty where
// the extraction is not the journal's.
func (j *journal) Rename(id string, name func(entry) string) (string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var e entry
	err := j.lines(j.size, func(_ int, _, _ int64, line entry) {
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

// Void takes an entry back whose document was refused before it was an
// extraction.
func (j *journal) Void(e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.running, e.ID)
	e.ID = ""
	return j.entry(e)
}

// Resume says that this run carries what an earlier one began.
func (j *journal) Resume(p progressed) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running[p.ID] = p
}

// Accepted says that the extraction's record was written.
func (j *journal) Accepted(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.running[id]
	p.ID, p.Accepted = id, true
	return j.write(p)
}

// Ended says that this run carries an extraction no more.
func (j *journal) Ended(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.running, id)
}

// Note keeps how far a submission has got. It is durable when it returns, where
// Redis is not.
func (j *journal) Note(id string, b intake.Begun) error {
	if b.UploadURL != "" && j.durable {
		if err := j.keepUpload(id, b.UploadURL); err != nil {
			return err
		}
	}
	err := j.note(id, b)
	if err == nil && j.durable && (b.VendorID != "" || !b.SentAt.IsZero()) {
		err = j.sync()
	}
	if err == nil && j.durable && !b.SubmittedAt.IsZero() {
		j.dropUpload(id)
	}
	return err
}

func (j *journal) note(id string, b intake.Begun) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	p, ours := j.running[id]
	if !ours {
		return nil // Another's, in the same Redis.
	}
	next := progressOf(id, b)
	next.Accepted, next.RetryOf = p.Accepted, p.RetryOf
	return j.write(next)
}

func (j *journal) entry(e entry) error {
	at := j.size
	if err := j.append(e); err != nil {
		return err
	}
	j.remember(e, at)
	return nil
}

func (j *journal) write(p progressed) error {
	at := j.size
	if err := j.append(p); err != nil {
		return err
	}
	j.progress[documents.HashOf(p.ID)] = at
	j.running[p.ID] = p
	return nil
}

// append writes a line where the last whole one ends: half of one, which a full
// disk leaves, is written over.
func (j *journal) append(v any) error {
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

// sync returns once every line so far is on disk. Those who wait for it at the
// same time share one write.
func (j *journal) sync() error {
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
