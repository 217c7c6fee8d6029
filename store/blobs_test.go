package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
)

// eachBlobs runs a test on a file store and on one in memory. dir is empty for
// the latter.
func eachBlobs(t *testing.T, f func(t *testing.T, b *Blobs, dir string)) {
	t.Helper()
	for _, kind := range []string{"file", "mem", "s3"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir, url := "", "mem://"
			if kind == "file" {
				dir = filepath.Join(t.TempDir(), "a", "b")
				url = "file://" + dir
			}
			if kind == "s3" {
				url = startS3(t)
			}
			b, err := OpenBlobs(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = b.Close() })
			f(t, b, dir)
		})
	}
}

func readDocument(t *testing.T, b *Blobs, id string) (string, error) {
	t.Helper()
	r, err := b.OpenDocument(t.Context(), id)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	body, err := io.ReadAll(r)
	return string(body), err
}

// files are all files below dir, by their path from it.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	if dir == "" {
		return nil
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, name)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPutDocument(t *testing.T) {
	t.Parallel()
	big := make([]byte, 3<<20)
	_, _ = rand.Read(big)
	for name, body := range map[string][]byte{
		"empty": {}, "one byte": {0}, "small": []byte("%PDF-1.7 the document"), "exactly the head": big[:1024], "big": big,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachBlobs(t, func(t *testing.T, b *Blobs, dir string) {
				sum := sha256.Sum256(body)
				want := Stored{
					Bytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), Head: body[:min(1024, len(body))],
				}
				// A reader that gives little at a time must not matter.
				got, err := b.PutDocument(t.Context(), "ID1", iotest.HalfReader(bytes.NewReader(body)), int64(len(body)))
				if err != nil || !bytes.Equal(got.Head, want.Head) || got.Bytes != want.Bytes || got.SHA256 != want.SHA256 {
					t.Errorf("PutDocument = %d bytes, %s, %v, want %d, %s", got.Bytes, got.SHA256, err, want.Bytes, want.SHA256)
				}
				if back, err := readDocument(t, b, "ID1"); err != nil || back != string(body) {
					t.Errorf("OpenDocument gave %d bytes, %v, want %d", len(back), err, len(body))
				}
				if dir != "" && !cmp.Equal(files(t, dir), []string{filepath.Join("ID1", "document")}) {
					t.Errorf("files %v, want the document alone", files(t, dir))
				}
			})
		})
	}
}

// What ends early leaves nothing that a reader could take for the document.
func TestPutDocumentCutShort(t *testing.T) {
	t.Parallel()
	reset := errors.New("reset")
	half := func(then func() error) io.Reader {
		return io.MultiReader(strings.NewReader(strings.Repeat("x", 100_000)), readerFunc(func([]byte) (int, error) {
			return 0, then()
		}))
	}
	eachBlobs(t, func(t *testing.T, b *Blobs, dir string) {
		ctx, cancel := context.WithCancel(t.Context())
		for _, tt := range []struct {
			name  string
			body  io.Reader
			limit int64
			want  error
		}{
			{"reader error", half(func() error { return reset }), 0, reset},
			{"too large", strings.NewReader("12345"), 4, ErrTooLarge},
			{"too large at once", strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20 - 1, ErrTooLarge},
			{"cancelled", half(func() error { cancel(); return io.EOF }), 0, context.Canceled},
		} {
			_, err := b.PutDocument(ctx, "ID1", tt.body, tt.limit)
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: PutDocument = %v, want %v", tt.name, err, tt.want)
			}
			if _, err := readDocument(t, b, "ID1"); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s: OpenDocument = %v, want not found", tt.name, err)
			}
			if got := files(t, dir); len(got) > 0 {
				t.Errorf("%s: left %v", tt.name, got)
			}
			if dir == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(dir, "ID1")); !os.IsNotExist(err) {
				t.Errorf("%s: left an empty folder", tt.name)
			}
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// While a document is written, a reader sees nothing of it.
func TestPutDocumentUnseen(t *testing.T) {
	t.Parallel()
	eachBlobs(t, func(t *testing.T, b *Blobs, _ string) {
		pr, pw := io.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := b.PutDocument(context.Background(), "ID1", pr, 0)
			done <- err
		}()
		if _, err := pw.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
			t.Fatal(err)
		}
		if _, err := readDocument(t, b, "ID1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("OpenDocument in the middle = %v, want not found", err)
		}
		_ = pw.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got, err := readDocument(t, b, "ID1"); err != nil || len(got) != 1<<20 {
			t.Errorf("OpenDocument = %d bytes, %v", len(got), err)
		}
	})
}

func TestResultRoundTrip(t *testing.T) {
	t.Parallel()
	half, page := 0.5, 2
	want := extraction.NewResult([]byte(`{"a":[1,2]}`))
	want.Fields["total"] = []extraction.Value{{
		Value: "12.50", Type: extraction.TypeString, Text: "12,50", Unit: "$", Confidence: &half, Page: &page,
		Box: &extraction.Box{X: 1, Width: 2}, Alternatives: []extraction.Value{},
	}}
	want.Tables["items"] = []extraction.Row{{"price": {}}}
	want.Warnings = append(want.Warnings, extraction.Warning{Field: "f", Code: "c", Message: "m"})
	eachBlobs(t, func(t *testing.T, b *Blobs, _ string) {
		if _, err := b.Result(t.Context(), "ID1", 3, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("Result = %v, want not found", err)
		}
		if _, err := b.PutResult(t.Context(), "ID1", 3, want); err != nil {
			t.Fatal(err)
		}
		got, err := b.Result(t.Context(), "ID1", 3, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
		if _, err := b.Result(t.Context(), "ID1", 4, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("Result of another seq = %v, want not found", err)
		}
		if err := b.DeleteResult(t.Context(), "ID1", 3); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteResult(t.Context(), "ID1", 3); err != nil {
			t.Errorf("DeleteResult again = %v", err)
		}
		if _, err := b.Result(t.Context(), "ID1", 3, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("Result after its deletion = %v, want not found", err)
		}
	})
}

// lostAnswer is a result whose answer is lost when half of it is written.
type lostAnswer struct{}

func (lostAnswer) WriteJSON(w io.Writer) error {
	_, err := io.WriteString(w, `{"fields":`)
	return errors.Join(err, &transfer.SpoolError{Err: io.ErrUnexpectedEOF})
}

// A result that has no JSON form, and a cancelled context, leave nothing.
func TestPutResultCutShort(t *testing.T) {
	t.Parallel()
	eachBlobs(t, func(t *testing.T, b *Blobs, dir string) {
		bad := extraction.NewResult([]byte(`{not json`))
		if _, err := b.PutResult(t.Context(), "ID1", 1, bad); !errors.Is(err, ErrEncode) {
			t.Errorf("PutResult of bad JSON: %v, want ErrEncode", err)
		}
		// Half of a result is none, and an answer that cannot be read again is no verdict on it.
		if _, err := b.PutResult(t.Context(), "ID1", 1, lostAnswer{}); err == nil || errors.Is(err, ErrEncode) {
			t.Errorf("PutResult of an answer that is lost: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.PutResult(ctx, "ID1", 1, extraction.NewResult([]byte(`{}`))); err == nil {
			t.Error("PutResult with a cancelled context worked")
		}
		if _, err := b.Result(t.Context(), "ID1", 1, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("Result = %v, want not found", err)
		}
		if got := files(t, dir); len(got) > 0 {
			t.Errorf("left %v", got)
		}
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	eachBlobs(t, func(t *testing.T, b *Blobs, dir string) {
		ctx := t.Context()
		put := func(id string) {
			if _, err := b.PutDocument(ctx, id, strings.NewReader("x"), 0); err != nil {
				t.Fatal(err)
			}
			for seq := range int64(3) {
				if _, err := b.PutResult(ctx, id, seq, extraction.NewResult([]byte(`1`))); err != nil {
					t.Fatal(err)
				}
			}
		}
		put("ID1")
		put("ID10") // Has the other's id as a prefix.
		if dir != "" {
			// What a crash in the middle of a write leaves goes as well.
			if err := os.WriteFile(filepath.Join(dir, "ID1", "document.tmp123"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if err := b.Delete(ctx, "ID1"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := readDocument(t, b, "ID1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("OpenDocument = %v, want not found", err)
		}
		if got, err := readDocument(t, b, "ID10"); err != nil || got != "x" {
			t.Errorf("the other document = %q, %v", got, err)
		}
		if err := b.DeleteDocument(ctx, "ID10"); err != nil {
			t.Fatal(err)
		}
		if err := b.DeleteDocument(ctx, "ID10"); err != nil {
			t.Errorf("DeleteDocument again = %v", err)
		}
		if _, err := b.Result(ctx, "ID10", 1, ""); err != nil {
			t.Errorf("the other's result = %v", err)
		}
		if dir == "" {
			return
		}
		if _, err := os.Stat(filepath.Join(dir, "ID1")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the folder is still there: %v, %v", err, files(t, dir))
		}
	})
}

// The store is the operator's alone.
func TestFileModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "store")
	b, err := OpenBlobs(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutDocument(t.Context(), "ID1", strings.NewReader("x"), 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, filepath.Join(dir, "ID1")} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, want 0700", filepath.Base(name), info.Mode())
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "ID1", "document")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the document has mode %v, %v, want 0600", info.Mode(), err)
	}
}

func TestOpenBlobsBadURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "file://", "file://relative/path", "nosuch://bucket", "s3://bucket?nosuch=1", "gs://bucket", "/plain/path", "file:relative", "http://x", "%", "mem"} {
		if b, err := OpenBlobs(t.Context(), url); err == nil {
			t.Errorf("OpenBlobs(%q) worked", url)
			_ = b.Close()
		}
	}
}

// Two stores of one process do not see each other; one file store opened twice
// does.
func TestOpenBlobsTwice(t *testing.T) {
	t.Parallel()
	url := "file://" + t.TempDir()
	a, err := OpenBlobs(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBlobs(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := a.PutDocument(context.Background(), "ID1", strings.NewReader(strings.Repeat("x", 1000+i)), 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, err := readDocument(t, b, "ID1"); err != nil || len(got) < 1000 {
		t.Errorf("OpenDocument = %d bytes, %v", len(got), err)
	}
}

// A document on its way in or out costs a small buffer, whatever its size: a
// thousand of them must fit into the memory.
func TestDocumentsTakeLittleMemory(t *testing.T) {
	b, err := OpenBlobs(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	body, id := bytes.Repeat([]byte("x"), 4<<20), NewID()
	for what, do := range map[string]func(id string) error{
		"in": func(id string) error {
			_, err := b.PutDocument(t.Context(), id, bytes.NewReader(body), 0)
			return err
		},
		"out": func(string) error {
			r, err := b.OpenDocument(t.Context(), id)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r)
			return errors.Join(err, r.Close())
		},
	} {
		if _, err := b.PutDocument(t.Context(), id, bytes.NewReader(body), 0); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := do(NewID()); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<10 {
			t.Errorf("a document of 4 MiB on its way %s allocates %d KiB", what, n>>10)
		}
	}
}
