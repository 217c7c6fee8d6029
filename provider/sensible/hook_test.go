package sensible_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/providertest"
	"github.com/extractq/extractq/provider/sensible"
)

func hooks(t testing.TB) *sensible.Client {
	t.Helper()
	return newClient(t, sensible.Config{APIKey: "k-secret", BaseURL: "http://127.0.0.1:1/v0"})
}

func TestHook(t *testing.T) {
	t.Parallel()
	c := hooks(t)
	for name, tt := range map[string]struct {
		body string
		want extraction.Hook
	}{
		"the finished extraction": {
			providertest.Fixture(t, "poll_complete.json"),
			extraction.Hook{VendorID: "14d82783-0d3d-4105-92c2-768f8360b934", Echo: "01JD"},
		},
		"the webhook's members only":  {`{"id":"v1","status":"FAILED","webhook":{"url":"https://h","payload":"01JD"}}`, extraction.Hook{VendorID: "v1", Echo: "01JD"}},
		"the payload at the top":      {`{"id":"v1","status":"COMPLETE","payload":"01JD"}`, extraction.Hook{VendorID: "v1", Echo: "01JD"}},
		"a payload of other software": {`{"id":"v1","status":"COMPLETE","webhook":{"payload":{"a":[1]}}}`, extraction.Hook{VendorID: "v1"}},
		"no status":                   {`{"id":"v1"}`, extraction.Hook{VendorID: "v1"}},
		"not finished":                {`{"id":"v1","status":"PROCESSING"}`, extraction.Hook{}},
	} {
		if got, err := c.Hook([]byte(tt.body)); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, tt.want)
		}
	}
	for name, body := range map[string]string{
		"empty": "", "an array": `[{"id":"v1"}]`, "cut": `{"id":"v1"`, "a form": "id=v1", "no id": `{"status":"COMPLETE"}`, "an odd id": `{"id":{"a":1}}`,
	} {
		if got, err := c.Hook([]byte(body)); err == nil || strings.Contains(err.Error(), "v1") {
			t.Errorf("%s: %+v, %v, want an error that repeats nothing", name, got, err)
		}
	}
}

// TestHookSecret: what the vendor says may repeat our webhook, and it is never shown with
// its URL.
func TestHookSecret(t *testing.T) {
	t.Parallel()
	const token = "t0ken-of-the-hook"
	f := providertest.NewFake(t, dialect()).On(providertest.OpOpen, providertest.Status(http.StatusBadRequest,
		`{"message":"webhook.url https://x.example/v1/hooks/acme/`+token+` is refused"}`, "Content-Type", "application/json"))
	c := newClient(t, sensible.Config{BaseURL: f.URL + "/v0", Secrets: []string{token}})
	_, err := c.Open(t.Context(), extraction.Submission{
		Name: "a.pdf", Type: "t", Webhook: &extraction.Webhook{URL: "https://x.example/v1/hooks/acme/" + token, Payload: "01JD"},
	})
	if err == nil {
		t.Fatal("Open succeeds")
	}
	providertest.NoSecret(t, "Open", err, token)
}

func FuzzHook(f *testing.F) {
	f.Add(`{"id":"v1","status":"COMPLETE","webhook":{"url":"https://h","payload":"01JD"}}`)
	f.Add(`{"id":1,"webhook":[],"payload":null}`)
	c := hooks(f)
	f.Fuzz(func(t *testing.T, body string) {
		if got, err := c.Hook([]byte(body)); err != nil && got != (extraction.Hook{}) {
			t.Errorf("%+v with %v", got, err)
		}
	})
}
