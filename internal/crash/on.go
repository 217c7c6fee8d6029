//go:build crash

package crash

import (
	"context"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// The environment of a program that is built with the tag crash.
const (
	// AtEnv is the point at which the process is killed, with "#3" behind it the third
	// time that it is passed.
	AtEnv = "EXTRACTQ_CRASH_AT"
	// SeenEnv is a file that gets a line for each point that is passed.
	SeenEnv = "EXTRACTQ_CRASH_SEEN"
	// LeaseEnv is what Lease returns.
	LeaseEnv = "EXTRACTQ_CRASH_LEASE"
)

var state = sync.OnceValue(func() *points {
	p := &points{passed: map[string]int{}, nth: 1}
	at, n, counted := strings.Cut(os.Getenv(AtEnv), "#")
	p.at = at
	if counted {
		p.nth, _ = strconv.Atoi(n)
	}
	if name := os.Getenv(SeenEnv); name != "" {
		p.seen, _ = os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
	return p
})

type points struct {
	at   string
	nth  int
	seen *os.File

	mu     sync.Mutex
	passed map[string]int
}

// pass is called at a point.
func (p *points) pass(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passed[name]++
	if p.seen != nil {
		_, _ = p.seen.WriteString(name + "\n")
	}
	if name == p.at && p.passed[name] == p.nth {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // The lock is held: nothing passes a point any more.
	}
}

func at(when, what string) {
	if where := caller(); where != "" {
		state().pass(when + " " + what + ": " + where)
	}
}

// Before is the point before an effect.
func Before(effect string) { at("before", effect) }

// After is the point after an effect.
func After(effect string) { at("after", effect) }

// Lease is how long a step is held here, 0 for as long as always.
func Lease() time.Duration {
	d, _ := time.ParseDuration(os.Getenv(LeaseEnv))
	return d
}

// Redis gives every write of a client its points.
func Redis(c redis.UniversalClient) { c.AddHook(hook{}) }

type hook struct{}

func (hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if reads[cmd.Name()] {
			return next(ctx, cmd)
		}
		Before("Redis")
		err := next(ctx, cmd)
		After("Redis")
		return err
	}
}

func (hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		writes := false
		for _, cmd := range cmds {
			writes = writes || !reads[cmd.Name()]
		}
		if !writes {
			return next(ctx, cmds)
		}
		Before("Redis")
		err := next(ctx, cmds)
		After("Redis")
		return err
	}
}

// reads are the commands that change nothing.
var reads = func() map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsSeq(`client cluster command config dbsize exists get hello hexists hget hgetall
		hlen hmget info lindex llen lpos lrange memory mget pexpiretime ping psubscribe pttl publish scan scard script
		select sismember smembers smismember strlen subscribe time ttl type unsubscribe wait zcard zcount zmscore
		xinfo xlen xrange xread xrevrange zrandmember zrange zrangebyscore zrank zrevrange zrevrangebyscore zscore multi exec hscan sscan zscan`) {
		out[name] = true
	}
	return out
}()

// Transport gives every request its points: before it, after the last byte of its body
// was let go, and after the head of its answer.
func Transport(what string, next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		what := what + " " + r.Method
		Before(what)
		if r.Body != nil && r.Body != http.NoBody {
			where := caller()
			r = r.Clone(r.Context())
			r.Body = &body{ReadCloser: r.Body, sent: func() { state().pass("sent " + what + ": " + where) }}
		}
		resp, err := next.RoundTrip(r)
		After(what)
		return resp, err
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// body tells when its end was read.
type body struct {
	io.ReadCloser

	sent func()
	once sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.once.Do(b.sent)
	}
	return n, err
}
