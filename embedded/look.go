package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// state is the state of the server behind a socket.
type state int

const (
	// silent: there is no server, or it does not reply.
	silent state = iota
	// loading: the server is reading its append-only file.
	loading
	// answering: the server is ready.
	answering
)

// look asks the server behind the recorded socket for its state.
func (p location) look(ctx context.Context) (state, string) {
	socket := p.socket()
	if socket == "" {
		return silent, ""
	}
	return ping(ctx, socket), socket
}

func ping(ctx context.Context, socket string) state {
	// Usually there is no server, and the client would log that.
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return silent
	}
	_ = conn.Close()
	c := client(socket)
	defer func() { _ = c.Close() }()
	err = c.Ping(ctx).Err()
	switch {
	case err == nil:
		return answering
	case redis.IsLoadingError(err):
		return loading
	}
	return silent
}

// persistent asks the server whether it writes its data to disk. The in-memory one does not
// know the command.
func persistent(ctx context.Context, socket string) bool {
	c := client(socket)
	defer func() { _ = c.Close() }()
	got, err := c.ConfigGet(ctx, "appendonly").Result()
	return err == nil && got["appendonly"] == "yes"
}

// shutdown stops a server that another process started, and returns when it has released
// its lock.
func (p location) shutdown() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), stopTimeout, errors.New("it did not end in time"))
	defer cancel()
	socket := p.socket()
	if socket == "" || ping(ctx, socket) == silent {
		return nil
	}
	c := client(socket)
	defer func() { _ = c.Close() }()
	// A server that shuts down closes the connection instead of replying.
	if err := c.Shutdown(ctx).Err(); err != nil && strings.HasPrefix(err.Error(), "ERR") {
		return fmt.Errorf("shut the embedded Redis down: %w", err)
	}
	lock, err := lockWait(ctx, p.serverLock(), exclusive)
	if err != nil {
		return fmt.Errorf("shut the embedded Redis down: %w", err)
	}
	p.removeSocket()
	return lock.release()
}

// client is for one or two calls: one connection and no retries, each of which would wait
// 100 ms.
func client(socket string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Network:                  "unix",
		Addr:                     socket,
		PoolSize:                 1,
		MaxRetries:               -1,
		DialerRetries:            1,
		DialTimeout:              2 * time.Second,
		ReadTimeout:              5 * time.Second,
		ContextTimeoutEnabled:    true,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}
