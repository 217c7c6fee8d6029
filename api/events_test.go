package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// event is one that a stream gave.
type event struct{ id, name, status, extraction string }

// listen opens a stream and passes on its events until it ends.
func (r *rig) listen(ctx context.Context, query, lastID string, headers ...string) (<-chan event, int) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/v1/events?"+query, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := http.DefaultClient.Do(req) //nolint:bodyclose // The goroutine below closes it.
	if err != nil {
		r.t.Fatal(err)
	}
	out := make(chan event, 100)
	go func() {
		defer close(out)
		defer func() { _ = res.Body.Close() }()
		var e event
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				var x extraction.Extraction
				_ = json.Unmarshal([]byte(value), &x)
				e.status, e.extraction = string(x.Status), x.ID
				out <- e
				e = event{}
			}
		}
	}()
	return out, res.StatusCode
}

func (r *rig) next(events <-chan event) event {
	r.t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(20 * time.Second):
		r.t.Fatal("no event")
		return event{}
	}
}

// A stream for one extraction tells its states, ends with the last, and can be
// taken up where it broke.
func TestEventsOfOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.submit("account=acme&type=t")
	ctx, cancel := context.WithCancel(t.Context())
	events, status := r.listen(ctx, "extraction="+id, "")
	first := r.next(events)
	if status != 200 || first.status != "QUEUED" || first.name != "extraction.updated" || first.extraction != id {
		t.Errorf("first %d %+v", status, first)
	}
	cancel() // The connection breaks.
	r.finish(id, extraction.StatusSuccess)
	events, _ = r.listen(t.Context(), "extraction="+id, first.id)
	var seen []string
	var last event
	for e := range events {
		seen, last = append(seen, e.status), e
	}
	// The record is read when its event is passed on.
	if diff := cmp.Diff("SUCCESS", seen[len(seen)-1]); diff != "" {
		t.Errorf("seen %v", seen)
	}
	if _, status := r.listen(t.Context(), "extraction="+id, last.id); status != http.StatusNoContent {
		t.Errorf("after the final event: %d, want 204", status)
	}
	if again, _ := r.listen(t.Context(), "extraction="+id, ""); r.next(again).status != "SUCCESS" {
		t.Error("a fresh stream of a final one does not say so")
	}
	r.do("GET", "/v1/events?extraction=01JD0Z3M9V7Q8W2R5T6Y4X1C0B", "").wantProblem(t, "unknown", 404, codeNotFound)
	for _, bad := range []string{"x", "e30", "eyJhY21lIjoiKyJ9"} {
		r.do("GET", "/v1/events", "", "Last-Event-ID", bad).wantProblem(t, bad, 422, codeCursor)
	}
}

// The id of another stream says nothing of this one: it begins as a fresh one does.
func TestEventsOfOneByAnotherID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.submit("account=acme&type=t")
	r.finish(id, extraction.StatusSuccess)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	events, _ := r.listen(ctx, "extraction="+id, formatEventID(map[string]string{"other": "0-0"}))
	if e := r.next(events); e.status != "SUCCESS" {
		t.Errorf("got %+v, want the final state", e)
	}
}

// A stream of no accounts has no place that it could be taken up at.
func TestEventsOfNoAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/v1/events?account=nobody", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	hello := bufio.NewScanner(res.Body)
	for hello.Scan() && hello.Text() != "" {
		if strings.HasPrefix(hello.Text(), "id:") {
			t.Errorf("it has %q", hello.Text())
		}
	}
}

func TestEventsByFilter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.submit("account=acme&type=t") // The account has a stream.
	events, _ := r.listen(ctx, "batch=b", "")
	other := r.submit("account=acme&type=t&batch=other")
	id := r.submit("account=acme&type=t&batch=b")
	if e := r.next(events); e.extraction != id {
		t.Errorf("an event of %s (other is %s), want %s", e.extraction, other, id)
	}
	// A server that stops says so, and ends the stream.
	r.server.Stop()
	if e := r.next(events); e.name != "server.stopping" {
		t.Errorf("got %+v", e)
	}
	if _, open := <-events; open {
		t.Error("the stream goes on")
	}
}

// An account that appears later is listened to from its first event on, by a stream that
// is open and by one that is taken up again.
func TestEventsOfNewAccounts(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.Accounts = c.Accounts[:1] })
	r.submit("account=acme&type=t") // The stream has a place.
	ctx, cancel := context.WithCancel(t.Context())
	events, _ := r.listen(ctx, "", "")
	last := r.submit("account=acme&type=t")
	seen := r.next(events)
	if seen.extraction != last {
		t.Fatalf("an event of %s, want %s", seen.extraction, last)
	}
	cfg := r.cfg
	cfg.Accounts = append(cfg.Accounts[:1:1], Account{Name: "other", Provider: "fake", Check: checkFake})
	r.server.Reload(cfg.Accounts, cfg.Keys, cfg.HookTokens)
	id := r.submit("account=other&type=t")
	if e := r.next(events); e.extraction != id {
		t.Errorf("the open stream has an event of %s, want %s", e.extraction, id)
	}
	cancel()
	again, _ := r.listen(t.Context(), "", seen.id)
	if e := r.next(again); e.extraction != id {
		t.Errorf("the stream that was taken up has an event of %s, want %s", e.extraction, id)
	}
}

// What is kept no longer is said, and not passed over.
func TestEventsGap(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	id := r.submit("account=acme&type=t")
	events, _ := r.listen(ctx, "", "")
	r.submit("account=acme&type=t")
	old := r.next(events)
	cancel()
	one, _ := r.listen(t.Context(), "extraction="+id, "")
	first := r.next(one)

	stream := r.rdb.Keys(t.Context(), "*{acme}*ev*").Val()
	if len(stream) != 1 {
		t.Fatalf("streams %q", stream)
	}
	pipe := r.rdb.Pipeline()
	for range 12_000 {
		pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: stream[0], Values: []any{"id", "gone", "status", "QUEUED"}})
	}
	pipe.XTrimMaxLen(t.Context(), stream[0], 10_000)
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	events, _ = r.listen(t.Context(), "", old.id)
	if e := r.next(events); e.name != "stream.gap" {
		t.Errorf("got %+v, want the gap", e)
	}
	next := r.submit("account=acme&type=t")
	if e := r.next(events); e.extraction != next {
		t.Errorf("behind the gap %+v, want %s once", e, next)
	}
	// One that cannot have seen its end begins with its state.
	r.finish(id, extraction.StatusSuccess)
	again, status := r.listen(t.Context(), "extraction="+id, first.id)
	if e := r.next(again); status != http.StatusOK || e.status != "SUCCESS" {
		t.Errorf("taken up behind its gap: %d %+v", status, e)
	}
}
