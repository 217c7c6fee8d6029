package typless_test

import (
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/typless"
)

func hooks(t testing.TB) *typless.Client {
	t.Helper()
	return newClient(t, typless.Config{APIKey: "k-secret", BaseURL: "http://127.0.0.1:1/api"})
}

// The body is the one of the vendor's documentation.
const documented = `{"event_id":"0e895e25cfa24844c724c0c675da4078b7d13b32","event_time":"2022-02-03T10:19:17.388584",
 "data":{"id":"0e895e08e170ec2d89ddc313792d7f7b89c0a203","message":"Extraction process finished"},
 "type":"extraction.finished"}`

func TestHook(t *testing.T) {
	t.Parallel()
	c := hooks(t)
	for name, tt := range map[string]struct{ body, want string }{
		"documented":    {documented, "0e895e08e170ec2d89ddc313792d7f7b89c0a203"},
		"another event": {`{"type":"training.finished","data":{"id":"v1"}}`, ""},
	} {
		if got, err := c.Hook([]byte(tt.body)); err != nil || got != (extraction.Hook{VendorID: tt.want}) {
			t.Errorf("%s: %+v, %v, want %q", name, got, err, tt.want)
		}
	}
	for name, body := range map[string]string{
		"empty": "", "an array": `["v1"]`, "cut": `{"data":{"id":"v1"`, "no type": `{"data":{"id":"v1"}}`,
		"no id": `{"type":"extraction.finished","data":{}}`, "no data": `{"type":"extraction.finished","id":"v1"}`,
	} {
		if got, err := c.Hook([]byte(body)); err == nil || strings.Contains(err.Error(), "v1") {
			t.Errorf("%s: %+v, %v, want an error that repeats nothing", name, got, err)
		}
	}
}

func FuzzHook(f *testing.F) {
	f.Add(documented)
	f.Add(`{"type":1,"data":[]}`)
	c := hooks(f)
	f.Fuzz(func(t *testing.T, body string) {
		if got, err := c.Hook([]byte(body)); err != nil && got != (extraction.Hook{}) {
			t.Errorf("%+v with %v", got, err)
		}
	})
}
