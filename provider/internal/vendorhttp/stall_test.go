package vendorhttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
)

// stallAfter is far above the pauses of the slow transfers below and far below what
// they take in all.
const stallAfter = 4 * time.Second

// slowly calls step 20 times, with a pause that makes them take half as long again as
// stallAfter.
func slowly(step func()) {
	for range 20 {
		step()
		time.Sleep(stallAfter * 3 / 40)
	}
}

// A call that takes longer than the limit in all succeeds as long as it moves, in
// either direction, and ends once it stands still.
func TestCallsAreBoundedByProgress(t *testing.T) {
	t.Parallel()
	// More than the queues of both sides hold, so that the server's pace is ours.
	document := bytes.Repeat([]byte("x"), 20<<20)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		body    bool
		want    string // In the error; empty for a success.
	}{
		"a slow upload": {func(_ http.ResponseWriter, r *http.Request) {
			slowly(func() { _, _ = io.CopyN(io.Discard, r.Body, 1<<20) })
		}, true, ""},
		"a slow answer": {func(w http.ResponseWriter, _ *http.Request) {
			slowly(func() { _, _ = io.WriteString(w, " "); w.(http.Flusher).Flush() })
		}, false, ""},
		"an answer that drips": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				w.(http.Flusher).Flush()
				time.Sleep(stallAfter / 40)
			}
		}, false, "bytes moved in"},
		"an upload that stands still": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			<-over
		}, true, "nothing moved for 4s"},
		"no answer": {func(http.ResponseWriter, *http.Request) {
			<-over
		}, false, "nothing moved for 4s"},
		"an answer that stands still": {func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			<-over
		}, false, "read the answer: nothing moved for 4s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(tt.handler)
			t.Cleanup(srv.CloseClientConnections) // Its Close would wait for the handlers.
			c, err := New(Config{BaseURL: srv.URL})
			if err != nil {
				t.Fatal(err)
			}
			call := Call{Op: OpPoll, Method: http.MethodGet, URL: srv.URL}
			if tt.body {
				call.Op, call.Method, call.Submits = OpUpload, http.MethodPut, true
				call.Body = Stream("", io.NopCloser(bytes.NewReader(document)), int64(len(document)))
			}
			ctx, cancel := transfer.WithTimeout(t.Context(), stallAfter)
			defer cancel()
			_, err = c.Do(ctx, call)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || extraction.KindOf(err) != extraction.KindTransient ||
				!errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want transient trouble, %q", err, tt.want)
			}
		})
	}
}

// Only an answer to a poll may be as large as a result, and a larger one says so.
func TestAnswerTooLarge(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1001))
	}))
	defer srv.Close()
	c, err := New(Config{BaseURL: srv.URL, MaxResult: 1000})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), Call{Op: OpPoll, Method: http.MethodGet, URL: srv.URL})
	if extraction.KindOf(err) != extraction.KindTooLarge || !strings.Contains(err.Error(), "more than 1000 bytes") {
		t.Errorf("poll: %v", err)
	}
	if _, err = c.Do(t.Context(), Call{Op: OpReady, Method: http.MethodGet, URL: srv.URL}); err != nil {
		t.Errorf("ready list: %v", err)
	}
}
