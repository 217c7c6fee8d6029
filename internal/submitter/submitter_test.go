package submitter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// relay stands before a Redis, and loses answers.
type relay struct {
	t      *testing.T
	url    string
	target string

	mu sync.Mutex
	// loses is what a request holds whose answer is lost; from then on the relay is
	// down, until Up.
	loses string
	down  bool
	lost  int
	conns []net.Conn
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, url: l.Addr().String(), target: strings.TrimPrefix(target, "unix://")}
	t.Cleanup(func() { _ = l.Close(); r.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.carry(c)
		}
	}()
	return r
}

func (r *relay) carry(c net.Conn) {
	defer func() { _ = c.Close() }()
	server, err := new(net.Dialer).DialContext(r.t.Context(), "unix", r.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	r.mu.Lock()
	down := r.down
	r.conns = append(r.conns, c)
	r.mu.Unlock()
	if down {
		return
	}
	request, answer := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := c.Read(request)
		if err != nil {
			return
		}
		if _, err := server.Write(request[:n]); err != nil {
			return
		}
		m, err := server.Read(answer)
		if err != nil {
			return
		}
		if r.loseIt(request[:n], answer[:m]) {
			r.cut()
			return
		}
		if _, err := c.Write(answer[:m]); err != nil {
			return
		}
	}
}

// loseIt reports whether the answer to a request is the one to lose.
func (r *relay) loseIt(request, answer []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loses == "" || !bytes.Contains(request, []byte(r.loses)) || bytes.HasPrefix(answer, []byte("-NOSCRIPT")) {
		return false
	}
	r.down, r.loses = true, ""
	r.lost++
	return true
}

func (r *relay) lose(request string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loses = request
}

// cut ends every connection.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
}

func (r *relay) up() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = false
}

// submitting returns what submits over a Redis.
func submitting(t *testing.T, rdb redis.UniversalClient, said io.Writer) (*Submitter, *intake.Client) {
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
	return New(records, blobs, render.NewConsole(io.Discard, said).Say), c
}

// TestAnswerLostAfterCreate loses the answer to the script that wrote the record, and
// Redis with it for longer than the client repeats. Submit waits, says so once, and the
// document is one extraction.
func TestAnswerLostAfterCreate(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	between := newRelay(t, server.URL)
	rdb := redis.NewClient(&redis.Options{Addr: between.url, DisableIdentity: true})
	t.Cleanup(func() { _ = rdb.Close() })
	waiting := make(chan struct{})
	said := &tell{on: "Redis is away", do: func() { close(waiting) }}
	s, c := submitting(t, rdb, said)
	path := filepath.Join(t.TempDir(), "a.pdf")
	var first []string
	for i := range 3 {
		if err := os.WriteFile(path, fmt.Appendf(nil, "%%PDF-1.4 %d", i), 0o600); err != nil {
			t.Fatal(err)
		}
		doc, err := new(documents.Opener).Open(t.Context(), documents.Source{Path: path, Name: "a.pdf"})
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			between.lose(`"content_type":`) // Of the input, which create alone is given.
			go func() { <-waiting; between.up() }()
		}
		sub := intake.Submission{
			ID: store.NewID(), Account: "acme", Provider: "sensible", Type: "t", Name: "a.pdf", Document: doc,
		}
		e, err := s.Submit(t.Context(), doc, sub, c.Submit)
		doc.Close()
		if err != nil || e.Status != extraction.StatusQueued {
			t.Fatalf("submit %d = %+v, %v", i, e, err)
		}
		first = append(first, e.ID)
	}
	if between.lost != 1 || said.times() != 1 {
		t.Errorf("%d answers were lost and %d lines said, want one each", between.lost, said.times())
	}
	ids, err := server.Client().ZRange(t.Context(), "extractq:{acme}:list", 0, -1).Result()
	if err != nil || strings.Join(ids, " ") != strings.Join(first, " ") {
		t.Errorf("Redis has %q (%v), and the ids are %q", ids, err, first)
	}
}

// TestSubmitWaitsForTheStore takes the document store away, as an unmounted file system is.
// Submit waits until it is back, says so once, and the document is one extraction.
func TestSubmitWaitsForTheStore(t *testing.T) {
	t.Parallel()
	waiting := make(chan struct{})
	said := &tell{on: "the document store fails", do: func() { close(waiting) }}
	s, c := submitting(t, redistest.Client(t), said)
	s.WaitingForStore()
	if err := errors.Join(
		store.Pair(t.Context(), s.records, s.blobs, store.Terms{}), s.blobs.Hold(t.Context(), s.records),
	); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(path, []byte("%PDF-1.4"), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := new(documents.Opener).Open(t.Context(), documents.Source{Path: path, Name: "a.pdf"})
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	dir := s.blobs.Scratch()
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	back := make(chan error, 1)
	go func() { <-waiting; back <- os.Rename(dir+"-away", dir) }()
	e, err := s.Submit(t.Context(), doc, intake.Submission{
		ID: store.NewID(), Account: "acme", Provider: "sensible", Type: "t", Name: "a.pdf", Document: doc,
	}, c.Submit)
	if err != nil || <-back != nil || said.times() != 1 {
		t.Fatalf("submit = %+v, %v, said %d times", e, err, said.times())
	}
	if ids, err := s.blobs.Documents(t.Context()); err != nil || len(ids) != 1 || ids[0] != e.ID {
		t.Errorf("the store has the documents of %q, %v, want that of %s", ids, err, e.ID)
	}
	for _, err := range []error{syscall.ENOSPC, fmt.Errorf("store document: %w", syscall.EROFS)} {
		if !storeFails(err) {
			t.Errorf("%v is not taken for trouble with the store", err)
		}
		if run := New(nil, nil, func(string, ...any) {}); run.Waits(t.Context(), err) {
			t.Errorf("a run waits after %v, want it to end", err)
		}
	}
	if storeFails(store.ErrTooLarge) {
		t.Error("a document that is too large is taken for trouble with the store")
	}
}

// tell is a writer that does something when it is first told a text.
type tell struct {
	on string
	do func()

	mu sync.Mutex
	n  int
}

func (w *tell) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.Contains(string(b), w.on) {
		if w.n++; w.n == 1 {
			w.do()
		}
	}
	return len(b), nil
}

func (w *tell) times() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

// TestRedisAway tells what passes from what does not.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Kill()
	rdb := server.Client()
	if away, returning := redisAway(errkind.MarkUnavailable(rdb.Ping(t.Context()).Err())); !away || returning {
		t.Errorf("a Redis that is not there: away %v, returning %v", away, returning)
	}
	for _, err := range []error{nil, redis.Nil, store.ErrTooLarge, os.ErrPermission, &os.PathError{Op: "write", Err: os.ErrClosed}} {
		if away, _ := redisAway(err); away {
			t.Errorf("%v is taken for a Redis that is away", err)
		}
	}
	s := New(nil, nil, func(string, ...any) {})
	if s.Waits(t.Context(), store.ErrTooLarge) {
		t.Error("it waits for a document to become smaller")
	}
}
