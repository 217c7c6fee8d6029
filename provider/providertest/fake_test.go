package providertest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/provider/providertest"
)

// plain is a vendor of few words.
func plain() providertest.Dialect {
	say := func(s string) providertest.Reply { return providertest.JSON(`"` + s + `"`) }
	return providertest.Dialect{
		Op: func(r *http.Request) (providertest.Op, string) {
			op, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
			return providertest.Op(op), id
		},
		Submitted: say,
		Opened:    func(id, uploadURL string) providertest.Reply { return say(id + " " + uploadURL) },
		Pending:   func(string) []providertest.Reply { return []providertest.Reply{say("waiting"), say("working")} },
		Done:      func(id string) providertest.Reply { return say("done " + id) },
		Failed:    func(id, reason string) providertest.Reply { return say("failed " + id + " " + reason) },
		Ready:     func(ids ...string) providertest.Reply { return say(strings.Join(ids, " ")) },
	}
}

// ask makes one request and gives the status and the body, or the error.
func ask(t *testing.T, method, url, body string) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestScript(t *testing.T) {
	t.Parallel()
	f := providertest.NewFake(t, plain())
	f.On(providertest.OpPoll,
		providertest.Pending(3), providertest.RateLimit(2*time.Second), providertest.Fail("why").Times(2), providertest.Done())
	want := []string{
		`"waiting"`, `"working"`, `"waiting"`, `{"error":"Rate limit exceeded"}`, `"failed x why"`, `"failed x why"`,
		`"done x"`, `"done x"`,
	}
	for i, w := range want {
		if _, got, err := ask(t, "GET", f.URL+"/poll/x", ""); got != w || err != nil {
			t.Errorf("answer %d = %s, %v, want %s", i, got, err, w)
		}
	}
	if n := len(f.Requests(providertest.OpPoll)); n != len(want) {
		t.Errorf("%d requests were recorded, want %d", n, len(want))
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	f := providertest.NewFake(t, plain())
	for name, tt := range map[string]struct {
		step     providertest.Step
		complete bool
		fails    bool
	}{
		"fine":        {providertest.Fine(), true, false},
		"drop before": {providertest.DropBefore(), false, true},
		"drop after":  {providertest.DropAfter(), true, true},
		"truncate":    {providertest.Truncate(providertest.JSON(`{"a":1}`)), true, true},
		"status":      {providertest.Status(503, "busy"), true, false},
	} {
		f.On(providertest.OpSubmit, tt.step)
		before := len(f.Requests(providertest.OpSubmit))
		_, _, err := ask(t, "POST", f.URL+"/submit", "a document")
		if (err != nil) != tt.fails {
			t.Errorf("%s: error %v", name, err)
		}
		for i, r := range f.Requests(providertest.OpSubmit)[before:] {
			if i > 0 || r.Complete != tt.complete || tt.complete && string(r.Body) != "a document" {
				t.Errorf("%s: recorded %+v", name, r)
			}
		}
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	f := providertest.NewFake(t, plain())
	f.On(providertest.OpSubmit, providertest.Slow())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-f.Arrived()
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.URL+"/submit", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("a slow vendor answered")
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	f := providertest.NewFake(t, plain())
	status, _, err := ask(t, "PUT", f.SignedURL("x"), "bytes")
	if status != 200 || err != nil {
		t.Fatalf("PUT = %d, %v", status, err)
	}
	got := f.Requests(providertest.OpUpload)[0]
	if got.Size != 5 || got.SHA256 != "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9" {
		t.Errorf("recorded %d bytes, %s", got.Size, got.SHA256)
	}
}
