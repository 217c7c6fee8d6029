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

// EventFilter chooses what to listen to; what is empty chooses all.
type EventFilter struct {
	// Extraction is the id of the one extraction; its events end with its final one.
	Extraction               string
	Batch, Customer, Account string
	// After is the ID of the last event that was seen: those behind it come first.
	After string
	// Listening, where it is set, is called once, as soon as the server listens: of
	// what changes from then on an event tells.
	Listening func()
}

// Event is a change of an extraction.
type Event struct {
	// ID is the place behind the event: give it as EventFilter.After to go on later.
	ID string
	// Extraction is as it was when the event was sent, without its result. Several
	// changes may be one event.
	Extraction Extraction
	// Missed is an account of which changes were missed before this place, because the
	// server keeps them no longer: list its extractions again. The event has no Extraction
	// then. It is empty for every other event.
	Missed string
}

// Events iterates over changes as they happen. A connection that breaks is made
// again, and goes on behind the last event: an event may come twice, and where the server
// does not keep all of those in between any more, an Event with Missed says so. It ends with the final event of the one extraction, with the context,
// or behind the first error.
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

// stream is a sequence of connections that are one to the caller.
type stream struct {
	c      *Client
	filter EventFilter
	yield  func(Event, error) bool
	// broken counts the connections in a row that ended soon and brought nothing.
	broken int
}

// listen makes one connection and passes on what it brings. end reports that the
// whole stream is over.
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
	wait, again := s.c.cfg.patience(e, max(s.broken, 1), s.c.random())
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

// lasted is how long a connection must have been there for its end to be no sign of
// a server that takes none.
const lasted = 5 * time.Second

// maxEvent is the longest event that is read, all its lines together.
const maxEvent = 16 << 20

// read passes on the events of one connection, until it ends.
func (s *stream) read(r io.Reader) (end bool, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	// The place counts when its event is whole.
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

// pass gives one event to the caller, if it is of a kind that this client knows.
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
