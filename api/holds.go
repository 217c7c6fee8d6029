package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
)

// holds are the streams and waits that are open. A reload ends those whose key is gone
// or may see less than it did when they began.
type holds struct {
	mu   sync.Mutex
	open map[*held]bool
}

// held is one of them.
type held struct {
	caller Key
	end    context.CancelCauseFunc
}

// errRevoked ends what a key may no longer see.
var errRevoked = errors.New("the key of this request is gone, or may see less than before")

// hold returns a context that ends when the caller's key is no longer good for what the
// request began with. release must be called.
func (s *Server) hold(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	h := &held{caller: callerOf(ctx), end: end}
	s.holds.mu.Lock()
	s.holds.open[h] = true
	s.holds.mu.Unlock()
	if !s.stillGood(h.caller) { // A reload came between the look at the key and this.
		end(errRevoked)
	}
	return ctx, func() {
		s.holds.mu.Lock()
		delete(s.holds.open, h)
		s.holds.mu.Unlock()
		end(nil)
	}
}

// endRevoked ends what is held for keys that are good no longer.
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
		return caller.Name == "" // Made without keys.
	}
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == caller.Name && k.Digest == caller.Digest })
	return i >= 0 && keys[i].covers(caller)
}

// covers reports whether a key sees all that another does.
func (k Key) covers(other Key) bool {
	if k.Customer != "" && k.Customer != other.Customer {
		return false
	}
	if len(k.Accounts) == 0 {
		return true
	}
	return len(other.Accounts) > 0 && !slices.ContainsFunc(other.Accounts, func(name string) bool { return !k.uses(name) })
}

// revoked is the answer to a request whose key was good when it began.
func revoked() error {
	return problem(http.StatusUnauthorized, codeUnauthorized, errRevoked.Error())
}
