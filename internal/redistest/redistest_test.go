package redistest

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestStartGivesEachTestItsOwnServer(t *testing.T) {
	t.Parallel()
	a, b := Client(t), Client(t)
	if err := a.Set(t.Context(), "k", "a", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Exists(t.Context(), "k").Result(); err != nil || n != 0 {
		t.Errorf("Exists on the other server = %v, %v, want 0", n, err)
	}
}

func TestURLIsOneThatGoRedisParses(t *testing.T) {
	t.Parallel()
	s := Start(t)
	opts, err := redis.ParseURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opts)
	defer func() { _ = c.Close() }()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("Ping at %s = %v", s.URL, err)
	}
}

func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"durable": {args: Durable(), want: "v"},
		"memory":  {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Start(t, tt.args...)
			c := s.Client()
			if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
			before := s.Pid()
			s.Kill()
			if err := c.Ping(t.Context()).Err(); err == nil {
				t.Error("Ping of a killed server = nil, want an error")
			}
			s.Restart()
			if after := s.Pid(); after == before || after == 0 {
				t.Errorf("Pid after Restart = %d, before %d", after, before)
			}
			got, err := c.Get(t.Context(), "k").Result()
			if err != nil && !errors.Is(err, redis.Nil) {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("k after a crash = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestArgumentsWinOverDefaults(t *testing.T) {
	t.Parallel()
	c := Client(t, "--maxmemory", "7mb")
	got, err := c.ConfigGet(t.Context(), "maxmemory").Result()
	if err != nil {
		t.Fatal(err)
	}
	if got["maxmemory"] != "7340032" {
		t.Errorf("maxmemory = %q, want 7340032", got["maxmemory"])
	}
}

func TestLongTestNamesStillFitASocket(t *testing.T) {
	t.Parallel()
	t.Run(strings.Repeat("long", 40), func(t *testing.T) {
		t.Parallel()
		if got := len(Start(t).socket); got > maxSocketPath {
			t.Errorf("socket path has %d bytes, want at most %d", got, maxSocketPath)
		}
	})
}
