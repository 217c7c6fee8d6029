package api

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/httpauth"
)

// ids are those of the extractions in a page.
func (a answer) ids() []string {
	all, _ := a.json["extractions"].([]any)
	var out []string
	for _, e := range all {
		m, _ := e.(map[string]any)
		id, _ := m["id"].(string)
		out = append(out, id)
	}
	return out
}

func TestGet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.submit("account=acme&type=t")
	a := r.do("GET", "/v1/extractions/"+id, "").want(t, "get", 200)
	if result, ok := a.json["result"].(map[string]any); !ok || a.json["status"] != "QUEUED" || result["raw"] != nil {
		t.Errorf("before the end: %s", a.body)
	}
	r.do("GET", "/v1/extractions/"+id+"/result", "").wantProblem(t, "no result yet", 404, codeNotFinished)
	r.finish(id, extraction.StatusSuccess)
	a = r.do("GET", "/v1/extractions/"+id, "").want(t, "get", 200)
	if raw, _ := a.json["result"].(map[string]any)["raw"].(map[string]any); raw["raw"] != true {
		t.Errorf("after the end: %s", a.body)
	}
	if a := r.do("GET", "/v1/extractions/"+id+"/result", "").want(t, "result", 200); a.json["raw"] == nil {
		t.Errorf("result: %s", a.body)
	}
	stored := filepath.Join(r.dir, id, strconv.FormatInt(r.record(id).ResultSeq, 10))
	want, err := os.ReadFile(stored)
	if a := r.do("GET", "/v1/extractions/"+id+"/result", ""); err != nil || string(a.body) != string(want) ||
		a.header.Get("Content-Length") != strconv.Itoa(len(want)) {
		t.Errorf("result: %v %q, want it as it is stored: %q, %v", a.header, a.body, want, err)
	}
	if err := os.WriteFile(stored, []byte(`{"raw":{"raw":false}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r.do("GET", "/v1/extractions/"+id+"/result", "").wantProblem(t, "an edited result", 404, codeResultUnavailable)
	for _, path := range []string{"", "/result", "/document"} {
		r.do("GET", "/v1/extractions/01JD0Z3M9V7Q8W2R5T6Y4X1C0B"+path, "").wantProblem(t, path, 404, codeNotFound)
	}
}

// The pages of a list have everything once, whatever their size and while more
// is accepted.
func TestListPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var want []string
	for i := range 9 {
		want = append(want, r.submit(fmt.Sprintf("account=acme&type=t&batch=b%d", i%2)))
	}
	slices.Reverse(want)
	for limit := 1; limit <= 10; limit++ {
		var got []string
		cursor := ""
		for range 20 {
			a := r.do("GET", fmt.Sprintf("/v1/extractions?until=2999-01-01T00:00:00Z&limit=%d&cursor=%s", limit, cursor), "").want(t, "list", 200)
			got = append(got, a.ids()...)
			next, ok := a.json["next_cursor"].(string)
			if !ok {
				break
			}
			cursor = url.QueryEscape(next)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
		}
	}
	first := r.do("GET", "/v1/extractions?limit=5", "")
	r.submit("account=acme&type=t")
	second := r.do("GET", "/v1/extractions?limit=5&cursor="+first.json["next_cursor"].(string), "")
	if diff := cmp.Diff(want, append(first.ids(), second.ids()...)); diff != "" {
		t.Errorf("with one accepted between the pages (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"limit=0", "limit=1001", "limit=x", "cursor=x", "cursor=%00", "status=DONE", "since=yesterday", "colour=red"} {
		r.do("GET", "/v1/extractions?"+bad, "").wantProblem(t, bad, 422, map[bool]protocol.ProblemCode{true: codeCursor, false: codeInvalid}[bad[:1] == "c" && bad[1] == 'u'])
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a, b := r.submit("account=acme&type=t&customer=c1&batch=b1"), r.submit("account=other&type=u&customer=c2&batch=b1")
	r.finish(a, extraction.StatusError)
	for query, want := range map[string][]string{
		"":                           {b, a},
		"account=acme":               {a},
		"account=acme&account=other": {b, a},
		"customer=c2":                {b},
		"batch=b1":                   {b, a},
		"type=u":                     {b},
		"status=ERROR":               {a},
		"status=ERROR&status=QUEUED": {b, a},
		"error=vendor_failed":        {a},
		"since=2999-01-01T00:00:00Z": nil,
		"account=nobody":             nil,
	} {
		got := r.do("GET", "/v1/extractions?"+query, "").want(t, query, 200)
		if diff := cmp.Diff(want, got.ids()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	if e := r.do("GET", "/v1/extractions", "").json["extractions"].([]any)[0].(map[string]any); e["result"] != nil {
		t.Error("a list has results")
	}
}

// A key sees nothing of another customer or account, and cannot tell whether there
// is anything.
func TestKeysAreLimited(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) {
		c.Keys = []Key{
			{Name: "all", Digest: httpauth.Digest("all"), Operator: true},
			{Name: "c1", Digest: httpauth.Digest("c1"), Customer: "c1"},
			{Name: "acme", Digest: httpauth.Digest("acme"), Accounts: []string{"acme"}},
		}
	})
	key := func(name string) []string { return []string{"Authorization", "Bearer " + name} }
	r.do("GET", "/v1/extractions", "").wantProblem(t, "no key", http.StatusUnauthorized, codeUnauthorized)
	r.do("GET", "/v1/extractions", "", key("wrong")...).wantProblem(t, "a wrong key", http.StatusUnauthorized, codeUnauthorized)
	r.do("GET", "/openapi.json", "").want(t, "the description without a key", http.StatusUnauthorized)
	r.do("GET", "/healthz", "").want(t, "health", http.StatusOK)

	mine := r.submit("account=acme&type=t&batch=b", key("c1")...)
	theirs := r.submit("account=other&type=t&batch=b&customer=c2", key("all")...)
	if got := r.record(mine).Customer; got != "c1" {
		t.Errorf("the key's customer was not set, but %q", got)
	}
	r.do("POST", "/v1/extractions?account=acme&type=t&customer=c2", pdf, key("c1")...).wantProblem(t, "another customer", 422, codeForbidden)
	r.do("POST", "/v1/extractions?account=other&type=t", pdf, key("acme")...).wantProblem(t, "another account", 422, codeUnknownAccount)
	for _, who := range []string{"c1", "acme"} {
		for _, call := range [][2]string{
			{"GET", ""}, {"GET", "/result"}, {"GET", "/document"}, {"POST", "/cancel"}, {"POST", "/retry"}, {"DELETE", ""},
		} {
			r.do(call[0], "/v1/extractions/"+theirs+call[1], "", key(who)...).wantProblem(t, who+" "+call[0]+call[1], 404, codeNotFound)
		}
		r.do("GET", "/v1/events?extraction="+theirs, "", key(who)...).wantProblem(t, who+" listens", 404, codeNotFound)
		body := fmt.Sprintf(`{"ids":[%q]}`, theirs)
		if a := r.do("POST", "/v1/extractions/delete", body, append(key(who), "Content-Type", "application/json")...); a.json["matched"].(interface{ String() string }).String() != "0" {
			t.Errorf("%s deletes %s", who, a.body)
		}
	}
	if diff := cmp.Diff([]string{mine}, r.do("GET", "/v1/extractions", "", key("c1")...).ids()); diff != "" {
		t.Errorf("the customer's list (-want +got):\n%s", diff)
	}
	if got := r.do("GET", "/v1/extractions?customer=c2", "", key("c1")...).ids(); len(got) != 0 {
		t.Errorf("another customer's list has %v", got)
	}
	if a := r.do("GET", "/v1/batches/b", "", key("c1")...); fmt.Sprint(a.json["total"]) != "1" {
		t.Errorf("the customer's part of the batch: %s", a.body)
	}
	if a := r.do("GET", "/v1/batches/b", "", key("all")...); fmt.Sprint(a.json["total"]) != "2" {
		t.Errorf("the whole batch: %s", a.body)
	}
	// What is gone is no different.
	for who, id := range map[string]string{"c1": mine, "all": theirs} {
		for range 2 {
			r.do("DELETE", "/v1/extractions/"+id, "", key(who)...).want(t, who+" deletes", 204)
		}
	}
	r.do("DELETE", "/v1/extractions/"+theirs, "", key("c1")...).wantProblem(t, "another customer's that is gone", 404, codeNotFound)
	// The same idempotency key of two producers is two.
	again := append(key("all"), "Idempotency-Key", "k")
	if r.submit("account=acme&type=t", again...) == r.submit("account=acme&type=t", append(key("acme"), "Idempotency-Key", "k")...) {
		t.Error("two producers share an idempotency key")
	}
	r.do("POST", "/v1/accounts/acme/pause", "", key("acme")...).wantProblem(t, "no operator", 403, codeForbidden)
	r.do("GET", "/v1/accounts/other", "", key("acme")...).wantProblem(t, "another account's state", 404, codeNotFound)
	if a := r.do("POST", "/v1/accounts/acme/pause", "", key("all")...).want(t, "pause", 200); a.json["state"] != "paused" {
		t.Errorf("paused: %s", a.body)
	}
	if a := r.do("POST", "/v1/accounts/acme/resume", "", key("all")...).want(t, "resume", 200); a.json["state"] != "active" {
		t.Errorf("resumed: %s", a.body)
	}
}

// Without keys, another site's page cannot use this machine's API.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for what, headers := range map[string][]string{
		"origin":    {"Origin", "https://evil.test"},
		"fetch":     {"Sec-Fetch-Site", "cross-site"},
		"rebinding": {"Host", "evil.test"},
	} {
		if what == "rebinding" {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", r.url+"/v1/extractions", nil)
			req.Host = "evil.test"
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d", what, res.StatusCode)
			}
			continue
		}
		r.do("POST", "/v1/extractions?account=acme&type=t", pdf, headers...).wantProblem(t, what, 403, codeForbidden)
	}
	r.do("GET", "/v1/extractions", "", "Origin", r.url, "Sec-Fetch-Site", "same-origin").want(t, "our own page", 200)
}
