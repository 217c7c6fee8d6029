package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// commentEvery keeps an idle stream open.
const commentEvery = 15 * time.Second

// writeWithin is how long a listener may take to receive.
const writeWithin = 10 * time.Second

// eventFilters are the parameters of a stream, each given at most once.
var eventFilters = []string{"extraction", "batch", "customer", "account"}

func (s *Server) registerEvents(api huma.API) {
	op := huma.Operation{
		OperationID: "streamEvents", Tags: tagged(tagEvents), Method: http.MethodGet, Path: "/v1/events", Summary: "Listen to changes (Server-Sent Events)",
		Description: "Events extraction.updated with the extraction, without its result. Resume with Last-Event-ID: " +
			"about the last 10,000 changes of each account are kept, and where some are missing an event stream.gap names the account. " +
			"A stream for one extraction ends after the final event; opened again with that event's id, it is answered with 204.",
		Responses: map[string]*huma.Response{
			"200": {Description: "a stream", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: "string"}}}},
			"204": {Description: "the one extraction is final and its last event was received"},
		},
		Parameters: []*huma.Param{{Name: "Last-Event-ID", In: "header", Schema: &huma.Schema{Type: "string"}}},
	}
	for _, name := range eventFilters {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Schema: &huma.Schema{Type: "string"}})
	}
	describeProblems(api, &op, 404)
	api.OpenAPI().AddOperation(&op)
	api.Adapter().Handle(&op, func(c huma.Context) {
		r, w := humago.Unwrap(c)
		if err := s.events(w, r); err != nil {
			writeProblem(w, s.explain(err))
		}
	})
}

// listener is one event stream.
type listener struct {
	s      *Server
	w      http.ResponseWriter
	ctl    *http.ResponseController
	filter extraction.Filter
	id     string // A single extraction; empty for all that match.
	// asked is the account in the query, if any.
	asked []string
	// after are the positions in the accounts' streams.
	after map[string]string
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	ctx, release := s.hold(r.Context())
	defer release()
	for name, values := range q {
		if !slices.Contains(eventFilters, name) || len(values) > 1 {
			return fmt.Errorf("%w: the query is at most one each of %s", extraction.ErrInvalid, strings.Join(eventFilters, ", "))
		}
	}
	l := &listener{s: s, w: w, ctl: http.NewResponseController(w), id: q.Get("extraction")}
	if name := q.Get("account"); name != "" {
		l.asked = []string{name}
	}
	accounts, f, err := s.filter(ctx, extraction.Filter{Account: l.asked, Customer: q.Get("customer"), Batch: q.Get("batch")})
	if err != nil {
		return err
	}
	l.filter = f
	resumed, err := parseEventID(r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	changed, done := s.hub.watch(l.id)
	defer done()
	if l.id != "" {
		rec, err := s.find(ctx, l.id)
		if err != nil {
			return err
		}
		accounts = []string{rec.Account}
		if resumed[rec.Account] == "" {
			resumed = nil // The id is of another stream and says nothing about this one.
		} else if missing, err := s.cfg.Records.EventsMissing(ctx, rec.Account, resumed[rec.Account]); err != nil {
			return err
		} else if missing {
			resumed = nil // It may have missed its own end, so it begins with its state.
		}
		if rec.Status.Final() && resumed != nil {
			missed, err := l.missed(ctx, rec, resumed)
			if err == nil && !missed {
				w.WriteHeader(http.StatusNoContent)
			}
			if err != nil || !missed {
				return err
			}
		}
	}
	l.after = map[string]string{}
	for _, account := range accounts {
		switch {
		case resumed[account] != "":
			l.after[account] = resumed[account]
		case resumed != nil: // The account has appeared since: all of it is new.
			l.after[account] = startOfStream
		default:
			if l.after[account], err = s.cfg.Records.EventCursor(ctx, account); err != nil {
				return err
			}
		}
	}
	return l.run(ctx, changed, resumed == nil)
}

// startOfStream precedes the first event of an account.
const startOfStream = "0-0"

// join adds the accounts that have appeared since, from their first event on.
func (l *listener) join(ctx context.Context) error {
	if l.id != "" {
		return nil
	}
	accounts, err := l.s.scope(ctx, l.asked...)
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if _, known := l.after[account]; !known {
			l.after[account] = startOfStream
		}
	}
	return nil
}

// missed reports whether a final extraction has events after a position.
func (l *listener) missed(ctx context.Context, rec store.Record, after map[string]string) (bool, error) {
	cursor := after[rec.Account]
	for {
		events, err := l.s.cfg.Records.Events(ctx, rec.Account, cursor, eventPage)
		if err != nil {
			return false, err
		}
		for _, e := range events {
			if cursor = e.Cursor; e.ID == rec.ID {
				return true, nil
			}
		}
		if len(events) < eventPage {
			return false, nil
		}
	}
}

// run writes events until the listener disconnects, the server stops, or the single
// extraction is final. If fresh is set, it begins with the present state.
func (l *listener) run(ctx context.Context, changed <-chan struct{}, fresh bool) error {
	h := l.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	hello := ": listening\n"
	if l.id == "" && len(l.after) > 0 {
		// Send the position from which the stream listens, so that a connection that breaks
		// before the first event is resumed without a gap. The stream of a single
		// extraction begins with its state; one of no accounts has no position.
		hello += "id: " + formatEventID(l.after) + "\n"
	}
	if err := l.write(hello + "\n"); err != nil {
		return nil
	}
	if l.id != "" && fresh {
		rec, err := l.s.find(ctx, l.id)
		if err != nil {
			return nil
		}
		if l.send(rec) != nil || rec.Status.Final() {
			return nil
		}
	}
	ticker := time.NewTicker(commentEvery)
	defer ticker.Stop()
	for {
		if l.join(ctx) != nil {
			return nil
		}
		for account := range l.after {
			if end, err := l.drain(ctx, account); end || err != nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.s.stopping.Done():
			_ = l.write("event: server.stopping\ndata: {}\n\n")
			return nil
		case <-changed:
		case <-ticker.C:
			if l.write(": \n\n") != nil {
				return nil
			}
		}
	}
}

// drain writes the new events of an account.
func (l *listener) drain(ctx context.Context, account string) (end bool, err error) {
	for {
		events, err := l.s.cfg.Records.Events(ctx, account, l.after[account], eventPage)
		if err != nil {
			return false, err
		}
		// Many more events are kept than fit a page, so only now can events have been
		// dropped.
		if len(events) == eventPage && l.id == "" {
			missing, err := l.s.cfg.Records.EventsMissing(ctx, account, l.after[account])
			if err != nil {
				return false, err
			}
			if missing {
				if err := l.write(fmt.Sprintf("event: stream.gap\ndata: {\"account\":%q}\n\n", account)); err != nil {
					return false, err
				}
			}
		}
		for _, e := range events {
			l.after[account] = e.Cursor
			if l.id != "" && e.ID != l.id {
				continue
			}
			rec, err := l.s.cfg.Records.Get(ctx, account, e.ID)
			if errors.Is(err, store.ErrNotFound) {
				if l.id != "" {
					return true, nil
				}
				continue
			}
			if err != nil {
				return false, err
			}
			if !rec.Matches(l.filter) {
				continue
			}
			last := l.id != "" && rec.Status.Final()
			if last {
				// This event may be an earlier one: what follows it says no more.
				if l.after[account], err = l.s.cfg.Records.EventCursor(ctx, account); err != nil {
					return false, err
				}
			}
			if err := l.send(rec); err != nil || last {
				return last, err
			}
		}
		if len(events) < eventPage {
			return false, nil
		}
	}
}

// send writes an extraction in its present state.
func (l *listener) send(rec store.Record) error {
	body, err := json.Marshal(rec.Extraction())
	if err != nil {
		return err
	}
	return l.write(fmt.Sprintf("id: %s\nevent: extraction.updated\ndata: %s\n\n", formatEventID(l.after), body))
}

// write sends text within writeWithin: a listener that does not read is disconnected.
func (l *listener) write(text string) error {
	_ = l.ctl.SetWriteDeadline(time.Now().Add(writeWithin)) // Some writers have no deadlines.
	if _, err := l.w.Write([]byte(text)); err != nil {
		return err
	}
	return l.ctl.Flush()
}

// The id of an event holds the positions in all streams of its listener.

func formatEventID(after map[string]string) string {
	body, err := json.Marshal(after)
	if err != nil {
		panic(err) // Strings always encode.
	}
	return base64.RawURLEncoding.EncodeToString(body)
}

// streamID is a position in a stream, less than the largest that Redis allows.
var streamID = regexp.MustCompile(`^[0-9]{1,19}-[0-9]{1,19}$`)

func parseEventID(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	var after map[string]string
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(body, &after)
	}
	for account, cursor := range after {
		if !extraction.ValidAccount(account) || !streamID.MatchString(cursor) {
			err = errors.New("no place in a stream")
		}
	}
	if err != nil || len(after) == 0 {
		return nil, problem(http.StatusUnprocessableEntity, codeCursor, "Last-Event-ID is not one that an event had")
	}
	return after, nil
}
