package store

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/redistest"
)

func openFile(t *testing.T, dir string) *Blobs {
	t.Helper()
	b, err := OpenBlobs(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPair(t *testing.T) {
	t.Parallel()
	r, other := newRig(t), newRig(t)
	b, empty, foreign := openFile(t, t.TempDir()), openFile(t, t.TempDir()), openFile(t, t.TempDir())
	for range 2 {
		r.want("Pair of two new ones, and again", Pair(t.Context(), r.s, b, Terms{}), nil)
	}
	r.want("Pair of another two", Pair(t.Context(), other.s, foreign, Terms{}), nil)
	before := r.dump()
	r.want("Pair with an empty store", Pair(t.Context(), r.s, empty, Terms{}), ErrOtherStore)
	r.want("Pair with a foreign store", Pair(t.Context(), r.s, foreign, Terms{}), ErrOtherStore)
	if after := r.dump(); len(after) != 1 || after[metaKey] != before[metaKey] {
		t.Errorf("a refusal changed Redis to %v", after)
	}
	if id, err := empty.identity(t.Context()); id != (identity{}) || err != nil {
		t.Errorf("the refused store is now %v, %v", id, err)
	}
	newer := newRig(t)
	if err := newer.rdb.HSet(t.Context(), metaKey, metaVersion, recordVersion+1).Err(); err != nil {
		t.Fatal(err)
	}
	r.want("Pair with a Redis of a newer version", Pair(t.Context(), newer.s, empty, Terms{}), ErrNewer)
}

// A Redis that lost everything does not go on beside a store that holds extractions
// until an operator accepts that, and nothing older than that moment is swept then.
func TestPairAfterLoss(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		r, dir := newRig(t), t.TempDir()
		b := openFile(t, dir)
		r.want("Pair", Pair(t.Context(), r.s, b, Terms{Own: own}), nil)
		lost := NewID()
		put := func(id string) {
			if _, err := b.PutDocument(t.Context(), id, strings.NewReader("x"), 0); err != nil {
				t.Fatal(err)
			}
		}
		put(lost)
		for range 2 {
			if err := r.rdb.FlushDB(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			r.want("Pair after the loss", Pair(t.Context(), r.s, b, Terms{Own: own}), ErrEmptyRedis)
			if left := r.dump(); len(left) != 0 {
				t.Errorf("a refusal wrote %v", left)
			}
			r.want("Pair that accepts it", Pair(t.Context(), r.s, b, Terms{Own: own, AcceptEmpty: true}), nil)
			r.want("Pair after that", Pair(t.Context(), r.s, b, Terms{Own: own}), nil)
			if ours, err := paired(t.Context(), r.s, b); !ours || err != nil {
				t.Errorf("paired once it was accepted = %v, %v", ours, err)
			}
			time.Sleep(10 * time.Millisecond) // The store's clock has ticks.
			later := NewID()
			put(later)
			n, err := deleteUnreferenced(t, r.s, b, 0)
			if n != 1 || err != nil {
				t.Errorf("DeleteUnreferenced = %d, %v, want 1", n, err)
			}
			if left := blobFiles(t, dir); len(left) != 1 || left[0] != lost+"/document" {
				t.Errorf("left are %v, want what was there when the empty Redis was accepted", left)
			}
		}
	}
}

// The first of two Redises that were accepted does not get the store back.
func TestPairOfAnEarlierRedis(t *testing.T) {
	t.Parallel()
	first, second, b := newRig(t), newRig(t), openFile(t, t.TempDir())
	if _, err := b.PutDocument(t.Context(), NewID(), strings.NewReader("x"), 0); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*rig{first, second} {
		time.Sleep(10 * time.Millisecond)
		r.want("Pair without acceptance", Pair(t.Context(), r.s, b, Terms{}), ErrEmptyRedis)
		r.want("Pair", Pair(t.Context(), r.s, b, Terms{AcceptEmpty: true}), nil)
	}
	first.want("Pair of the first again", Pair(t.Context(), first.s, b, Terms{AcceptEmpty: true}), nil)
	for r, want := range map[*rig]bool{first: false, second: true} {
		if ours, err := paired(t.Context(), r.s, b); ours != want || err != nil {
			t.Errorf("paired = %v, %v, want %v", ours, err, want)
		}
	}
}

// A Redis in memory is meant to forget: it sweeps what the one before it left, and
// nothing that another kind may want.
func TestPairInMemory(t *testing.T) {
	t.Parallel()
	memory := Terms{Own: true, Volatile: true}
	b := openFile(t, t.TempDir())
	put := func() {
		if _, err := b.PutDocument(t.Context(), NewID(), strings.NewReader("x"), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		what  string
		terms Terms
		ours  bool
		swept int
	}{
		{"the first, which does not know whose it finds", memory, true, 0},
		{"the next", memory, true, 2},
		{"a persistent one after it", Terms{Own: true}, true, 0},
		{"one in memory after that", memory, false, 0},
	} {
		put()
		r := newRig(t)
		r.want(tt.what, Pair(t.Context(), r.s, b, tt.terms), nil)
		time.Sleep(10 * time.Millisecond)
		if ours, err := paired(t.Context(), r.s, b); ours != tt.ours || err != nil {
			t.Errorf("%s: paired = %v, %v, want %v", tt.what, ours, err, tt.ours)
		}
		n, err := deleteUnreferenced(t, r.s, b, 0)
		if n != tt.swept || err != nil && tt.ours {
			t.Errorf("%s: DeleteUnreferenced = %d, %v, want %d", tt.what, n, err, tt.swept)
		}
		put()
	}
}

// A Redis that lives in the store's directory takes over from the one that lived
// there before, and from no other: a run with a server's data directory must not
// clean up what the server's Redis wants.
func TestPairOfItsOwn(t *testing.T) {
	t.Parallel()
	b := openFile(t, t.TempDir())
	for _, tt := range []struct {
		what      string
		own, ours bool
	}{
		{"the first, embedded", true, true},
		{"the next embedded one", true, true},
		{"a server's", false, false},
		{"an embedded one after it", true, false},
	} {
		r := newRig(t)
		for range 2 {
			r.want(tt.what, Pair(t.Context(), r.s, b, Terms{Own: tt.own}), nil)
			if ours, err := paired(t.Context(), r.s, b); ours != tt.ours || err != nil {
				t.Errorf("%s: paired = %v, %v, want %v", tt.what, ours, err, tt.ours)
			}
		}
	}
	r, server, b := newRig(t), newRig(t), openFile(t, t.TempDir())
	r.want("Pair of a server", Pair(t.Context(), server.s, b, Terms{}), nil)
	r.want("Pair of a run beside it", Pair(t.Context(), r.s, b, Terms{Own: true}), nil)
	for s, want := range map[*Records]bool{server.s: true, r.s: false} {
		if ours, err := paired(t.Context(), s, b); ours != want || err != nil {
			t.Errorf("paired = %v, %v, want %v", ours, err, want)
		}
	}
}

// Of many processes that start at once, all agree, or those with another store
// are refused.
func TestPairAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		b := openFile(t, dir)
		wg.Go(func() {
			s, err := NewRecords(r.rdb)
			if err != nil {
				t.Error(err)
				return
			}
			if err := Pair(t.Context(), s, b, Terms{}); err != nil {
				t.Errorf("Pair: %v", err)
			}
		})
	}
	wg.Wait()
	if ours, err := paired(t.Context(), r.s, openFile(t, dir)); !ours || err != nil {
		t.Errorf("paired = %v, %v", ours, err)
	}
}

func TestPairBrokenIdentity(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	s, err := NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/"+identityKey, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Pair(t.Context(), s, openFile(t, dir), Terms{}); err == nil {
		t.Error("Pair with half an identity worked")
	}
}
