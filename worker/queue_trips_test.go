//go:build unix

package worker

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by it.
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// trips counts the round trips of a client by what they are for: the name of a script of
// ours or of asynq, or the command. A pipeline is one, under the name of its first command.
type trips struct {
	mu       sync.Mutex
	scripts  map[string]string // Names by digest.
	count    map[string]int    // By name.
	commands map[string]int    // What was sent, by command, each of a pipeline.
}

func newTrips() *trips {
	return &trips{scripts: map[string]string{}, count: map[string]int{}, commands: map[string]int{}}
}

func (t *trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (t *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		t.note(cmd)
		return err
	}
}

func (t *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		t.note(cmds...)
		return err
	}
}

func (t *trips) note(cmds ...redis.Cmder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count[t.name(cmds[0])]++
	for _, cmd := range cmds {
		t.commands[cmd.Name()]++
	}
}

// scriptName is how our scripts call themselves: the records' in their first line, the
// others' behind what they share.
var scriptName = regexp.MustCompile(`(?m)^local NAME, GRACE, ride = '(\w+)'|^-- (\w+): `)

// name is what a command is for. asynq's scripts have no name: their keys tell.
func (t *trips) name(cmd redis.Cmder) string {
	args := cmd.Args()
	if cmd.Name() != "evalsha" && cmd.Name() != "eval" {
		return cmd.Name()
	}
	text, _ := args[1].(string)
	if cmd.Name() == "eval" { // The server does not know the script yet.
		digest := sha1.Sum([]byte(text)) //nolint:gosec // It is Redis's name for a script.
		if found := scriptName.FindStringSubmatch(text); found != nil {
			t.scripts[hex.EncodeToString(digest[:])] = found[1] + found[2]
		}
		return "eval"
	}
	if name, ok := t.scripts[text]; ok {
		return name
	}
	var keys []string
	n, _ := strconv.Atoi(fmt.Sprint(args[2]))
	for i := range n {
		key := fmt.Sprint(args[3+i])
		keys = append(keys, key[strings.LastIndexByte(key, ':')+1:])
	}
	switch key := keys[0]; {
	case key == "pending" && errors.Is(cmd.Err(), redis.Nil):
		return "asynq dequeue, empty"
	case key == "pending":
		return "asynq dequeue"
	case key == "active" && keys[2] == "completed":
		return "asynq complete"
	case key == "active":
		return "asynq done"
	case key == "scheduled" || key == "retry":
		return "asynq forward"
	case len(keys) == 2 && (keys[1] == "pending" || keys[1] == "scheduled"):
		return "asynq enqueue"
	}
	return "asynq, other"
}

// reset sets all counts to zero.
func (t *trips) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.count)
	clear(t.commands)
}

// redisMicros is how long Redis has worked on what the client sent, since its statistics
// were reset. Redis counts what scripts call as well, apart: only what was sent counts here.
func (t *trips) redisMicros(b *testing.B, rdb *redis.Client) float64 {
	b.Helper()
	info, err := rdb.Info(context.Background(), "commandstats").Result()
	if err != nil {
		b.Fatal(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	total := 0.0
	for line := range strings.SplitSeq(info, "\r\n") {
		name, stats, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
		_, each, _ := strings.Cut(stats, "usec_per_call=")
		each, _, _ = strings.Cut(each, ",")
		if per, err := strconv.ParseFloat(each, 64); err == nil {
			total += per * float64(t.commands[name])
		}
	}
	return total
}
