package vendorhttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/transfer"
)

// line is a slow line that all requests to a server share: it takes a piece of one after
// the other.
type line struct{ turns chan struct{} }

// newLine returns a line of so many pieces a second.
func newLine(ctx context.Context, perSecond int) line {
	l := line{make(chan struct{})}
	go func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			select {
			case l.turns <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return l
}

// piece is what the line takes at once.
const piece = 32 << 10

// Uploads that share a line take much longer than the limit, each of them and all
// together, and none of them stands still for that long.
func TestUploadsShareASlowLine(t *testing.T) {
	t.Parallel()
	const (
		uploads = 28
		size    = 5 << 19 // 2.5 MiB
	)
	l := newLine(t.Context(), uploads*size/piece/int(3*stallAfter/time.Second))
	var arrived atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for range l.turns {
			if _, err := io.CopyN(io.Discard, r.Body, piece); err != nil {
				if errors.Is(err, io.EOF) {
					arrived.Add(1)
				}
				return
			}
		}
	}))
	srv.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if tcp, ok := c.(*net.TCPConn); ok && s == http.StateNew {
			_ = tcp.SetReadBuffer(2 * piece) // The queue of the line, not of a server that is slow.
		}
	}
	srv.Start()
	t.Cleanup(srv.CloseClientConnections)
	c, err := New(Config{BaseURL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	document := bytes.Repeat([]byte("x"), size)
	began := time.Now()
	errs := make(chan error, uploads)
	var all sync.WaitGroup
	for i := range uploads {
		all.Go(func() {
			ctx, cancel := transfer.WithTimeout(t.Context(), stallAfter)
			defer cancel()
			_, err := c.Do(ctx, Call{
				Op: OpUpload, Method: http.MethodPut, URL: fmt.Sprint(srv.URL, "/", i), Submits: true,
				Body: Stream("", io.NopCloser(bytes.NewReader(document)), size),
			})
			errs <- err
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(began); arrived.Load() != uploads || took < 2*stallAfter {
		t.Errorf("%d of %d arrived in %v, want all, in more than twice %v", arrived.Load(), uploads, took, stallAfter)
	}
}
