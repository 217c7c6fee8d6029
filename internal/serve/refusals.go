package serve

import (
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// The reasons why a request is refused before it is looked at, as the log and the
// metrics name them.
const (
	NoKey      = "no_key"      // A key is needed and none was sent.
	UnknownKey = "unknown_key" // What was sent is no key of ours.
	LimitedKey = "limited_key" // The key is for less than what was asked for.
	HookToken  = "hook_token"  // A webhook whose URL has no token of ours.
	Foreign    = "foreign"     // Another site's page, or a host name that is not ours.
)

// quiet is how long a reason is not logged again.
const quiet = 10 * time.Second

// Refusals leaves a trace of the requests that a server refuses: keys that are being
// guessed, and a client with an outdated one, are seen in the metrics and in the log.
// A reason has one line in 10 s, whatever comes in; the requests in between are counted
// and said together. It slows no request down and locks no address out.
type Refusals struct {
	log   *slog.Logger
	count func(reason string, n int)
	quiet time.Duration

	mu   sync.Mutex
	open map[string]*unsaid // By reason; nil once closed.
}

// unsaid are the requests since the last line about a reason.
type unsaid struct {
	n      int
	remote string // The latest one's address.
	timer  *time.Timer
}

// NewRefusals returns the refusals of one server. count may be nil; it is called for each
// of the reasons with 0 at once, so that their counters are there before the first
// refusal.
func NewRefusals(log *slog.Logger, count func(reason string, n int), reasons ...string) *Refusals {
	if count == nil {
		count = func(string, int) {}
	}
	for _, reason := range reasons {
		count(reason, 0)
	}
	return &Refusals{log: log, count: count, quiet: quiet, open: map[string]*unsaid{}}
}

// Note counts a refusal, and logs it unless the reason was logged a moment ago. Nothing
// of the request but its address is logged: what was sent may be a key with a typing
// error, and a webhook's path holds its token.
func (f *Refusals) Note(r *http.Request, reason string) {
	f.count(reason, 1)
	remote := r.RemoteAddr
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		return
	}
	if u := f.open[reason]; u != nil {
		u.n, u.remote = u.n+1, remote
		return
	}
	f.log.LogAttrs(r.Context(), level(reason), "request refused", slog.String("reason", reason), slog.String("remote", remote))
	f.wait(reason)
}

// wait begins the time in which the reason is counted only.
func (f *Refusals) wait(reason string) {
	u := &unsaid{}
	u.timer = time.AfterFunc(f.quiet, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open[reason] != u {
			return
		}
		delete(f.open, reason)
		if f.say(reason, u) {
			f.wait(reason)
		}
	})
	f.open[reason] = u
}

// say logs what was only counted, and reports whether there was anything.
func (f *Refusals) say(reason string, u *unsaid) bool {
	if u.n == 0 {
		return false
	}
	write := f.log.Warn // A timer has no context.
	if level(reason) == slog.LevelInfo {
		write = f.log.Info
	}
	write("more requests refused",
		slog.String("reason", reason), slog.Int("count", u.n), slog.String("latest_remote", u.remote))
	return true
}

// Close logs what has not been said yet. Refusals after it are counted only.
func (f *Refusals) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for reason, u := range f.open {
		u.timer.Stop()
		f.say(reason, u)
	}
	f.open = nil
}

// level is Info for a request without a key: a browser begins with one.
func level(reason string) slog.Level {
	if reason == NoKey {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}
