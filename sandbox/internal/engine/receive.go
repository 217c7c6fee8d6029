package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/extractq/extractq/sandbox/internal/reader"
)

// Errors of Receive and Fail.
var (
	// ErrUnknown is an id that was never registered, or was forgotten.
	ErrUnknown = errors.New("unknown extraction")
	// ErrReceived is a second document for the same extraction.
	ErrReceived = errors.New("document already received")
)

// Receive takes the document of a registered extraction, reads it and draws when
// it will be done. data is not kept. A document that cannot be read is received
// all the same: the extraction will fail, as it would at the vendor.
//
// It returns when the document was read, so that what waits to be read is held
// by the senders' requests and not piled up in here.
func (e *Engine[M]) Receive(ctx context.Context, id string, data []byte, declared string) error {
	e.mu.Lock()
	r, ok := e.byID[id]
	if !ok {
		e.mu.Unlock()
		return ErrUnknown
	}
	if !r.received.IsZero() {
		e.mu.Unlock()
		return ErrReceived
	}
	// From here on a second document comes too late, although this one has yet
	// to be read.
	r.received = e.cfg.Now()
	e.mu.Unlock()
	if e.cfg.Taken != nil {
		e.cfg.Taken(id, sha256.Sum256(data))
	}

	given, isGiven := e.givenTime(data)
	// The document is here; that its sender hangs up changes nothing.
	t := e.read(context.WithoutCancel(ctx), data, declared)

	e.mu.Lock()
	defer e.mu.Unlock()
	rng := rand.New(rand.NewPCG(e.cfg.Seed^binary.BigEndian.Uint64(t.sum[:]), t.draws))
	t.draws++
	latency := e.cfg.Latency(rng)
	if isGiven {
		latency = given
	}
	r.started = r.received.Add(min(maxPickup, latency/4))
	r.finish = r.received.Add(latency)
	r.text = t
	// Both are always drawn: then one rate changes nothing about the other.
	fails, expires := rng.Float64() < e.cfg.FailureRate, rng.Float64() < e.cfg.ExpireRate
	r.lost = expires
	switch {
	case t.err != nil:
		r.failure = t.err.Error()
	case fails:
		r.failure = drawnFailure
	}
	return nil
}

// givenTime is the processing time of a document that has one of its own.
func (e *Engine[M]) givenTime(data []byte) (d time.Duration, ok bool) {
	if len(e.cfg.Times) > 0 {
		d, ok = e.cfg.Times[sha256.Sum256(data)]
	}
	return d, ok
}

// drawnFailure is the reason of a failure that has none.
const drawnFailure = "This document could not be processed"

// Fail ends an extraction whose document could not be had, or is not taken. Its
// errors are those of Receive.
func (e *Engine[M]) Fail(id, reason string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.byID[id]
	if !ok {
		return ErrUnknown
	}
	if !r.received.IsZero() {
		return ErrReceived
	}
	r.received = e.cfg.Now()
	r.started, r.finish = r.received, r.received
	r.failure = reason
	return nil
}

// read returns the text of data, with one reference taken. Of several senders of
// the same bytes one reads and the others wait for it.
func (e *Engine[M]) read(ctx context.Context, data []byte, declared string) *text {
	sum := digest(declared, data)
	e.mu.Lock()
	t, ok := e.texts[sum]
	if ok {
		t.refs++
		e.mu.Unlock()
		<-t.ready
		return t
	}
	t = &text{sum: sum, refs: 1, ready: make(chan struct{})}
	e.texts[sum] = t
	e.mu.Unlock()

	defer close(t.ready)
	if t.err = e.reading.Acquire(ctx, 1); t.err != nil {
		return t
	}
	defer e.reading.Release(1)
	t.doc, t.err = reader.Read(ctx, data, declared, e.cfg.Limits)
	if t.doc != nil {
		e.mu.Lock()
		e.bytes += t.doc.Size()
		e.mu.Unlock()
	}
	return t
}

// digest tells documents apart. The declared type is part of it because it can
// decide how the bytes are read.
func digest(declared string, data []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(declared))
	h.Write([]byte{0})
	h.Write(data)
	return [sha256.Size]byte(h.Sum(nil))
}
