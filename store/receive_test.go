package store

import (
	"errors"
	"testing"
	"time"
)

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := testInput()
	c := Creation{Token: NewToken(), Key: "k1", Fingerprint: "p1"}
	for range 2 {
		if _, err := r.s.Create(t.Context(), in, c); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.s.Create(t.Context(), testInput(), Creation{Token: NewToken(), Key: "k1", Fingerprint: "p2"})
	first, ok := errors.AsType[*RepeatedError](err)
	if !ok || first.ID != in.ID || first.Fingerprint != "p1" {
		t.Errorf("Create with a used key = %v", err)
	}
	if first, err := r.s.Repeated(t.Context(), "acme", "k1"); err != nil || first == nil || first.ID != in.ID {
		t.Errorf("Repeated = %+v, %v", first, err)
	}
	if other, err := r.s.Repeated(t.Context(), "acme", "k2"); err != nil || other != nil {
		t.Errorf("Repeated of another key = %+v, %v", other, err)
	}
	// The key lives as long as its extraction.
	r.want("Cancel", r.s.Cancel(t.Context(), in, NewToken(), testKept), nil)
	r.want("Erase", r.s.Erase(t.Context(), in, true, testKept), nil)
	if _, err := r.s.Create(t.Context(), testInput(), Creation{Token: NewToken(), Key: "k1"}); err != nil {
		t.Errorf("Create with the key of an erased one: %v", err)
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	done, ok, err := r.s.Receive(t.Context(), "acme", "k1")
	if !ok || err != nil {
		t.Fatalf("Receive = %v, %v", ok, err)
	}
	if _, ok, err := r.s.Receive(t.Context(), "acme", "k1"); ok || err != nil {
		t.Errorf("second Receive = %v, %v, want it refused", ok, err)
	}
	if ttl := r.rdb.PTTL(t.Context(), r.k.receiving("k1")).Val(); ttl <= 0 || ttl > receivingFor {
		t.Errorf("the mark of a dead process stays for %v", ttl)
	}
	done()
	done, ok, err = r.s.Receive(t.Context(), "acme", "k1")
	if !ok || err != nil {
		t.Fatalf("Receive after the first was received = %v, %v", ok, err)
	}
	done()
	if got := r.dump(); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

// The mark of a process that was frozen lapses, and another makes its own: when the
// first wakes and is done, that one stays.
func TestReceiveLapses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	done, ok, err := r.s.Receive(t.Context(), "acme", "k1")
	if !ok || err != nil {
		t.Fatalf("Receive = %v, %v", ok, err)
	}
	r.rdb.Del(t.Context(), r.k.receiving("k1"))
	other, ok, err := r.s.Receive(t.Context(), "acme", "k1")
	if !ok || err != nil {
		t.Fatalf("Receive after the mark has lapsed = %v, %v", ok, err)
	}
	defer other()
	done()
	if _, ok, err := r.s.Receive(t.Context(), "acme", "k1"); ok || err != nil {
		t.Errorf("Receive while the other one receives = %v, %v, want it refused", ok, err)
	}
}

func TestBind(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 2 {
		if other, err := r.s.Bind(t.Context(), "acme", "k1", time.Hour); other != "" || err != nil {
			t.Errorf("Bind = %q, %v", other, err)
		}
	}
	// Nothing came of it yet: another account may have it.
	if other, err := r.s.Bind(t.Context(), "other", "k1", time.Hour); other != "" || err != nil {
		t.Errorf("Bind to another account = %q, %v", other, err)
	}
	if _, err := r.s.Bind(t.Context(), "acme", "k1", time.Hour); err != nil {
		t.Fatal(err)
	}
	in := testInput()
	if _, err := r.s.Create(t.Context(), in, Creation{Token: NewToken(), Key: "k1"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if other, err := r.s.Bind(t.Context(), "other", "k1", time.Hour); other != "acme" || err != nil {
			t.Errorf("Bind of a used key = %q, %v, want acme", other, err)
		}
	}
	if left := r.rdb.TTL(t.Context(), boundKey("k1")).Val(); left <= boundFor {
		t.Errorf("the key is bound for %v, want longer than any extraction is kept", left)
	}
	r.want("Cancel", r.s.Cancel(t.Context(), in, NewToken(), Kept{}), nil)
	r.want("Erase", r.s.Erase(t.Context(), in, true, testKept), nil)
	if left := r.rdb.TTL(t.Context(), boundKey("k1")).Val(); left > unboundFor {
		t.Errorf("after its extraction was erased the key is bound for %v", left)
	}
	if other, err := r.s.Bind(t.Context(), "other", "k1", time.Hour); other != "" || err != nil {
		t.Errorf("Bind of a key that is free again = %q, %v", other, err)
	}
	// A key that another account has by now is that one's.
	r.s.unbind(t.Context(), "acme", "k1")
	if left := r.rdb.TTL(t.Context(), boundKey("k1")).Val(); left <= boundFor {
		t.Errorf("another account's key is bound for %v", left)
	}
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queued, running := r.create(), r.polling()
	create := func() error {
		_, err := r.s.Create(t.Context(), testInput(), Creation{Token: NewToken(), MaxBacklog: 2})
		return err
	}
	r.want("Create above the backlog", create(), ErrBacklog)
	r.want("Cancel", r.s.Cancel(t.Context(), running.Input, NewToken(), testKept), nil)
	r.want("Create after one ended", create(), nil)
	r.want("Create above it again", create(), ErrBacklog)
	r.want("Cancel", r.s.Cancel(t.Context(), queued.Input, NewToken(), testKept), nil)
	r.want("Create after another ended", create(), nil)
}
