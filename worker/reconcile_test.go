package worker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

// What has outlived its retention goes: first the document, then the rest.
func TestExpiry(t *testing.T) {
	t.Parallel()
	r := newRig(t, newVendor())
	w := r.worker()
	a := w.accounts["acme"]
	id := r.polling(w, "x", time.Second)
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	seq := r.get(id).ResultSeq
	document := func() error {
		body, err := r.blobs.OpenDocument(t.Context(), id)
		if err == nil {
			_ = body.Close()
		}
		return err
	}
	if _, err := w.reconcile(t.Context(), a); err != nil || document() != nil {
		t.Fatalf("before the time: %v, document %v", err, document())
	}
	r.hset(id, "dexp", ago(time.Second))
	r.overdue(id) // The document's time has come.
	if _, err := w.reconcile(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := document(); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the document after its retention: %v", err)
	}
	if _, err := r.blobs.Result(t.Context(), id, seq, ""); err != nil {
		t.Errorf("the result before its retention: %v", err)
	}
	due, err := r.rdb.ZScore(t.Context(), "extractq:{acme}:due", id).Result()
	if err != nil || time.Until(time.UnixMilli(int64(due))) < 166*time.Hour {
		t.Errorf("looked at again at %v, %v, want at the record's end", time.UnixMilli(int64(due)), err)
	}
	r.hset(id, "exp", ago(time.Second))
	r.overdue(id)
	if got, err := w.reconcile(t.Context(), a); err != nil || got.Erased != 1 {
		t.Fatalf("reconcile at the end: %+v, %v", got, err)
	}
	if _, err := r.records.Get(t.Context(), "acme", id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the record after its retention: %v", err)
	}
	if _, err := r.blobs.Result(t.Context(), id, seq, ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the result after its retention: %v", err)
	}
	if n, err := r.rdb.ZCard(t.Context(), "extractq:{acme}:due").Result(); err != nil || n != 0 {
		t.Errorf("%d due entries left, %v", n, err)
	}
}

// The server that a failed extraction's document stays on keeps it as long as
// the record.
func TestFailedKeepsDocument(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		return extraction.Outcome{Status: extraction.StatusError}, nil
	}
	r := newRig(t, v)
	w := r.worker()
	id := r.polling(w, "x", time.Second)
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	due, err := r.rdb.ZScore(t.Context(), "extractq:{acme}:due", id).Result()
	if err != nil || time.Until(time.UnixMilli(int64(due))) < 167*time.Hour {
		t.Errorf("first looked at at %v, %v, want at the record's end", time.UnixMilli(int64(due)), err)
	}
}

// Redis crashes in the middle of everything and comes back: all ends, once.
func TestRedisRestarts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Durable()...)
	v := newVendor()
	v.onPoll = func(_ string, n int) (extraction.Outcome, error) {
		if n < 2 {
			return pending(), nil
		}
		return done(), nil
	}
	listed := make(map[string]bool)
	v.onSubmit = func(n int, s extraction.Submission) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		if listed[s.Name] {
			t.Errorf("%s was submitted twice", s.Name)
		}
		listed[s.Name] = true
		v.ready = append(v.ready, extraction.ReadyItem{VendorID: fmt.Sprintf("v%d", n), Name: s.Name})
		return nil
	}
	r := newRigOn(t, server.Client(), v)
	var ids []string
	for range 30 {
		ids = append(ids, r.submit("x"))
	}
	r.startThrough()
	for i := range 3 {
		r.await("some progress", func() bool {
			v.mu.Lock()
			defer v.mu.Unlock()
			return v.submits > i*10 || len(v.polls) > 0
		})
		server.Restart()
	}
	for _, id := range ids {
		if got := r.final(id); got.Status != extraction.StatusSuccess {
			t.Errorf("%s ended %s %+v", id, got.Status, got.Failure)
		}
	}
	if l, err := r.records.Load(t.Context(), "acme"); err != nil || l.InFlight != 0 {
		t.Errorf("%d slots are still held, %v", l.InFlight, err)
	}
	counts := r.rdb.HGetAll(t.Context(), "extractq:{acme}:bn:b1").Val()
	if counts["SUCCESS"] != "30" {
		t.Errorf("the batch counts %v, want 30 SUCCESS", counts)
	}
}
