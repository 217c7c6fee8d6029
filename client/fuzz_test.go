package client

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whatever a server streams is events or an error: each event is about an extraction or an
// account, and the stream ends with what was sent.
func FuzzEvents(f *testing.F) {
	f.Add("id: 1\nevent: extraction.updated\ndata: {\"id\":\"01JD\",\"status\":\"SUCCESS\"}\n\n", "")
	f.Add(": nothing\n\nevent: stream.gap\ndata: {\"account\":\"a\"}\n\n", "x")
	f.Add("data: {\"id\":\ndata: \"01JD\"}\nevent: extraction.updated\r\n\r\n", "01JD")
	f.Add("event: extraction.updated\ndata: null\n\n", "")
	f.Fuzz(func(t *testing.T, text, id string) {
		events, failed, over := 0, false, false
		s := &stream{filter: EventFilter{Extraction: id}}
		s.yield = func(e Event, err error) bool {
			if over {
				t.Error("something came behind the end")
			}
			failed = err != nil
			if events++; err == nil && (e.Extraction.ID == "") == (e.Missed == "") {
				t.Errorf("an event about %q and %q", e.Extraction.ID, e.Missed)
			}
			return true
		}
		over, _ = s.read(strings.NewReader(text))
		if failed && !over {
			t.Error("the stream goes on behind an error")
		}
		if events > strings.Count(text, "\n") {
			t.Errorf("%d events of %q", events, text)
		}
	})
}

// The lines of one event are bounded together, not only each.
func TestEventIsBounded(t *testing.T) {
	t.Parallel()
	line := "data: " + strings.Repeat("x", 1<<20) + "\n"
	source := &endless{line: []byte(line)}
	s := &stream{yield: func(Event, error) bool { return true }}
	_, err := s.read(source)
	if err == nil || source.given > 4*maxEvent {
		t.Errorf("read %d bytes of one event, then %v", source.given, err)
	}
}

// endless repeats a line, up to what a fault would take.
type endless struct {
	line  []byte
	given int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.given > 8*maxEvent {
		return 0, io.EOF
	}
	n := copy(p, e.line[e.given%len(e.line):])
	e.given += n
	return n, nil
}

// An answer in a server's place is an Error with a code, and never text of a page.
func FuzzRefused(f *testing.F) {
	f.Add(404, "application/problem+json", "1", `{"code":"not_found","detail":"there is none"}`)
	f.Add(503, "text/html", "Wed, 21 Oct 2026 07:28:00 GMT", "<html>secret</html>")
	f.Add(302, "", "", "")
	f.Add(429, "application/problem+json; x", "1e99", `{"errors":[null],"code":7}`)
	f.Fuzz(func(t *testing.T, status int, media, after, body string) {
		res := &http.Response{
			StatusCode: status, Body: io.NopCloser(strings.NewReader(body)),
			Header: http.Header{"Content-Type": {media}, "Retry-After": {after}, "Location": {body}},
		}
		e := refused(res, time.Now)
		if e.Code == "" || e.RetryAfter < 0 || e.RetryAfter > 24*time.Hour {
			t.Errorf("refused = %+v", e)
		}
		res.Body = io.NopCloser(bytes.NewReader([]byte(body)))
		var out Extraction
		_ = decode(res, &out)
	})
}
