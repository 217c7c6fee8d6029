package dashboard

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/store"
)

func TestFormatPayload(t *testing.T) {
	t.Parallel()
	poll, err := json.Marshal(queue.For(store.Record{
		Input: store.Input{ID: "01JD", Account: "acme", Type: "tax_forms", Customer: "Müller & Söhne", Batch: "May"},
		Polls: 3, VendorStatus: "PROCESSING",
	}, 7))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ kind, payload, want string }{
		"poll": {
			queue.TypePoll, string(poll),
			`{"id":"01JD","account":"acme","type":"tax_forms","customer":"Müller \u0026 Söhne","batch":"May","polls":3,"vendor_status":"PROCESSING"}`,
		},
		"more than labels":  {queue.TypePoll, `{"id":"1","account":"a","name":"1040.pdf","ssn":"secret"}`, `{"id":"1","account":"a","type":"","customer":"","batch":"","polls":0,"vendor_status":""}`},
		"not a label":       {queue.TypePoll, `{"id":"a\u001b[2J","type":"` + strings.Repeat("x", 1025) + `","vendor_status":"two words\n"}`, `{"id":"(not shown)","account":"","type":"(not shown)","customer":"","batch":"","polls":0,"vendor_status":"twowords"}`},
		"another's task":    {"email:send", `{"to":"a@b.example"}`, hidden},
		"another's payload": {queue.TypeSubmit, `Dear Sir`, hidden},
		"another's types":   {queue.TypePoll, `{"id":{"secret":1}}`, hidden},
		"nothing":           {queue.TypePoll, ``, hidden},
	} {
		if got := formatPayload(tt.kind, []byte(tt.payload)); got != tt.want {
			t.Errorf("%s: formatPayload = %s, want %s", name, got, tt.want)
		}
	}
}

func TestFormatResult(t *testing.T) {
	t.Parallel()
	ended := func(o queue.Outcome) string {
		body, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for name, tt := range map[string]struct{ kind, result, want string }{
		"success": {queue.TypePoll, ended(queue.Outcome{Status: extraction.StatusSuccess, Polls: 2}), `{"status":"SUCCESS","polls":2}`},
		"error": {
			queue.TypeSubmit, ended(queue.Outcome{Status: extraction.StatusError, ErrorCode: extraction.CodeVendorFailed}),
			`{"status":"ERROR","error_code":"vendor_failed","polls":0}`,
		},
		"a text as code":   {queue.TypePoll, `{"status":"ERROR","error_code":"Mr. Smith's form"}`, `{"status":"ERROR","error_code":"(not shown)","polls":0}`},
		"more than that":   {queue.TypePoll, `{"status":"SUCCESS","result":{"ssn":"1"}}`, `{"status":"SUCCESS","polls":0}`},
		"another status":   {queue.TypePoll, `{"status":"Mr. Smith"}`, hidden},
		"another's result": {queue.TypePoll, `Mr. Smith`, hidden},
		"another's task":   {"email:send", `{"status":"SUCCESS"}`, hidden},
		"none":             {queue.TypePoll, ``, ``},
	} {
		if got := formatResult(tt.kind, []byte(tt.result)); got != tt.want {
			t.Errorf("%s: formatResult = %s, want %s", name, got, tt.want)
		}
	}
}
