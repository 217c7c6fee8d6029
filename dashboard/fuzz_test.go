package dashboard

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/extractq/extractq/internal/queue"
)

// Whatever is in a task, the page shows labels: short, printable, and no member that is none.
func FuzzFormatPayload(f *testing.F) {
	f.Add(queue.TypePoll, []byte(`{"id":"01JD","account":"a","type":"tax","polls":2,"vendor_status":"WAITING"}`))
	f.Add(queue.TypeSubmit, []byte(`{"id":"\u202e\u001b[2J","password":"geheim","customer":"<script>"}`))
	f.Add("other:kind", []byte(`geheim`))
	f.Add(queue.TypeDeliver, []byte(`null`))
	known := map[string]bool{
		"id": true, "account": true, "type": true, "customer": true, "batch": true, "polls": true, "vendor_status": true,
		"status": true, "error_code": true, "attempts": true, "outcome": true,
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		for _, shown := range []string{formatPayload(kind, body), formatResult(kind, body)} {
			if shown == "" || shown == hidden {
				continue
			}
			var members map[string]any
			if err := json.Unmarshal([]byte(shown), &members); err != nil {
				t.Fatalf("%q shows %q: %v", body, shown, err)
			}
			for name, v := range members {
				if !known[name] {
					t.Errorf("%q shows the member %q", body, name)
				}
				if s, ok := v.(string); ok && (len(s) > maxLabel || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })) {
					t.Errorf("%q shows %q", body, s)
				}
			}
		}
	})
}
