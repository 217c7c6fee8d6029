package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/httpauth"
)

// A key that is gone, or that may see less, loses its open streams and waits; others, and
// one that only got a second secret, keep theirs.
func TestReloadEndsWhatIsHeld(t *testing.T) {
	t.Parallel()
	key := func(name, secret, customer string, accounts ...string) Key {
		return Key{Name: name, Digest: httpauth.Digest(secret), Customer: customer, Accounts: accounts}
	}
	before := []Key{key("kept", "a", ""), key("gone", "b", ""), key("accounts", "c", "", "acme", "other"), key("customer", "d", "")}
	after := []Key{key("kept", "new", ""), key("kept", "a", ""), key("accounts", "c", "", "acme"), key("customer", "d", "x")}
	r := newRig(t, func(c *Config) { c.Keys = before })
	streams := map[string]<-chan event{}
	waits := map[string]chan int{}
	id := r.submit("account=acme&type=t", "Authorization", "Bearer a")
	for i, secret := range []string{"a", "b", "c", "d"} {
		name := before[i].Name
		streams[name], _ = r.listen(t.Context(), "", "", "Authorization", "Bearer "+secret)
		waits[name] = make(chan int, 2)
		for _, path := range []string{"/v1/extractions/" + id + "?wait=60s", "/v1/ready?wait=60s"} {
			go func() {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
				req.Header.Set("Authorization", "Bearer "+secret)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					waits[name] <- 0
					return
				}
				_ = res.Body.Close()
				waits[name] <- res.StatusCode
			}()
		}
	}
	open := func() int {
		r.server.holds.mu.Lock()
		defer r.server.holds.mu.Unlock()
		return len(r.server.holds.open)
	}
	for end := time.Now().Add(30 * time.Second); open() < 12; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d are held, want 12", open())
		}
	}
	r.server.Reload(r.cfg.Accounts, after, r.cfg.HookTokens)
	for _, name := range []string{"gone", "accounts", "customer"} {
		for range 2 {
			if status := <-waits[name]; status != http.StatusUnauthorized {
				t.Errorf("a wait of %s ends with %d, want 401", name, status)
			}
		}
		if e, more := <-streams[name]; more {
			t.Errorf("the stream of %s goes on with %+v", name, e)
		}
	}
	if n := open(); n != 3 {
		t.Errorf("%d are held, want the 3 of the key that stays", n)
	}
	next := r.submit("account=acme&type=t", "Authorization", "Bearer new")
	if e := r.next(streams["kept"]); e.extraction != next {
		t.Errorf("the kept stream has %+v, want %s", e, next)
	}
}
