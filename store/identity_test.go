package store

import (
	"os"
	"sync"
	"testing"

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
		r.want("Pair of two new ones, and again", Pair(t.Context(), r.s, b, false), nil)
	}
	r.want("Pair of another two", Pair(t.Context(), other.s, foreign, false), nil)
	before := r.dump()
	r.want("Pair with an empty store", Pair(t.Context(), r.s, empty, false), ErrOtherStore)
	r.want("Pair with a foreign store", Pair(t.Context(), r.s, foreign, false), ErrOtherStore)
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
	r.want("Pair with a Redis of a newer version", Pair(t.Context(), newer.s, empty, false), ErrNewer)
}

// A Redis that lost everything goes on with the store, but does not clean it up:
// what is there may be wanted.
func TestPairAfterLoss(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := openFile(t, t.TempDir())
	r.want("Pair", Pair(t.Context(), r.s, b, true), nil)
	if ours, err := paired(t.Context(), r.s, b); !ours || err != nil {
		t.Errorf("paired = %v, %v", ours, err)
	}
	if err := r.rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if ours, err := paired(t.Context(), r.s, b); ours || err != nil {
		t.Errorf("paired with an empty Redis = %v, %v", ours, err)
	}
	r.want("Pair after the loss", Pair(t.Context(), r.s, b, false), nil)
	if ours, err := paired(t.Context(), r.s, b); ours || err != nil {
		t.Errorf("paired after the loss = %v, %v", ours, err)
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
			r.want(tt.what, Pair(t.Context(), r.s, b, tt.own), nil)
			if ours, err := paired(t.Context(), r.s, b); ours != tt.ours || err != nil {
				t.Errorf("%s: paired = %v, %v, want %v", tt.what, ours, err, tt.ours)
			}
		}
	}
	r, server, b := newRig(t), newRig(t), openFile(t, t.TempDir())
	r.want("Pair of a server", Pair(t.Context(), server.s, b, false), nil)
	r.want("Pair of a run beside it", Pair(t.Context(), r.s, b, true), nil)
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
			if err := Pair(t.Context(), s, b, false); err != nil {
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
	if err := Pair(t.Context(), s, openFile(t, dir), false); err == nil {
		t.Error("Pair with half an identity worked")
	}
}
