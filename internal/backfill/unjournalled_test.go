package backfill

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backfill/journal"
	"github.com/extractq/extractq/internal/backfill/results"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/follow"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// earlier is what a run has begun, of ten documents, with a real journal, Redis and
// document store.
type earlier struct {
	t       *testing.T
	out     string
	svc     *app.Services
	docs    []documents.Source
	ids     map[string]string // By name.
	journal []byte
}

// newEarlier begins with ten documents, two of which have the same bytes. The first five
// have their results; the others are at the vendor.
func newEarlier(t *testing.T, rdb redis.UniversalClient, change ...func(*Backfill)) *earlier {
	t.Helper()
	blobs, err := store.OpenBlobs(t.Context(), config.FileURL(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blobs.Close() })
	records, err := store.NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	c, err := intake.New(intake.Parts{Redis: rdb, Blobs: blobs})
	if err != nil {
		t.Fatal(err)
	}
	svc := &app.Services{RDB: rdb, Blobs: blobs, Records: records, Client: c, Persistent: true}
	r := &earlier{t: t, out: t.TempDir(), svc: svc, ids: map[string]string{}}
	inbox := t.TempDir()
	b := r.run("t")
	for _, c := range change {
		c(b)
	}
	for i := range 10 {
		name := fmt.Sprintf("%d.pdf", i)
		path := filepath.Join(inbox, name)
		if err := os.WriteFile(path, fmt.Appendf(nil, "%%PDF-1.4 %d", i/2*2%8), 0o600); err != nil {
			t.Fatal(err)
		}
		r.docs = append(r.docs, documents.Source{Path: path, Name: name})
	}
	for i, s := range r.docs {
		e, what := r.decide(b, s)
		if what != actionSubmit {
			t.Fatalf("%s is taken for one that was begun: %v", s.Name, what)
		}
		r.ids[s.Name] = e.ID
		r.submit(b, s, e)
		if i < 5 {
			done := extraction.Extraction{
				ID: e.ID, Account: "acme", Type: "t", Status: extraction.StatusSuccess,
				Document: extraction.Document{Name: s.Name, SHA256: extraction.Null(e.SHA256)},
			}
			if err := results.Write(b.resultFile(e.Name), done, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := b.journal.Close(); err != nil {
		t.Fatal(err)
	}
	r.journal = r.read()
	return r
}

func (r *earlier) file() string { return filepath.Join(r.out, journal.Folder, "journal.ndjson") }

func (r *earlier) read() []byte {
	r.t.Helper()
	body, err := os.ReadFile(r.file())
	if err != nil {
		r.t.Fatal(err)
	}
	return body
}

// run is a run with the same --out that asks for a type.
func (r *earlier) run(kind string) *Backfill {
	r.t.Helper()
	f, err := follow.New(r.t.Context(), follow.Config{Records: r.svc.Records})
	if err != nil {
		r.t.Fatal(err)
	}
	b := &Backfill{Services: r.svc, watched: map[string]watched{}, refusals: newRefusals(), follow: f, printer: render.Discard{}}
	b.Process.Config, b.Console, b.Out = &config.Config{}, render.NewConsole(io.Discard, io.Discard), r.out
	b.Account.Name, b.Template.Type, b.Template.Options = "acme", kind, map[string]any{}
	b.reader = new(documents.Opener)
	b.journal = journalIn(r.t, r.out)
	b.progress = render.NewProgress(io.Discard, false, 10, time.Now)
	b.callbacks = b.newPendingCallbacks()
	r.t.Cleanup(b.progress.Close)
	return b
}

func (r *earlier) open(b *Backfill, s documents.Source) *documents.Document {
	r.t.Helper()
	d, err := b.reader.Open(r.t.Context(), s)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *earlier) decide(b *Backfill, s documents.Source) (journal.Entry, action) {
	r.t.Helper()
	d := r.open(b, s)
	defer d.Close()
	next, err := b.decide(r.t.Context(), d, "01JD0Z3M9V7Q8W2R5T6Y4X1C0"+s.Name[:1])
	if err != nil {
		r.t.Fatal(err)
	}
	return next.entry, next.action
}

func (r *earlier) submit(b *Backfill, s documents.Source, e journal.Entry) {
	r.t.Helper()
	d := r.open(b, s)
	defer d.Close()
	sub := d.In(intake.Submission{ID: e.ID, Account: "acme", Provider: "sensible", Type: "t"})
	if _, err := b.noting(b.Client.Submit)(r.t.Context(), sub); err != nil {
		r.t.Fatal(err)
	}
	if err := b.journal.Accepted(e.ID); err != nil {
		r.t.Fatal(err)
	}
	if err := b.journal.Note(e.ID, intake.Begun{VendorID: "v" + e.ID, SubmittedAt: time.Now()}); err != nil {
		r.t.Fatal(err)
	}
}

// again runs the same command with a journal that has become another, and returns how
// many documents it would submit again.
func (r *earlier) again(journal []byte, kind string, change func(*Backfill)) (submitted int) {
	r.t.Helper()
	if err := os.WriteFile(r.file(), journal, 0o600); err != nil {
		r.t.Fatal(err)
	}
	b := r.run(kind)
	if change != nil {
		change(b)
	}
	for _, s := range r.docs {
		e, what := r.decide(b, s)
		switch {
		case what == actionSubmit:
			submitted++
		case e.ID != r.ids[s.Name] || e.Name != s.Name:
			r.t.Errorf("%s is taken for %s, called %s; it is %s", s.Name, e.ID, e.Name, r.ids[s.Name])
		}
	}
	if err := b.journal.Close(); err != nil {
		r.t.Fatal(err)
	}
	return submitted
}

// TestNothingIsPaidAgain gives a run a journal that was cut anywhere, that has a damaged
// line anywhere, or none. What it does not say is found in the results and in Redis, and
// said by the journal from then on.
func TestNothingIsPaidAgain(t *testing.T) {
	t.Parallel()
	r := newEarlier(t, redistest.Client(t))
	if n := r.again(r.journal, "t", nil); n != 0 {
		t.Fatalf("with its journal %d documents are submitted again", n)
	}
	if n := r.again(nil, "t", nil); n != 0 {
		t.Errorf("without a journal %d documents are submitted again", n)
	}
	if n := r.again(r.read(), "t", func(b *Backfill) { b.Redis.URL = "redis://shared" }); n != 0 {
		t.Errorf("what was found once is not in the journal: %d documents are submitted again", n)
	}
	lines := bytes.SplitAfter(r.journal, []byte("\n"))
	at := 0
	for i, line := range lines[:len(lines)-1] {
		cut := append([]byte{}, r.journal[:at+len(line)/2]...)
		damaged := append(append(append([]byte{}, r.journal[:at]...), "{\"name\":\"half\n"...), r.journal[at+len(line):]...)
		for what, journal := range map[string][]byte{"cut before": r.journal[:at], "cut in": cut, "damaged at": damaged} {
			if n := r.again(journal, "t", nil); n != 0 {
				t.Errorf("%s line %d: %d documents are submitted again", what, i+1, n)
			}
		}
		at += len(line)
	}
}

// TestOnlyOnesOwnIsFound without the journal: not what was asked otherwise, nor what is in
// a Redis that others use.
func TestOnlyOnesOwnIsFound(t *testing.T) {
	t.Parallel()
	r := newEarlier(t, redistest.Client(t))
	if n := r.again(nil, "another", nil); n != 10 {
		t.Errorf("asked for another type, %d documents are submitted, want all", n)
	}
	for what, change := range map[string]func(*Backfill){
		"a Redis that was named": func(b *Backfill) { b.Redis.URL = "redis://shared" },
		"a store that was named": func(b *Backfill) { b.DataGiven = true },
	} {
		if n := r.again(nil, "t", change); n != 5 {
			t.Errorf("%s: %d documents are submitted, want those without a result", what, n)
		}
	}
}

// TestOwnIsFoundAmongOthers has a Redis or a store that others use, and no journal: what runs
// with the same --out have in flight there is theirs, and what another has is not.
func TestOwnIsFoundAmongOthers(t *testing.T) {
	t.Parallel()
	for what, shared := range map[string]func(*Backfill){
		"a Redis that was named": func(b *Backfill) { b.Redis.URL = "redis://shared" },
		"a store that was named": func(b *Backfill) { b.DataGiven = true },
	} {
		r := newEarlier(t, redistest.Client(t), shared)
		if n := r.again(nil, "t", shared); n != 0 {
			t.Errorf("%s: %d documents are submitted again", what, n)
		}
		if n := r.again(nil, "another", shared); n != 10 {
			t.Errorf("%s, asked for another type: %d documents are submitted, want all", what, n)
		}
		r.out = t.TempDir()
		_ = journalIn(t, r.out).Close()
		if n := r.again(nil, "t", shared); n != 10 {
			t.Errorf("%s, with another --out: %d documents are submitted, want all", what, n)
		}
	}
}

// TestWrittenOutIsForgotten by the Redis that others use: the result and the journal have
// it from then on.
func TestWrittenOutIsForgotten(t *testing.T) {
	t.Parallel()
	shared := func(b *Backfill) { b.Redis.URL = "redis://shared" }
	r := newEarlier(t, redistest.Client(t), shared)
	b := r.run("t")
	shared(b)
	b.slots = make(chan struct{}, 1)
	before, err := r.svc.Records.OfRun(t.Context(), "acme", b.origin())
	if err != nil || len(before) != 10 {
		t.Fatalf("%d are noted, %v, want 10", len(before), err)
	}
	record, err := r.svc.Records.Get(t.Context(), "acme", r.ids["7.pdf"])
	if err != nil {
		t.Fatal(err)
	}
	b.slots <- struct{}{}
	b.watch(record.ID, "7.pdf")
	record.Status = extraction.StatusError
	if err := b.finished(t.Context(), record, false); err != nil {
		t.Fatal(err)
	}
	after, err := r.svc.Records.OfRun(t.Context(), "acme", b.origin())
	if err != nil || len(after) != 9 || slices.Contains(after, record.ID) {
		t.Errorf("%d are noted, %v, want all but the one that is written out", len(after), err)
	}
}

// TestKeptDocumentIsNotPaidAgain has a Redis that has forgotten everything, and a journal
// that is gone or damaged: a document that is kept may have been submitted, and only the
// user may say so.
func TestKeptDocumentIsNotPaidAgain(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	r := newEarlier(t, rdb)
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	r.svc.Persistent = false
	lines := bytes.SplitAfter(r.journal, []byte("\n"))
	forgotten := func() (kept []byte) { // Every entry, and nothing of what came of it.
		kept = append(kept, "damaged\n"...)
		for _, line := range lines {
			if bytes.Contains(line, []byte(`"path"`)) {
				kept = append(kept, line...)
			}
		}
		return kept
	}
	for what, journal := range map[string][]byte{"no journal": nil, "only entries": forgotten()} {
		if err := os.WriteFile(r.file(), journal, 0o600); err != nil {
			t.Fatal(err)
		}
		b := r.run("t")
		for i, s := range r.docs {
			if e, what2 := r.decide(b, s); what2 != actionSkip {
				t.Errorf("%s: document %d is %+v, %v; want it to be settled", what, i, e, what2)
			}
		}
		if n := b.failed.Load(); n != 5 {
			t.Errorf("%s: %d documents are named, want 5", what, n)
		}
		if err := b.journal.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.again(nil, "t", func(b *Backfill) { b.RetryFailed = true }); n != 5 {
		t.Errorf("with --retry-failed %d documents are submitted, want 5", n)
	}
}
