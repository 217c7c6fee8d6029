package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
)

// TestUploadsShareASlowLine sends 28 documents at once over one slow line: all arrive, none
// is begun again. EXTRACTQ_SLOW_LINE is how many MB each has, of which the line takes one a
// second: make slow-line.
func TestUploadsShareASlowLine(t *testing.T) {
	t.Parallel()
	const documents = 28
	size, perSecond, patience := 200_000, 2_000_000, 3*time.Minute
	if mb, err := strconv.Atoi(os.Getenv("EXTRACTQ_SLOW_LINE")); err == nil {
		size, perSecond = mb*1_000_000, 1_000_000
		patience += 2 * time.Duration(documents*mb) * time.Second
	}
	s := newSite(t, quick(0))
	s.write("extractq.yaml", strings.ReplaceAll(s.read("extractq.yaml"), s.vendor.URL, slowLine(t, s.vendor.URL, perSecond)))
	for i := range documents {
		tail := make([]byte, size)
		_, _ = rand.Read(tail) // Never fails.
		s.write(fmt.Sprintf("inbox/%02d.pdf", i), string(fixtures.Form(i))+string(tail))
	}
	// The vendor reads a document of that size to its end, and keeps a small one.
	s.vendor.on(opPut, always, func(x *exchange) {
		n, err := io.Copy(io.Discard, x.r.Body)
		if err != nil || n != x.r.ContentLength {
			x.lose()
		}
		x.read, x.raw = true, fixtures.Form(1)
		x.r.ContentLength = int64(len(x.raw))
		x.normal()
	})
	began := time.Now()
	run := s.start("run", "--account", sensibleAccount, "--type", "tax_forms", "--out", s.path("results"), s.path("inbox"))
	eventuallyFor(t, patience, "all have arrived", run.ended)
	run.wait().want(t, 0)
	t.Logf("%d documents of %d bytes at %d bytes/s took %v, %d uploads", documents, size, perSecond,
		time.Since(began).Round(time.Second), s.vendor.asked(opPut))
	if n := s.vendor.asked(opPut); n != documents {
		t.Errorf("%d uploads of %d documents: some were begun again", n, documents)
	}
}

// slowLine is the URL of a relay to another, that all connections share: it takes so many
// bytes a second to the other side, a piece of one connection after the other.
func slowLine(t *testing.T, to string, perSecond int) string {
	t.Helper()
	const piece = 16 << 10
	turns := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second * piece / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-t.Context().Done():
				return
			}
			select {
			case turns <- struct{}{}:
			case <-t.Context().Done():
				return
			}
		}
	}()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var relays sync.WaitGroup
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() { cancel(); _ = l.Close(); relays.Wait() })
	relays.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(to, "http://"))
			if err != nil {
				_ = client.Close()
				continue
			}
			_ = client.(*net.TCPConn).SetReadBuffer(2 * piece) // The queue is the line's.
			stop := context.AfterFunc(ctx, func() { _ = client.Close(); _ = server.Close() })
			relays.Go(func() {
				_, _ = io.Copy(client, server)
				_ = client.Close()
			})
			relays.Go(func() {
				defer stop()
				defer func() { _ = server.Close(); _ = client.Close() }()
				for {
					select {
					case <-turns:
					case <-ctx.Done():
						return
					}
					if _, err := io.CopyN(server, client, piece); err != nil {
						return
					}
				}
			})
		}
	})
	return "http://" + l.Addr().String()
}
