package intake

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

func TestSubmitOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, replayed, err := r.SubmitOnce(t.Context(), submission("x"), "", "billing\nk1")
	if err != nil || replayed {
		t.Fatalf("SubmitOnce = replayed %v, %v", replayed, err)
	}
	for range 2 {
		s := submission("x")
		s.Priority = extraction.PriorityNormal // Which it is without, too.
		s.Metadata, s.Options, s.Types = map[string]string{}, map[string]any{}, []string{}
		again, replayed, err := r.SubmitOnce(t.Context(), s, "", "billing\nk1")
		if err != nil || !replayed || again.ID != first.ID {
			t.Errorf("SubmitOnce again = %s, replayed %v, %v; want %s", again.ID, replayed, err, first.ID)
		}
	}
	for name, mend := range map[string]func(*Submission){
		"other bytes":   func(s *Submission) { s.Document = strings.NewReader("y") },
		"another type":  func(s *Submission) { s.Type = "invoice" },
		"another name":  func(s *Submission) { s.Name = "b.pdf" },
		"metadata":      func(s *Submission) { s.Metadata = map[string]string{"a": "b"} },
		"a URL":         func(s *Submission) { s.Document, s.URL = nil, "https://x.test/1040.pdf" },
		"other account": func(s *Submission) { s.Account = "other" },
	} {
		s := submission("x")
		mend(&s)
		if e, _, err := r.SubmitOnce(t.Context(), s, "", "billing\nk1"); !errors.Is(err, ErrKeyReused) {
			t.Errorf("%s: SubmitOnce = %s, %v, want %v", name, e.ID, err, ErrKeyReused)
		}
	}
	if e, replayed, err := r.SubmitOnce(t.Context(), submission("x"), "", "other\nk1"); err != nil || replayed || e.ID == first.ID {
		t.Errorf("the same key of another producer = %s, replayed %v, %v", e.ID, replayed, err)
	}
	if _, _, err := r.SubmitOnce(t.Context(), submission(""), "", "billing\nk1"); !errors.Is(err, ErrEmpty) {
		t.Errorf("SubmitOnce of nothing = %v", err)
	}
	if got := r.stored(t); len(got) != 2 {
		t.Errorf("of %v something is stored, want of 2", got)
	}
	// The key lives as long as its extraction.
	if _, err := r.Delete(t.Context(), "acme", first.ID); err != nil {
		t.Fatal(err)
	}
	if e, replayed, err := r.SubmitOnce(t.Context(), submission("y"), "", "billing\nk1"); err != nil || replayed || e.ID == first.ID {
		t.Errorf("the key of a deleted one = %s, replayed %v, %v", e.ID, replayed, err)
	}
}

func TestAdoptOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := submission("")
	s.Document = nil
	first, _, err := r.SubmitOnce(t.Context(), s, "v1", "k")
	if err != nil || first.Vendor.ID != "v1" {
		t.Fatalf("SubmitOnce = %+v, %v", first.Vendor, err)
	}
	if e, replayed, err := r.SubmitOnce(t.Context(), s, "v1", "k"); err != nil || !replayed || e.ID != first.ID {
		t.Errorf("again = %s, replayed %v, %v", e.ID, replayed, err)
	}
	if _, _, err := r.SubmitOnce(t.Context(), s, "v2", "k"); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another vendor id = %v", err)
	}
	for _, odd := range []string{"a b", "\n", "ü", strings.Repeat("x", 129)} {
		if e, _, err := r.SubmitOnce(t.Context(), s, odd, "billing\nodd"); !errors.Is(err, extraction.ErrInvalid) {
			t.Errorf("SubmitOnce of the vendor's id %q = %s, %v, want %v", odd, e.ID, err, extraction.ErrInvalid)
		}
	}
}

// While the document of the first is being received, a second one is told to wait.
func TestSubmitOnceWhileReceiving(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body, feed := io.Pipe()
	s := submission("")
	s.Document = body
	done := make(chan error, 1)
	go func() {
		_, _, err := r.SubmitOnce(t.Context(), s, "", "k")
		done <- err
	}()
	if _, err := feed.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.SubmitOnce(t.Context(), submission("x"), "", "k"); !errors.Is(err, ErrReceiving) {
		t.Errorf("SubmitOnce = %v, want %v", err, ErrReceiving)
	}
	// The mark of the first lapses, as that of a process that hangs: one of the two
	// gives the extraction, and the other one's document goes.
	r.rdb.Del(t.Context(), r.rdb.Keys(t.Context(), "*:rcv:*").Val()...)
	second, replayed, err := r.SubmitOnce(t.Context(), submission("x"), "", "k")
	if err != nil || replayed {
		t.Errorf("SubmitOnce = replayed %v, %v", replayed, err)
	}
	_ = feed.Close()
	if err := <-done; err != nil {
		t.Errorf("the first = %v, want a replay", err)
	}
	if got := r.stored(t); len(got) != 1 || got[0] != second.ID {
		t.Errorf("the document store has %v", got)
	}
}

// Who lost a race under one key learns whether the same was asked, like everyone later.
func TestSubmitOnceRaceWithOtherBytes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body, feed := io.Pipe()
	s := submission("")
	s.Document = body
	done := make(chan error, 1)
	go func() {
		_, _, err := r.SubmitOnce(t.Context(), s, "", "k")
		done <- err
	}()
	if _, err := feed.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	r.rdb.Del(t.Context(), r.rdb.Keys(t.Context(), "*:rcv:*").Val()...) // Its mark lapses.
	if _, _, err := r.SubmitOnce(t.Context(), submission("other bytes"), "", "k"); err != nil {
		t.Fatal(err)
	}
	_ = feed.Close()
	if err := <-done; !errors.Is(err, ErrKeyReused) {
		t.Errorf("the one that lost with other bytes = %v, want %v", err, ErrKeyReused)
	}
}

// Two producers with one id and different bytes: the first that stored its document keeps
// it, whichever of them is slower.
func TestOneIDTwoDocuments(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body, feed := io.Pipe()
	slow := submission("")
	slow.ID, slow.Document = store.NewID(), body
	done := make(chan error, 1)
	go func() {
		_, err := r.Submit(t.Context(), slow)
		done <- err
	}()
	if _, err := feed.Write([]byte("the loser's")); err != nil {
		t.Fatal(err)
	}
	quick := submission("the winner's")
	quick.ID = slow.ID
	if _, err := r.Submit(t.Context(), quick); err != nil {
		t.Fatal(err)
	}
	_ = feed.Close()
	if err := <-done; !errors.Is(err, store.ErrTaken) {
		t.Errorf("the loser = %v, want %v", err, store.ErrTaken)
	}
	if got := r.document(t, slow.ID); got != "the winner's" {
		t.Errorf("the document is %q", got)
	}
	// A crash between the document and the record is repeated with the same bytes.
	again := submission("half done")
	again.ID = store.NewID()
	if _, err := r.blobs.PutDocument(t.Context(), again.ID, strings.NewReader("half done"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Submit(t.Context(), again); err != nil {
		t.Errorf("the same again = %v", err)
	}
}

// The key is one for all accounts, also while the first is being received.
func TestSubmitOnceAtTwoAccounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body, feed := io.Pipe()
	first, other := submission(""), submission("x")
	first.Document, other.Account = body, "other"
	done := make(chan error, 1)
	go func() {
		_, _, err := r.SubmitOnce(t.Context(), first, "", "k")
		done <- err
	}()
	if _, err := feed.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.SubmitOnce(t.Context(), other, "", "k"); !errors.Is(err, ErrReceiving) {
		t.Errorf("SubmitOnce for another account = %v, want %v", err, ErrReceiving)
	}
	_ = feed.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.SubmitOnce(t.Context(), other, "", "k"); !errors.Is(err, ErrKeyReused) {
		t.Errorf("SubmitOnce for another account afterwards = %v, want %v", err, ErrKeyReused)
	}
}

// Of many at once, one gives the extraction.
func TestSubmitOnceAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var mu sync.Mutex
	ids := map[string]bool{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			e, _, err := r.SubmitOnce(t.Context(), submission("x"), "", "k")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				ids[e.ID] = true
			} else if !errors.Is(err, ErrReceiving) {
				t.Errorf("SubmitOnce = %v", err)
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("%d extractions, want 1", len(ids))
	}
	for rec, err := range r.records.List(t.Context(), []string{"acme"}, extraction.Filter{}, store.Cursor{}) {
		if err != nil || !ids[rec.ID] {
			t.Errorf("there is also %s, %v", rec.ID, err)
		}
	}
}

func TestSubmitAboveBacklog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := submission("x")
	s.MaxBacklog = 1
	if _, err := r.Submit(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	s.Document = strings.NewReader("y")
	if _, err := r.Submit(t.Context(), s); !errors.Is(err, store.ErrBacklog) {
		t.Errorf("Submit = %v, want %v", err, store.ErrBacklog)
	}
	if files, err := os.ReadDir(r.dir); len(files) != 1 || err != nil {
		t.Errorf("the document store has %v, %v", files, err)
	}
}

// stored are the ids of which the document store has anything.
func (r *rig) stored(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		if validID(f.Name()) {
			out = append(out, f.Name())
		}
	}
	return out
}

// A Redis that has forgotten an idempotency key costs no second extraction: the document
// store knows the key for as long as its extraction is there.
func TestSubmitOnceAfterALoss(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, _, err := r.SubmitOnce(t.Context(), submission("x"), "", "k")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // Redis has forgotten all of it, and then nothing.
		again, replayed, err := r.SubmitOnce(t.Context(), submission("x"), "", "k")
		if err != nil || !replayed || again.ID != first.ID {
			t.Errorf("SubmitOnce = %s, replayed %v, %v; want %s", again.ID, replayed, err, first.ID)
		}
		if err := r.rdb.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := r.SubmitOnce(t.Context(), submission("y"), "", "k"); !errors.Is(err, ErrKeyReused) {
		t.Errorf("SubmitOnce of another document = %v, want %v", err, ErrKeyReused)
	}
	if _, err := r.Delete(t.Context(), "acme", first.ID); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(r.dir); len(files) != 0 || err != nil {
		t.Errorf("after the deletion the document store has %v, %v", files, err)
	}
	if e, replayed, err := r.SubmitOnce(t.Context(), submission("x"), "", "k"); err != nil || replayed || e.ID == first.ID {
		t.Errorf("the key of a deleted one = %s, replayed %v, %v", e.ID, replayed, err)
	}
}
