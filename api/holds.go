package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
)

// holds are the open streams and waits. A reload ends those whose key was removed or may
// see less than when they began.
type holds struct {
	mu   sync.Mutex
	open map[*held]bool
}

// held is one open stream or wait.
type held struct {
	caller Key
	end    context.CancelCauseFunc
}

// errRevoked ends a request whose key may no longer see what it began with.
var errRevoked = errors.New("the key of this request is gone, or may see less than before")

// hold returns a context that ends when the caller's key may no longer see what the request
// began with. The caller must call release.
func (s *Server) hold(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	h := &held{caller: callerOf(ctx), end: end}
	s.holds.mu.Lock()
	s.holds.open[h] = true
	s.holds.mu.Unlock()
	if !s.stillGood(h.caller) { // A reload came between reading the key and registering.
		end(errRevoked)
	}
	return ctx, func() {
		s.holds.mu.Lock()
		delete(s.holds.open, h)
		s.holds.mu.Unlock()
		end(nil)
	}
}

// endRevoked ends the streams and waits of keys that are no longer good.
func (s *Server) endRevoked() {
	s.holds.mu.Lock()
	defer s.holds.mu.Unlock()
	for h := range s.holds.open {
		if !s.stillGood(h.caller) {
			h.end(errRevoked)
		}
	}
}

// stillGood reports whether a caller may still see all that it could.
func (s *Server) stillGood(caller Key) bool {
	keys := *s.keys.Load()
	if len(keys) == 0 {
		return caller.Name == "" // The request was made without keys.
	}
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == caller.Name && k.Digest == caller.Digest })
	return i >= 0 && keys[i].covers(caller)
}

// covers reports whether a key sees all that another one does.
func (k Key) covers(other Key) bool {
	if k.Customer != "" && k.Customer != other.Customer {
		return false
	}
	if len(k.Accounts) == 0 {
		return true
	}
	return len(other.Accounts) > 0 && !slices.ContainsFunc(other.Accounts, func(name string) bool { return !k.uses(name) })
}

// revoked is the answer to a request whose key was revoked meanwhile.
func revoked() error {
	return problem(http.StatusUnauthorized, codeUnauthorized, errRevoked.Error())
}
