package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/client"
)

// A stream over which connections break again and again tells of every document, also
// where the first connection breaks before its first event.
func TestEventsOverBrokenConnections(t *testing.T) {
	t.Parallel()
	s := newService(t, false)
	var mu sync.Mutex
	streams, opened := []context.CancelFunc{}, make(chan struct{}, 100)
	// A proxy that can end all streams there are.
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		if r.URL.Path == "/v1/events" {
			mu.Lock()
			streams = append(streams, cancel)
			mu.Unlock()
			w = noting{w, opened}
		}
		s.handler.ServeHTTP(w, r.WithContext(ctx))
	}))
	t.Cleanup(proxy.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	c := newClient(t, proxy.URL, key)
	cut := func() {
		mu.Lock()
		defer mu.Unlock()
		for _, end := range streams {
			end()
		}
		streams = nil
	}
	events := make(chan string, 100)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(events)
		for ev, err := range c.Events(ctx, client.EventFilter{Batch: "b"}) {
			if err != nil {
				return // The context's end.
			}
			events <- ev.Extraction.ID
		}
	})
	defer func() { cancel(); wg.Wait() }()
	<-opened
	for i := range 4 {
		if i%2 == 0 {
			cut() // No stream is open for what is submitted now.
		}
		e := must[client.Extraction](t, "Submit")(c.Submit(ctx, form("b")))
		for got := ""; got != e.ID; {
			select {
			case got = <-events:
			case <-ctx.Done():
				t.Fatalf("no event of document %d", i)
			}
		}
	}
}

// noting tells when the answer has begun.
type noting struct {
	http.ResponseWriter

	begun chan struct{}
}

func (n noting) Write(b []byte) (int, error) {
	got, err := n.ResponseWriter.Write(b)
	_ = http.NewResponseController(n.ResponseWriter).Flush() // The test sees it if not.
	select {
	case n.begun <- struct{}{}:
	default:
	}
	return got, err
}

func (n noting) Unwrap() http.ResponseWriter { return n.ResponseWriter }
