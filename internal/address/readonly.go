package address

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// A server that was the master may have become a replica, while a proxy or a name leads to
// the new one: the old connections lead nowhere that can be written to. The client drops
// the one that was refused, if the reply begins as Redis's own does, and the next one it
// takes is another old one.

// newcomers lets a client dial anew after any reply that says READONLY: connections from
// before are dropped when they would be used next.
type newcomers struct{ epoch atomic.Int64 }

var _ redis.Hook = (*newcomers)(nil)

// DialHook notes in which epoch a connection was made.
func (n *newcomers) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		epoch := n.epoch.Load()
		c, err := next(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &connection{Conn: c, of: n, epoch: epoch}, nil
	}
}

// ProcessHook tries a command once more where a replica refused it: nothing was done.
func (n *newcomers) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := next(ctx, cmd); !refusedByReplica(err) {
			return err
		}
		n.epoch.Add(1)
		cmd.SetErr(nil)
		err := next(ctx, cmd)
		if refusedByReplica(err) {
			n.epoch.Add(1)
		}
		return err
	}
}

// ProcessPipelineHook leaves the next try to the caller: some of the commands may have been
// carried out.
func (n *newcomers) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		refused := refusedByReplica(err)
		for _, cmd := range cmds {
			refused = refused || refusedByReplica(cmd.Err())
		}
		if refused {
			n.epoch.Add(1)
		}
		return err
	}
}

// refusedByReplica reports whether a reply says READONLY anywhere: scripts and proxies
// write before it.
func refusedByReplica(err error) bool {
	reply, ok := errors.AsType[redis.Error](err)
	return ok && strings.Contains(reply.Error(), "READONLY")
}

// connection is one of an epoch.
type connection struct {
	net.Conn

	of    *newcomers
	epoch int64
}

var errReplica = errors.New("the server at the other end has become a replica")

// SyscallConn is what the pool asks for before it hands out a connection, to see whether
// it is still good. One of an earlier epoch is not.
func (c *connection) SyscallConn() (syscall.RawConn, error) {
	if c.epoch != c.of.epoch.Load() {
		return nil, errReplica
	}
	if raw, ok := c.Conn.(syscall.Conn); ok {
		return raw.SyscallConn()
	}
	return unseen{}, nil // With TLS there is nothing to be seen from outside.
}

// unseen is a connection of which nothing can be read beforehand.
type unseen struct{}

func (unseen) Control(func(uintptr)) error    { return nil }
func (unseen) Read(func(uintptr) bool) error  { return nil }
func (unseen) Write(func(uintptr) bool) error { return nil }
