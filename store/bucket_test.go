package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

func eachBucket(t *testing.T, f func(t *testing.T, b Bucket)) {
	t.Helper()
	eachBlobs(t, func(t *testing.T, b *Blobs, _ string) { f(t, b.bucket) })
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func blobText(t *testing.T, b Bucket) string {
	t.Helper()
	const key = "A/1"
	body, size, err := b.Open(t.Context(), key)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	out, err := io.ReadAll(body)
	if err != nil || int64(len(out)) != size {
		t.Errorf("%s has %d bytes, %v, want %d", key, len(out), err, size)
	}
	return string(out)
}

func keysOf(t *testing.T, b Bucket, folder string) []string {
	t.Helper()
	var out []string
	for o, err := range b.List(t.Context(), folder) {
		if err != nil {
			t.Fatal(err)
		}
		if there, err := b.Stat(t.Context(), o.Key); err != nil || there != o {
			t.Errorf("listed as %+v, found as %+v, %v", o, there, err)
		}
		out = append(out, o.Key)
	}
	return out
}

func TestBucket(t *testing.T) {
	t.Parallel()
	eachBucket(t, func(t *testing.T, b Bucket) {
		ctx := t.Context()
		for _, key := range []string{"B/document", "A/2", "A/1", "identity", "AB/1"} {
			if err := b.Write(ctx, key, false, text(key)); err != nil {
				t.Fatal(err)
			}
		}
		if got := keysOf(t, b, ""); !slices.Equal(got, []string{"A/1", "A/2", "AB/1", "B/document", "identity"}) {
			t.Errorf("listed %v", got)
		}
		if got := keysOf(t, b, "A"); !slices.Equal(got, []string{"A/1", "A/2"}) {
			t.Errorf("listed %v of A", got)
		}
		if got := keysOf(t, b, "C"); len(got) != 0 {
			t.Errorf("listed %v of a folder that is not there", got)
		}
		broken := errors.New("broken")
		if err := b.Write(ctx, "A/1", false, func(w io.Writer) error { return errors.Join(text("half")(w), broken) }); !errors.Is(err, broken) {
			t.Errorf("write = %v, want %v", err, broken)
		}
		if err := b.Write(ctx, "A/1", true, text("second")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("write once = %v, want %v", err, fs.ErrExist)
		}
		if got := blobText(t, b); got != "A/1" {
			t.Errorf("A/1 is %q", got)
		}
		if err := b.Write(ctx, "A/1", false, text("third")); err != nil || blobText(t, b) != "third" {
			t.Errorf("A/1 is %q, %v, want what replaced it", blobText(t, b), err)
		}
		if err := b.Remove(ctx, "A/1"); err != nil || blobText(t, b) != "none" {
			t.Errorf("remove = %v, left %q", err, blobText(t, b))
		}
		_, statErr := b.Stat(ctx, "A/1")
		for what, err := range map[string]error{"remove": b.Remove(ctx, "A/1"), "stat": statErr} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s of what is gone = %v", what, err)
			}
		}
		if got := keysOf(t, b, ""); !slices.Equal(got, []string{"A/2", "AB/1", "B/document", "identity"}) {
			t.Errorf("left %v", got)
		}
	})
}

// Of many that write a blob once, one does, and its bytes stay.
func TestBucketWritesOnce(t *testing.T) {
	t.Parallel()
	eachBucket(t, func(t *testing.T, b Bucket) {
		var first atomic.Value
		var all sync.WaitGroup
		for n := range 16 {
			all.Go(func() {
				err := b.Write(t.Context(), "A/1", true, text(strconv.Itoa(n)))
				switch {
				case err == nil && !first.CompareAndSwap(nil, strconv.Itoa(n)):
					t.Errorf("both %v and %d wrote it", first.Load(), n)
				case err != nil && !errors.Is(err, fs.ErrExist):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := blobText(t, b); got != first.Load() {
			t.Errorf("it is %q, want %v", got, first.Load())
		}
		if got := keysOf(t, b, ""); len(got) != 1 {
			t.Errorf("listed %v", got)
		}
	})
}

// A blob that is replaced again and again, and whose folder is removed whenever it is empty,
// is in each list, and each write works.
func TestFileBucketInMotion(t *testing.T) {
	t.Parallel()
	f, err := openFileBucket(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(t.Context(), "A/1", false, text("x")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() {
		for ctx.Err() == nil {
			if err := f.Write(ctx, "A/1", false, text("x")); err != nil {
				t.Error(err)
			}
		}
	})
	others.Go(func() {
		for ctx.Err() == nil {
			_ = os.Remove(filepath.Join(f.dir, "B"))
		}
	})
	for range 50 {
		if err := f.Write(t.Context(), "B/1", false, text("y")); err != nil {
			t.Error(err)
		}
		if err := f.Remove(t.Context(), "B/1"); err != nil {
			t.Error(err)
		}
		found := false
		for o, err := range f.List(t.Context(), "") {
			if err != nil {
				t.Error(err)
			}
			found = found || o.Key == "A/1"
		}
		if !found {
			t.Error("a list is without A/1")
		}
	}
	cancel()
	others.Wait()
}

// A directory that is gone is not made anew, and no key leads out of it.
func TestFileBucketStaysInside(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	f, err := openFileBucket(filepath.Join(outside, "documents"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", ".", "..", "../x", "A/../../x", "/x", "A//1", "A/", "A/./1"} {
		if err := f.Write(t.Context(), key, false, text("x")); err == nil {
			t.Errorf("%q was written", key)
		}
		if _, _, err := f.Open(t.Context(), key); err == nil {
			t.Errorf("%q was opened", key)
		}
		if err := f.Remove(t.Context(), key); err == nil {
			t.Errorf("%q was removed", key)
		}
	}
	if err := os.Remove(f.dir); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"identity", "A/1"} {
		if err := f.Write(t.Context(), key, false, text("x")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("write %s = %v, want %v", key, err, fs.ErrNotExist)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 0 {
		t.Errorf("there is %v, %v", left, err)
	}
	for _, err := range f.List(t.Context(), "") {
		if err == nil {
			t.Error("a list of a directory that is gone works")
		}
	}
}
