package api

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// Whatever is sent, the document that is taken out of a JSON body and what is left
// are those that a JSON decoder finds.
func FuzzJSONDocument(f *testing.F) {
	for _, s := range []string{
		`{"document_base64":"QUJD"}`, `{"a":{"document_base64":"QUJD"},"document_base64":"REVG"}`,
		`{"document_base64" : "QUJD","b":["document_base64","x"]}`, `{"x":"document_base64","y":"QUJD"}`,
		`{"document_base64":null}`, `{"\"document_base64":"QUJD"}`, `{"document_base64":"QU\/D"}`, `{"document_base64":"QU\u002FD\n"}`, `{"a":"\\","document_base64":""}`,
		`"document_base64":"QUJD"`, `{"document_base64":{"document_base64":"QUJD"}}`, `[{"document_base64":"QUJD"}]`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		rest, doc, err := jsonDocument(strings.NewReader(body), 1<<16)
		defer doc.Close()
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(body), &want) != nil || strings.Contains(body, `\u`) || strings.Count(body, documentMember) > 1 {
			return // Not JSON, or a spelling of the name that no encoder has; or twice.
		}
		if err != nil {
			return // Not base64, or too large.
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(rest, &got); err != nil {
			t.Fatalf("what is left of %q is %q: %v", body, rest, err)
		}
		if len(got) != len(want) {
			t.Fatalf("what is left of %q is %q", body, rest)
		}
		var document *string
		if raw, ok := want[documentMember]; !ok || json.Unmarshal(raw, &document) != nil || document == nil {
			if doc != nil {
				t.Fatalf("a document was found in %q", body)
			}
			return
		}
		if doc == nil {
			t.Fatalf("no document was found in %q", body)
		}
		bytes, err := io.ReadAll(doc.file)
		if err != nil {
			t.Fatal(err)
		}
		decoded, _ := base64.StdEncoding.DecodeString(*document)
		if string(bytes) != string(decoded) {
			t.Fatalf("the document of %q is %q, want %q", body, bytes, decoded)
		}
	})
}
