package e2e

import (
	"bytes"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
)

// TestFrozenWorkerDoesNotCompleteAnUpload freezes a worker in the middle of an
// upload for longer than its lease, lets another one take over, and wakes it up
// again: it must not complete what it had begun, or the vendor would have the
// document twice.
func TestFrozenWorkerDoesNotCompleteAnUpload(t *testing.T) {
	if testing.Short() {
		t.Skip("a lease has to run out")
	}
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		doc := s.largeDocument("large.pdf")
		held, begun := newGate(), newGate()
		s.vendor.on(d.takes, first(1), func(x *exchange) {
			// The vendor has read all but the last 8 MiB. That is more than the
			// buffers of a connection can grow to (4 MiB at one end, twice vendorBuffer
			// at the other), so the worker still has the end of the document, and it is
			// little enough to be sent in no time once it wakes up.
			head := make([]byte, x.r.ContentLength-8<<20)
			_, _ = io.ReadFull(x.r.Body, head) // Nothing can be missing while the worker lives.
			begun.open()
			x.hold(held)
			x.r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(head), x.r.Body))
			x.normal()
		})
		frozen := s.worker()
		ids := s.submit(d.account, doc.path)
		eventually(t, "the upload has begun", begun.isOpen)

		frozen.signal(syscall.SIGSTOP)
		s.worker()
		eventually(t, "the other worker has sent the document", func() bool { return len(s.vendor.takenBy()) == 1 })
		held.open() // The vendor reads on, and there is room for what is left.
		frozen.signal(syscall.SIGCONT)
		s.run(s.shared("watch", ids[0], "--timeout", "80s")...).want(t, 0)
		eventually(t, "the first upload is over", func() bool { return s.vendor.broken(d.takes) > 0 })
		s.wantAll(ids, "SUCCESS")
		s.vendor.wantOnce(t, []document{doc})
	})
}

// largeDocument is a PDF with so much behind its end that no connection's buffers
// can hold it.
func (s *site) largeDocument(name string) document {
	s.t.Helper()
	body := append(fixtures.TaxForm(900), bytes.Repeat([]byte("% nothing to see\n"), 1<<19)...)
	return document{name, s.write(name, string(body)), digest(body), len(body)}
}

// isOpen reports whether the gate was opened.
func (g *gate) isOpen() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}

// broken counts the requests of a kind whose body ended too early.
func (v *vendor) broken(o op) int {
	n := 0
	for _, c := range v.log(o) {
		if c.Broken {
			n++
		}
	}
	return n
}

// TestFrozenWorkerWakesUpAfterItsAnswer freezes a worker that has sent a
// document and waits for the answer, which it reads long after another worker
// has taken over.
func TestFrozenWorkerWakesUpAfterItsAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("a lease has to run out")
	}
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		docs := s.documents("inbox", 2)
		held := newGate()
		s.vendor.on(d.takes, first(2), func(x *exchange) { x.serve(); x.hold(held); x.reply() })
		frozen := s.worker()
		ids := s.submit(d.account, paths(docs)...)
		eventually(t, "the vendor has the documents", func() bool { return len(s.vendor.takenBy()) == 2 })

		frozen.signal(syscall.SIGSTOP)
		held.open()
		s.worker()
		r := s.run(s.shared("watch", ids[0], ids[1], "--timeout", "80s")...)
		frozen.signal(syscall.SIGCONT)
		r.want(t, 0)
		frozen.signal(syscall.SIGTERM)
		frozen.wait().want(t, 0) // It has had the time to do harm.
		s.wantAll(ids, "SUCCESS")
		s.vendor.wantOnce(t, docs)
	})
}
