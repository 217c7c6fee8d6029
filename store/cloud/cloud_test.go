package cloud

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/extractq/extractq/internal/s3test"
	"github.com/extractq/extractq/store"
)

func opened(t *testing.T, url string) bucket {
	t.Helper()
	b, err := open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b.(bucket)
}

func text(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(b)}) // In the pieces that io.Copy makes.
		return err
	}
}

func content(t *testing.T, b bucket, key string) []byte {
	t.Helper()
	r, size, err := b.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	out, err := io.ReadAll(r)
	if err != nil || int64(len(out)) != size {
		t.Errorf("%s has %d bytes, %v, want %d", key, len(out), err, size)
	}
	return out
}

// Blobs of every size come back as they were, also those that are written by parts, and those
// that are written once are written once.
func TestSizes(t *testing.T) {
	t.Parallel()
	b := opened(t, s3test.Start(t))
	for _, size := range []int{0, 1, whole - 1, whole, whole + 1, part, part + 1, 3*part + 17} {
		for _, once := range []bool{false, true} {
			key := fmt.Sprintf("A/%d%v", size, once)
			body := make([]byte, size)
			_, _ = rand.Read(body)
			if err := b.Write(t.Context(), key, once, text(body)); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			if !bytes.Equal(content(t, b, key), body) {
				t.Errorf("%s is another", key)
			}
			if err := b.Write(t.Context(), key, true, text(make([]byte, size))); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s, once more = %v, want %v", key, err, fs.ErrExist)
			}
			if !bytes.Equal(content(t, b, key), body) {
				t.Errorf("%s was replaced", key)
			}
		}
	}
}

// What breaks off while it is written by parts leaves nothing, and what was there stays.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	b := opened(t, s3test.Start(t))
	broken := errors.New("broken")
	half := func(w io.Writer) error { return errors.Join(text(make([]byte, 2*part))(w), broken) }
	if err := b.Write(t.Context(), "A/1", false, half); !errors.Is(err, broken) {
		t.Errorf("Write = %v, want %v", err, broken)
	}
	if _, err := b.Stat(t.Context(), "A/1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is something: %v", err)
	}
	if err := b.Write(t.Context(), "A/1", false, text([]byte("first"))); err != nil {
		t.Fatal(err)
	}
	if err := b.Write(t.Context(), "A/1", false, half); !errors.Is(err, broken) {
		t.Errorf("Write = %v, want %v", err, broken)
	}
	if got := string(content(t, b, "A/1")); got != "first" {
		t.Errorf("it is %d bytes, want what was there", len(got))
	}
}

// Of many that write a large blob once, one does, and its bytes stay.
func TestLargeOnce(t *testing.T) {
	t.Parallel()
	b := opened(t, s3test.Start(t))
	var won atomic.Int64
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			body := bytes.Repeat([]byte{byte('a' + n)}, part+1)
			switch err := b.Write(t.Context(), "A/1", true, text(body)); {
			case err == nil:
				if !won.CompareAndSwap(0, int64('a'+n)) {
					t.Errorf("both %c and %c wrote it", rune(won.Load()), 'a'+n)
				}
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := content(t, b, "A/1"); len(got) != part+1 || int64(got[0]) != won.Load() {
		t.Errorf("it has %d bytes of %c, want %c", len(got), got[0], rune(won.Load()))
	}
}

// Content types are what the bytes are.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	b := opened(t, s3test.Start(t))
	pdf := []byte("%PDF-1.7\n")
	for key, test := range map[string]struct {
		body []byte
		want string
	}{
		"A/document": {pdf, "application/pdf"},
		"B/document": {append(bytes.Clone(pdf), make([]byte, whole)...), "application/pdf"},
		"C/document": {[]byte("\x89PNG\x0d\x0a\x1a\x0a"), "image/png"},
		"A/7":        {[]byte(`{}`), "application/json"}, "A/sent": {[]byte(`{}`), "application/json"},
	} {
		if err := b.Write(t.Context(), key, false, text(test.body)); err != nil {
			t.Fatal(err)
		}
		if a, err := b.b.Attributes(t.Context(), key); err != nil || a.ContentType != test.want {
			t.Errorf("%s is %q, %v, want %q", key, a.ContentType, err, test.want)
		}
	}
}

// A list is read page by page, and no further than it is wanted.
func TestListIsPaged(t *testing.T) {
	t.Parallel()
	var pages atomic.Int64
	b := opened(t, s3test.Behind(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Query().Has("list-type") {
				pages.Add(1)
			}
			h.ServeHTTP(w, r)
		})
	}))
	const blobs = 2100
	for n := range blobs {
		if err := b.Write(t.Context(), fmt.Sprintf("%04d/1", n), false, text([]byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if n := pages.Swap(0); n != 1 {
		t.Errorf("%d pages for the first blob, want 1", n)
	}
	n := 0
	for o, err := range b.List(t.Context(), "") {
		if err != nil || o.Key != fmt.Sprintf("%04d/1", n) {
			t.Fatalf("blob %d is %q, %v", n, o.Key, err)
		}
		n++
	}
	if n != blobs || pages.Load() != 3 {
		t.Errorf("%d blobs on %d pages, want %d on 3", n, pages.Load(), blobs)
	}
}

// A store that refuses one of two writers at once without saying which is first is asked.
func TestConflict(t *testing.T) {
	t.Parallel()
	b := opened(t, s3test.Behind(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusConflict)
				_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>ConditionalRequestConflict</Code></Error>`)
				return
			}
			h.ServeHTTP(w, r)
		})
	}))
	if err := b.Write(t.Context(), "A/1", true, text([]byte("x"))); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("with nothing there = %v, want an error that says nothing", err)
	}
	if err := b.Write(t.Context(), "A/1", false, text([]byte("y"))); err != nil {
		t.Fatal(err)
	}
	if err := b.Write(t.Context(), "A/1", true, text([]byte("x"))); !errors.Is(err, fs.ErrExist) {
		t.Errorf("with another there = %v, want %v", err, fs.ErrExist)
	}
}

// A URL that cannot be used is an error at once.
func TestBadURL(t *testing.T) {
	t.Parallel()
	for url, says := range map[string]string{
		"s3://bucket?nosuch=1": "nosuch", "gs://bucket": "-tags clouds", "azblob://container": "-tags clouds", "nosuch://x": "no driver",
	} {
		if _, err := store.OpenBlobs(t.Context(), url); !errors.Is(err, store.ErrURL) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want it to say %q", url, err, says)
		}
	}
}
