package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// A store whose directory goes away or is replaced under a running process is not
// written beside, says "not found" of nothing, and is used again when it is back.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := filepath.Join(t.TempDir(), "documents")
	b := openFile(t, dir)
	r.pair(b)
	id := NewID()
	put := func(id string) error {
		_, err := b.PutDocument(t.Context(), id, strings.NewReader("x"), 0)
		return err
	}
	r.want("PutDocument", put(id), nil)

	away := dir + "-away"
	foreign := newRig(t)
	for what, replace := range map[string]func() error{
		"nothing":         func() error { return nil },
		"an empty folder": func() error { return os.Mkdir(dir, 0o700) },
		"a foreign store": func() error { foreign.pair(openFile(t, dir)); return nil },
	} {
		if err := os.Rename(dir, away); err != nil {
			t.Fatal(err)
		}
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		r.want(what+": PutDocument", put(NewID()), ErrStoreGone)
		_, err := b.PutResult(t.Context(), id, 1, &extraction.Result{})
		r.want(what+": PutResult", err, ErrStoreGone)
		r.want(what+": Delete", b.Delete(t.Context(), id), ErrStoreGone)
		r.want(what+": DeleteDocument", b.DeleteDocument(t.Context(), id), ErrStoreGone)
		_, err = b.HasDocument(t.Context(), id)
		r.want(what+": HasDocument", err, ErrStoreGone)
		_, err = b.OpenDocument(t.Context(), id)
		r.want(what+": OpenDocument", err, ErrStoreGone)
		if err := CheckPair(t.Context(), r.s, b); err == nil {
			t.Errorf("%s: CheckPair is content", what)
		}
		if after := tree(t, dir); len(after) != len(before) {
			t.Errorf("%s: written beside: %v", what, after)
		}
		if err := errors.Join(os.RemoveAll(dir), os.Rename(away, dir)); err != nil {
			t.Fatal(err)
		}
		r.want(what+": PutDocument when it is back", put(id), nil)
	}
}

// A directory that is replaced during a write is noticed before the write counts, even by
// one with the same identity.
func TestStoreReplacedDuringWrite(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := filepath.Join(t.TempDir(), "documents")
	b := openFile(t, dir)
	r.pair(b)
	body, err := os.ReadFile(filepath.Join(dir, identityKey))
	if err != nil {
		t.Fatal(err)
	}
	before, err := b.directory()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(dir, dir+"-away"), os.Mkdir(dir, 0o700),
		os.WriteFile(filepath.Join(dir, identityKey), body, 0o600)); err != nil {
		t.Fatal(err)
	}
	r.want("still", b.still(before), ErrStoreGone)
}

// A write notices at its end that a copy has taken the place of its directory meanwhile.
func TestWriteIntoAReplacedStore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dir := filepath.Join(t.TempDir(), "documents")
	b := openFile(t, dir)
	r.pair(b)
	err := b.fill(t.Context(), documentKey("ID1"), false, func(w io.Writer) error {
		_, err := w.Write([]byte("a document"))
		return errors.Join(err, os.Rename(dir, dir+"-away"), os.CopyFS(dir, os.DirFS(dir+"-away")))
	})
	r.want("a write into a store that was replaced", err, ErrStoreGone)
}

// tree is all there is in a directory, which may be missing.
func tree(t *testing.T, dir string) (out []string) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			out = append(out, path)
		}
		return nil
	})
	return out
}

// pair gives both an identity, and holds the store to it.
func (r *rig) pair(b *Blobs) {
	r.t.Helper()
	id := identity{Store: NewID(), Redis: NewID()}
	r.want("write the store's side", b.identify(r.t.Context(), id), nil)
	r.want("write Redis's side", r.rdb.HSet(r.t.Context(), metaKey, metaStore, id.Store, metaRedis, id.Redis).Err(), nil)
	r.want("Hold", b.Hold(r.t.Context(), r.s), nil)
}
