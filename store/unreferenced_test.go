package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

// blobFiles are the blobs in a directory, by name.
func blobFiles(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != identityKey {
			out = append(out, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDeleteUnreferenced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := t.TempDir()
	b := openFile(t, dir)
	if err := Pair(t.Context(), r.s, b, Terms{}); err != nil {
		t.Fatal(err)
	}
	put := func(id string, seqs ...int64) {
		t.Helper()
		if _, err := b.PutDocument(t.Context(), id, strings.NewReader("x"), 0); err != nil {
			t.Fatal(err)
		}
		for _, seq := range seqs {
			if _, err := b.PutResult(t.Context(), id, seq, extraction.NewResult([]byte(`{}`))); err != nil {
				t.Fatal(err)
			}
		}
	}
	done, running, orphan := r.finished(extraction.StatusSuccess), r.polling(), NewID()
	seq := r.get(done).ResultSeq
	put(done.Input.ID, seq, seq+1) // The second is of a worker that lost the race.
	put(running.Input.ID, 7)       // It had ended, unless Redis has gone back in time.
	put(orphan, 1)
	all := blobFiles(t, dir)

	n, err := deleteUnreferenced(t, r.s, b, UnreferencedAfter)
	if n != 0 || err != nil || len(blobFiles(t, dir)) != len(all) {
		t.Errorf("DeleteUnreferenced of young blobs = %d, %v", n, err)
	}
	// What is not an extraction's is not ours to delete.
	foreign := filepath.Join(dir, "photos", "cat.jpg")
	if err := os.MkdirAll(filepath.Dir(foreign), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-UnreferencedAfter - time.Minute)
	for _, name := range blobFiles(t, dir) {
		if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	young := NewID()
	put(young)
	n, err = deleteUnreferenced(t, r.s, b, UnreferencedAfter)
	if n != 3 || err != nil {
		t.Errorf("DeleteUnreferenced = %d, %v, want 3", n, err)
	}
	want := []string{
		documentKey(done.Input.ID), resultKey(done.Input.ID, seq), documentKey(running.Input.ID), resultKey(running.Input.ID, 7),
		documentKey(young), "photos/cat.jpg",
	}
	got := blobFiles(t, dir)
	sort := cmp.Transformer("set", func(s []string) map[string]bool {
		m := map[string]bool{}
		for _, v := range s {
			m[v] = true
		}
		return m
	})
	if diff := cmp.Diff(want, got, sort); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(filepath.Join(dir, orphan)); !os.IsNotExist(err) {
		t.Errorf("the folder of an unreferenced one is still there: %v", err)
	}

	// Without its records, Redis knows nothing, and nothing is deleted.
	if err := r.rdb.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n, err = deleteUnreferenced(t, r.s, b, UnreferencedAfter)
		r.want("DeleteUnreferenced without records", err, ErrNotOurs)
		if left := blobFiles(t, dir); n != 0 || len(left) != len(want) {
			t.Errorf("DeleteUnreferenced without records deleted %d and left %v", n, left)
		}
		r.want("Pair", Pair(t.Context(), r.s, b, Terms{}), ErrEmptyRedis)
	}
}

// More extractions than fit into one page.
func TestDeleteUnreferencedPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b, err := OpenBlobs(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	if err := Pair(t.Context(), r.s, b, Terms{}); err != nil {
		t.Fatal(err)
	}
	const n = unreferencedPage + 20
	for range n {
		if _, err := b.PutDocument(t.Context(), NewID(), strings.NewReader("x"), 0); err != nil {
			t.Fatal(err)
		}
	}
	kept := r.create()
	if _, err := b.PutDocument(t.Context(), kept.Input.ID, strings.NewReader("x"), 0); err != nil {
		t.Fatal(err)
	}
	got, err := deleteUnreferenced(t, r.s, b, 0)
	if got != n || err != nil {
		t.Errorf("DeleteUnreferenced = %d, %v, want %d", got, err, n)
	}
	if has, err := b.HasDocument(t.Context(), kept.Input.ID); !has || err != nil {
		t.Errorf("a referenced document is there: %v, %v", has, err)
	}
}

// deleteUnreferenced is DeleteUnreferenced, of which only the count of blobs counts.
func deleteUnreferenced(t *testing.T, s *Records, b *Blobs, age time.Duration) (int, error) {
	t.Helper()
	swept, err := DeleteUnreferenced(t.Context(), s, b, age, testKept.Record)
	return swept.Deleted, err
}
