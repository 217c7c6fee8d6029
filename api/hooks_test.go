package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/httpauth"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

const hookToken = "t0ken-of-acme"

// withHooks gives the account acme a vendor with webhooks, and a token.
func withHooks(c *Config) {
	for i := range c.Accounts {
		c.Accounts[i].Hook = func(body []byte) (extraction.Hook, error) {
			var said struct{ ID, Echo string }
			if err := json.Unmarshal(body, &said); err != nil {
				return extraction.Hook{}, errors.New("no JSON in " + string(body))
			}
			return extraction.Hook{VendorID: said.ID, Echo: said.Echo}, nil
		}
	}
	c.HookTokens = HookTokens{"acme": httpauth.Digest(hookToken)}
}

// atVendor submits a document as a worker would: the vendor has it as vendorID, and
// the next poll is an hour away.
func (r *rig) atVendor(vendorID string) store.Record {
	r.t.Helper()
	rec := r.record(r.submit("account=acme&type=t"))
	f := store.Fence{Input: rec.Input, Seq: rec.Seq, Token: store.NewToken()}
	if _, err := r.records.Begin(r.t.Context(), f, extraction.StepSubmit, time.Minute); err != nil {
		r.t.Fatal(err)
	}
	at, err := r.records.Next(r.t.Context(), f, extraction.StepPoll, time.Hour, extraction.BecauseScheduled, new(store.Change).Vendor(vendorID))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := queue.New(r.rdb).Schedule(r.t.Context(), rec, extraction.StepPoll, at); err != nil {
		r.t.Fatal(err)
	}
	return r.record(rec.ID)
}

// poll is where the poll's task is.
func (r *rig) poll(rec store.Record) asynq.TaskState {
	r.t.Helper()
	info, err := asynq.NewInspectorFromRedisClient(r.rdb).GetTaskInfo(queue.PollQueue(rec.Account), queue.TaskID(rec.ID, rec.Seq))
	if err != nil {
		r.t.Fatal(err)
	}
	return info.State
}

// everything is all that Redis has of extractions and tasks.
func (r *rig) everything() string {
	r.t.Helper()
	var out strings.Builder
	for _, key := range r.rdb.Keys(r.t.Context(), "*").Val() {
		fmt.Fprintln(&out, key, r.rdb.Dump(r.t.Context(), key).Val())
	}
	return out.String()
}

func TestHook(t *testing.T) {
	t.Parallel()
	r := newRig(t, withHooks)
	rec := r.atVendor("v-1")
	const path = "/v1/hooks/acme/" + hookToken
	if a := r.do("POST", path, `{"id":"v-1","status":"whatever"}`).want(t, "a webhook", 204); len(a.body) > 0 {
		t.Errorf("answered %q", a.body)
	}
	if got := r.poll(rec); got != asynq.TaskStatePending {
		t.Errorf("the poll is %v, want it to be about to run", got)
	}
	if got := r.record(rec.ID); !got.Hooked || got.Due.After(time.Now()) || got.Status != extraction.StatusInProgress {
		t.Errorf("the record is %s, hooked %v, due %v", got.Status, got.Hooked, got.Due)
	}
	r.do("POST", path, `{"id":"v-1"}`).want(t, "repeated", 204)

	r.finish(rec.ID, extraction.StatusSuccess)
	before := r.everything()
	r.do("POST", path, `{"id":"v-1"}`).want(t, "after the end", 204)
	if r.everything() != before {
		t.Error("a webhook for what has ended has changed something")
	}
}

// The vendor echoes our id before we know its own.
func TestHookByEcho(t *testing.T) {
	t.Parallel()
	r := newRig(t, withHooks)
	rec := r.record(r.submit("account=acme&type=t"))
	f := store.Fence{Input: rec.Input, Seq: rec.Seq, Token: store.NewToken()}
	if _, err := r.records.Begin(t.Context(), f, extraction.StepSubmit, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := r.records.Mark(t.Context(), f, new(store.Change).Phase(store.PhaseSent)); err != nil {
		t.Fatal(err)
	}
	r.do("POST", "/v1/hooks/acme/"+hookToken, `{"id":"v-1","echo":"`+rec.ID+`"}`).want(t, "a webhook", 204)
	if !r.record(rec.ID).Hooked {
		t.Error("the hint is lost")
	}
}

// TestHookRefused: whatever is wrong, nothing changes, and the answer does not say
// which accounts there are.
func TestHookRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, withHooks)
	rec := r.atVendor("v-1")
	before := r.everything()
	const body = `{"id":"v-1"}`
	var said []string
	for what, path := range map[string]string{
		"a wrong token":              "/v1/hooks/acme/wrong",
		"another account's token":    "/v1/hooks/other/" + hookToken,
		"an account without a token": "/v1/hooks/other/x",
		"an unknown account":         "/v1/hooks/nobody/" + hookToken,
		"the token in part":          "/v1/hooks/acme/" + hookToken[:5],
		"no token":                   "/v1/hooks/acme/%20",
	} {
		a := r.do("POST", path, body)
		a.wantProblem(t, what, 404, codeNotFound)
		said = append(said, string(a.body))
	}
	for _, s := range said {
		if s != said[0] || strings.Contains(s, "acme") {
			t.Errorf("the answers differ: %s and %s", s, said[0])
		}
	}
	const path = "/v1/hooks/acme/" + hookToken
	r.do("POST", path, "id=v-1").wantProblem(t, "no JSON", 400, codeInvalid)
	if a := r.do("POST", path, `{"id":"geheim"`); strings.Contains(string(a.body), "geheim") {
		t.Errorf("the answer repeats what was sent: %s", a.body)
	}
	r.do("POST", path, "").wantProblem(t, "no body", 400, codeInvalid)
	for _, header := range []string{"Content-Encoding", "Content-Range"} {
		r.do("POST", path, body, header, "gzip").wantProblem(t, "with "+header, 415, codeUnsupported)
	}
	r.do("POST", path, `{"id":"v-1","x":"`+strings.Repeat("x", maxHook)+`"}`).wantProblem(t, "too large", 413, codeHookTooLarge)
	r.do("POST", path, `{"id":""}`).want(t, "about nothing of ours", 204)
	r.do("POST", path, `{"id":"`+strings.Repeat("v", 500)+`"}`).want(t, "an id that is none", 204)
	if r.everything() != before {
		t.Error("something has changed")
	}
	// What may still become known is remembered for a while; nothing else is changed.
	r.do("POST", path, `{"id":"v-2"}`).want(t, "an unknown id", 204)
	r.do("POST", path, `{"id":"v-2","echo":"`+rec.ID+`"}`).want(t, "the id of another", 204)
	if err := r.rdb.Del(t.Context(), "extractq:{acme}:early").Err(); err != nil {
		t.Fatal(err)
	}
	if r.everything() != before {
		t.Error("an unknown id has changed something")
	}
}

// TestHookNeedsNoKey: a vendor has none to send, and knows this machine by another
// name; every other path is closed to it.
func TestHookNeedsNoKey(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]Key{"without keys": nil, "with keys": {{Name: "k", Digest: httpauth.Digest("secret")}}} {
		r := newRig(t, withHooks, func(c *Config) { c.Keys = keys })
		ask := func(method, path string) int {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(`{"id":"v-1"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = "extractq.example.com"
			res, err := (&http.Transport{}).RoundTrip(req) // Follows no redirect.
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			_, _ = io.Copy(io.Discard, res.Body)
			return res.StatusCode
		}
		if got := ask("POST", "/v1/hooks/acme/"+hookToken); got != 204 {
			t.Errorf("%s: the webhook is answered with %d", name, got)
		}
		for _, path := range []string{
			"GET /v1/extractions", "GET /v1/hooks/acme/" + hookToken, "POST /v1/hooks/acme", "GET /v1/hooks/../extractions",
			"GET /v1/hooks/acme/..%2f..%2fextractions", "GET //v1/hooks/a/../../../v1/extractions", "POST /v1/hooks/acme/t/../../../accounts/acme/pause",
		} {
			method, path, _ := strings.Cut(path, " ")
			if got := ask(method, path); got != 401 && got != 403 {
				t.Errorf("%s: %s %s is answered with %d", name, method, path, got)
			}
		}
	}
}

// A token that was read again counts from the next webhook on.
func TestHookTokenReload(t *testing.T) {
	t.Parallel()
	r := newRig(t, withHooks)
	r.server.Reload(*r.server.accounts.Load(), nil, HookTokens{"acme": httpauth.Digest("another")})
	r.do("POST", "/v1/hooks/acme/"+hookToken, `{"id":"v-1"}`).want(t, "the token before", 404)
	r.do("POST", "/v1/hooks/acme/another", `{"id":"v-1"}`).want(t, "the token now", 204)
}

// While Redis is away the vendor is told so: some call again.
func TestHookWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := newRig(t, withHooks, func(c *Config) {
		client, err := intake.New(intake.Parts{Redis: server.Client(), Blobs: c.Blobs})
		if err != nil {
			t.Fatal(err)
		}
		c.Client = client
	})
	server.Kill()
	a := r.do("POST", "/v1/hooks/acme/"+hookToken, `{"id":"v-1"}`)
	a.wantProblem(t, "without Redis", 503, codeUnavailable)
	if a.header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
}
