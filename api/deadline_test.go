package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A request whose body is read to its end and beyond, and that takes longer than a
// sender may be silent, is not cut off; nor is the next one on its connection.
func TestPatienceEndsWithTheBody(t *testing.T) {
	t.Parallel()
	silent := readLimits{silence: 20 * time.Millisecond, rate: 1 << 20}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := newPacedBody(w, r, silent)
		if text, err := io.ReadAll(body); err != nil || string(text) != "a document" {
			t.Errorf("read %q, %v", text, err)
		}
		if n, err := body.Read(make([]byte, 8)); n != 0 || err != io.EOF { //nolint:errorlint // Its own words.
			t.Errorf("behind the end there are %d bytes, %v", n, err)
		}
		select {
		case <-r.Context().Done():
			t.Error("the request was cut off")
		case <-time.After(20 * silent.silence):
		}
	}))
	t.Cleanup(server.Close)
	for range 2 {
		res, err := server.Client().Post(server.URL, "text/plain", strings.NewReader("a document")) //nolint:noctx // The test's own server.
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
}
