package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines are log lines, as they were written.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

// take is what was logged since the last call, without times.
func (l *lines) take(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []map[string]any
	for d := json.NewDecoder(&l.all); d.More(); {
		line := map[string]any{}
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		delete(line, "time")
		out = append(out, line)
	}
	return out
}

func from(addr string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/hooks/acme/s3cret", http.NoBody)
	r.RemoteAddr = addr
	return r
}

// A flood of one reason is two lines: the first at once, the rest counted; another
// reason has its own, and what is left is said at the end.
func TestRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, counts := new(lines), map[string]int{}
		f := NewRefusals(slog.New(slog.NewJSONHandler(log, nil)), func(reason string, n int) { counts[reason] += n }, NoKey, UnknownKey)
		if _, ok := counts[NoKey]; !ok || len(counts) != 2 {
			t.Errorf("before the first refusal the counters are %v, want zeros", counts)
		}
		for range 20_000 {
			f.Note(from("192.0.2.7:41000"), UnknownKey)
		}
		f.Note(from("[2001:db8::1]:99"), NoKey)
		f.Note(from("[2001:db8::2]:99"), UnknownKey)
		want := func(what string, want ...map[string]any) {
			t.Helper()
			got, err := json.Marshal(log.take(t))
			wanted, err2 := json.Marshal(want)
			if err != nil || err2 != nil || string(got) != string(wanted) {
				t.Errorf("%s: logged %s, want %s", what, got, wanted)
			}
		}
		want("at once",
			map[string]any{"level": "WARN", "msg": "request refused", "reason": "unknown_key", "remote": "192.0.2.7"},
			map[string]any{"level": "INFO", "msg": "request refused", "reason": "no_key", "remote": "2001:db8::1"})
		time.Sleep(quiet + time.Millisecond)
		want("afterwards", map[string]any{"level": "WARN", "msg": "more requests refused", "reason": "unknown_key", "count": 20_000, "latest_remote": "2001:db8::2"})
		f.Note(from("192.0.2.7:1"), UnknownKey)
		want("still within the time of a line")
		f.Close()
		want("at the end", map[string]any{"level": "WARN", "msg": "more requests refused", "reason": "unknown_key", "count": 1, "latest_remote": "192.0.2.7"})
		f.Note(from("192.0.2.7:1"), UnknownKey)
		time.Sleep(3 * quiet)
		want("after the end")
		if counts[UnknownKey] != 20_003 || counts[NoKey] != 1 {
			t.Errorf("counted %v", counts)
		}
	})
}

// After a quiet time the next refusal has its own line again.
func TestRefusalsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := new(lines)
		f := NewRefusals(slog.New(slog.NewJSONHandler(log, nil)), nil)
		defer f.Close()
		for range 3 {
			f.Note(from("192.0.2.7:1"), HookToken)
			time.Sleep(quiet + time.Millisecond)
		}
		if got := log.take(t); len(got) != 3 || got[2]["msg"] != "request refused" {
			t.Errorf("logged %v", got)
		}
	})
}
