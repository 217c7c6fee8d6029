package backend

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/extraction"
)

// If the server says that changes were missed, everything that is waited for is asked for at
// once: what has become final meanwhile is not only found by the regular checks.
func TestHTTPWatcherAsksAgainBehindAGap(t *testing.T) {
	t.Parallel()
	const watched = 2000 // Looking at some of them every few seconds takes minutes.
	var asked atomic.Int64
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/events" {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte(": listening\n\n"))
			_ = http.NewResponseController(w).Flush()
			for asked.Load() < watched && r.Context().Err() == nil { // All were in progress.
				time.Sleep(5 * time.Millisecond)
			}
			close(over)
			_, _ = w.Write([]byte("event: stream.gap\ndata: {\"account\":\"acme\"}\n\n"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		status := extraction.StatusInProgress
		select {
		case <-over:
			status = extraction.StatusSuccess
		default:
			asked.Add(1)
		}
		w.Header().Set("Content-Type", "application/json")
		id := strings.TrimPrefix(r.URL.Path, "/v1/extractions/")
		_, _ = fmt.Fprintf(w, `{"id":%q,"account":"acme","status":%q,"result":{}}`, id, status)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{URL: server.URL, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	w, err := (&overHTTP{api: c}).Follow(t.Context(), []string{"acme"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range watched {
		w.Watch("acme", fmt.Sprintf("E%d", i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told := 0
	err = w.Run(ctx, func() bool { return len(w.Waiting()) == 0 }, func(extraction.Extraction, bool) error { told++; return nil })
	if err != nil || told != watched {
		t.Errorf("%d of %d are reported, %v", told, watched, err)
	}
}
