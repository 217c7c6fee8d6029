package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// EventFilter chooses events; an empty member chooses all.
type EventFilter struct {
	// Extraction is the id of a single extraction. Its events end with its final status.
	Extraction               string
	Batch, Customer, Account string
	// After is the ID of the last event that was processed; the stream continues after it.
	After string
	// Listening, if set, is called once, as soon as the server streams: every later change
	// is an event.
	Listening func()
}

// Event is a change of an extraction.
type Event struct {
	// ID is the position of the event: set EventFilter.After to it to continue later.
	ID string
	// Extraction is the state when the event was sent, without the result. Several changes
	// may be merged into one event.
	Extraction Extraction
	// Missed names an account whose changes before this position were missed, because the
	// server no longer keeps them: list its extractions again. Such an event has no
	// Extraction. For all other events Missed is empty.
	Missed string
}

// Events iterates over changes as they happen. If the connection breaks, it reconnects and
// continues after the last event: an event may come twice, and if the server no longer
// keeps all events in between, an Event with Missed reports it. The iteration ends after
// the final event of a single extraction, when ctx ends, or after the first error.
func (c *Client) Events(ctx context.Context, f EventFilter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s := &stream{c: c, filter: f, yield: yield}
		for {
			if end := s.listen(ctx); end {
				return
			}
		}
	}
}

// stream presents a sequence of connections to the caller as one.
type stream struct {
	c      *Client
	filter EventFilter
	yield  func(Event, error) bool
	// broken counts the connections in a row that ended early without an event.
	broken int
}

// listen makes one connection and passes on its events. end reports that the whole stream
// has ended.
func (s *stream) listen(ctx context.Context) (end bool) {
	res, _, err := s.c.do(ctx, s.call())
	if err != nil {
		s.yield(Event{}, err)
		return true
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusNoContent {
		return true
	}
	if media := mediaType(res); media != "text/event-stream" {
		s.yield(Event{}, notAPI(res, "the answer is "+media+", no stream of events; is the server's URL right?"))
		return true
	}
	s.broken++
	begun := time.Now()
	end, err = s.read(res.Body)
	if end {
		return true
	}
	if time.Since(begun) > lasted {
		s.broken = 0
	}
	if ctx.Err() != nil {
		s.yield(Event{}, context.Cause(ctx))
		return true
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Code: CodeUnreachable, Detail: "the stream of events ended", Err: err}
	}
	wait, again := s.c.cfg.retryDelay(e, max(s.broken, 1), s.c.random())
	if !again {
		s.yield(Event{}, e)
		return true
	}
	if err := s.c.sleep(ctx, wait); err != nil {
		s.yield(Event{}, err)
		return true
	}
	return false
}

func (s *stream) call() call {
	q := url.Values{}
	set(q, "extraction", s.filter.Extraction)
	set(q, "batch", s.filter.Batch)
	set(q, "customer", s.filter.Customer)
	set(q, "account", s.filter.Account)
	k := call{method: http.MethodGet, path: pathTo("events"), query: q, header: http.Header{}, stream: true}
	if s.filter.After != "" {
		k.header.Set("Last-Event-ID", s.filter.After)
	}
	return k
}

// lasted is how long a connection must have stood for its end not to count as a refusal.
const lasted = 5 * time.Second

// maxEvent is the size of the largest event that is read, all of its lines together.
const maxEvent = 16 << 20

// read passes on the events of one connection until the connection ends.
func (s *stream) read(r io.Reader) (end bool, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	// The position counts once its event is complete.
	kind, place := "", s.filter.After
	var data bytes.Buffer
	for lines.Scan() {
		if s.filter.Listening != nil {
			s.filter.Listening()
			s.filter.Listening = nil
		}
		line := lines.Text()
		if line == "" {
			s.filter.After = place
			if data.Len() > 0 && s.pass(kind, data.Bytes()) {
				return true, nil
			}
			kind = ""
			data.Reset()
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			kind = value
		case "data":
			if data.Len()+len(value) > maxEvent {
				return false, bufio.ErrTooLong
			}
			if data.Len() > 0 {
				data.WriteByte('\n')
			}
			data.WriteString(value)
		case "id":
			place = value
		}
	}
	return false, lines.Err()
}

// pass hands one event to the caller, if this client knows its kind.
func (s *stream) pass(kind string, data []byte) (end bool) {
	ev := Event{ID: s.filter.After}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	switch kind {
	case "extraction.updated":
		if err := d.Decode(&ev.Extraction); err != nil || ev.Extraction.ID == "" {
			s.yield(Event{}, &Error{Status: http.StatusOK, Code: CodeNotAPI, Detail: "an event is no extraction"})
			return true
		}
	case "stream.gap":
		var gap struct {
			Account string `json:"account"`
		}
		if err := d.Decode(&gap); err != nil || gap.Account == "" {
			s.yield(Event{}, &Error{Status: http.StatusOK, Code: CodeNotAPI, Detail: "an event of missed changes names no account"})
			return true
		}
		ev.Missed = gap.Account
	default:
		return false
	}
	s.broken = 0
	if !s.yield(ev, nil) {
		return true
	}
	return s.filter.Extraction != "" && ev.Extraction.Status.Final()
}
