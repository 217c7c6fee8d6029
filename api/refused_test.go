package api

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/extractq/extractq/internal/httpauth"
)

// kept are the log and the counters of an API.
type kept struct {
	mu     sync.Mutex
	log    bytes.Buffer
	counts map[string]int
}

func (k *kept) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.log.Write(b)
}

func (k *kept) refused(reason string, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counts[reason] += n
}

// counted is how often a reason was counted; -1 where there is no counter.
func (k *kept) counted(reason string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n, ok := k.counts[reason]; ok {
		return n
	}
	return -1
}

// Who is not let in is logged and counted with the address and the reason, and never
// with what was sent. There is no lock-out.
func TestRefusedIsSeen(t *testing.T) {
	t.Parallel()
	seen := &kept{counts: map[string]int{}}
	r := newRig(t, withHooks, func(c *Config) {
		c.Keys = []Key{{Name: "billing", Digest: httpauth.Digest("right-key")}}
		c.Logger, c.Refused = slog.New(slog.NewTextHandler(seen, nil)), seen.refused
	})
	for _, reason := range []string{"no_key", "unknown_key", "hook_token", "foreign"} {
		if n := seen.counted(reason); n != 0 {
			t.Errorf("%s begins with %d: want a counter at 0", reason, n)
		}
	}
	for range 50 {
		r.do("GET", "/v1/accounts", "", "Authorization", "Bearer "+marker).wantProblem(t, "an unknown key", 401, codeUnauthorized)
	}
	r.do("GET", "/docs/", "", "Authorization", "Basic "+marker).wantProblem(t, "an unknown password", 401, codeUnauthorized)
	r.do("GET", "/v1/accounts", "", "Authorization", "Digest right-key").wantProblem(t, "another scheme", 401, codeUnauthorized)
	r.do("GET", "/v1/"+marker, "").wantProblem(t, "no key", 401, codeUnauthorized)
	r.do("POST", "/v1/hooks/acme/"+marker, "{}").wantProblem(t, "a forged webhook", 404, codeNotFound)
	r.do("POST", "/v1/hooks/"+marker+"/"+hookToken, "{}").wantProblem(t, "another account's webhook", 404, codeNotFound)
	r.do("GET", "/v1/accounts", "", "Authorization", "Bearer right-key").want(t, "the right key", 200)
	r.server.refusals.Close() // It says what was only counted.
	seen.mu.Lock()
	defer seen.mu.Unlock()
	got := seen.log.String()
	for _, want := range []string{
		`level=WARN msg="request refused" reason=unknown_key remote=127.0.0.1`, `msg="more requests refused" reason=unknown_key count=51 latest_remote=127.0.0.1`,
		`level=INFO msg="request refused" reason=no_key remote=127.0.0.1`,
		`level=WARN msg="request refused" reason=hook_token remote=127.0.0.1`, `msg="more requests refused" reason=hook_token count=1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the log has no %s: %s", want, got)
		}
	}
	if strings.Contains(got, marker) || strings.Contains(got, "right-key") || strings.Count(got, "refused") != 5 {
		t.Errorf("the log has more than it should: %s", got)
	}
	for reason, want := range map[string]int{"unknown_key": 52, "no_key": 1, "hook_token": 2, "foreign": 0} {
		if seen.counts[reason] != want {
			t.Errorf("%s: %d counted, want %d", reason, seen.counts[reason], want)
		}
	}
}

// So is a page that reads from an API without keys under a name that leads here.
func TestForeignIsSeen(t *testing.T) {
	t.Parallel()
	seen := &kept{counts: map[string]int{}}
	r := newRig(t, func(c *Config) { c.Refused = seen.refused })
	r.do("GET", "/v1/accounts", "", "Origin", "https://evil.example").wantProblem(t, "another site", 403, codeForbidden)
	if n := seen.counted("foreign"); n != 1 {
		t.Errorf("%d counted", n)
	}
}
