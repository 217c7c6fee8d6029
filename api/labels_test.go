package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
)

// badLabels are texts that no label may be.
var badLabels = map[string]string{
	"a control":   "a" + marker + "\x1b[2J",
	"a NUL":       marker + "\x00.pdf",
	"a line feed": marker + "\n",
	"an override": marker + "\u202efdp.exe",
	"an isolate":  marker + "\u2066",
	"a separator": marker + "\u2028",
	"a C1":        marker + "\u009b2J",
	"not UTF-8":   marker + "\xff",
	"too long":    marker + strings.Repeat("x", 17<<10),
}

// labelFields are the fields of a submission that name something, and what makes one bad.
var labelFields = map[string]func(v string) map[string]string{
	"type":        func(v string) map[string]string { return map[string]string{"type": v} },
	"types":       func(v string) map[string]string { return map[string]string{"type": "", "types": v} },
	"config_name": func(v string) map[string]string { return map[string]string{"config_name": v} },
	"environment": func(v string) map[string]string { return map[string]string{"environment": v} },
	"customer":    func(v string) map[string]string { return map[string]string{"customer": v} },
	"batch":       func(v string) map[string]string { return map[string]string{"batch": v} },
	"name":        func(v string) map[string]string { return map[string]string{"name": v} },
	"metadata":    func(v string) map[string]string { return map[string]string{"metadata." + v: "1"} },
}

// ways are how a submission comes in, with its fields.
var ways = map[string]func(t *testing.T, r *rig, fields map[string]string) answer{
	"query": func(_ *testing.T, r *rig, fields map[string]string) answer {
		q := url.Values{}
		for k, v := range fields {
			q.Set(k, v)
		}
		return r.do("POST", "/v1/extractions?"+q.Encode(), pdf, "Content-Type", "application/pdf")
	},
	"form": func(t *testing.T, r *rig, fields map[string]string) answer {
		t.Helper()
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		for k, v := range fields {
			_, _ = b.WriteString("--" + w.Boundary() + "\r\nContent-Disposition: form-data; name=\"" + k + "\"\r\n\r\n" + v + "\r\n")
		}
		_, _ = b.WriteString("--" + w.Boundary() + "\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\n" + pdf + "\r\n--" + w.Boundary() + "--\r\n")
		return r.do("POST", "/v1/extractions", b.String(), "Content-Type", w.FormDataContentType())
	},
	"JSON": func(t *testing.T, r *rig, fields map[string]string) answer {
		t.Helper()
		body := map[string]any{"document_url": "https://x.test/a.pdf"}
		for k, v := range fields {
			switch key, isMetadata := strings.CutPrefix(k, "metadata."); {
			case isMetadata:
				body["metadata"] = map[string]string{raw(key): v}
			case k == "types":
				body["types"] = []string{raw(v)}
			default:
				body[k] = raw(v)
			}
		}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return r.do("POST", "/v1/extractions", strings.ReplaceAll(string(text), "RAW-FF", "\xff"), "Content-Type", "application/json")
	},
}

// raw is a text that the encoder leaves as it is: it would mend what is not UTF-8.
func raw(v string) string { return strings.ReplaceAll(v, "\xff", "RAW-FF") }

// There is one rule for what names something, whatever field it is in and whichever way
// it comes: what could show as another name is refused, and nothing of it is kept.
func TestLabels(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for way, submit := range ways {
		good := map[string]string{"account": "acme", "type": "t", "config_name": "Übergröße 1", "batch": "May / {1}", "name": "請求書 1.pdf", "metadata.po nr": "a\nb"}
		submit(t, r, good).want(t, way+": good labels", 202)
	}
	if n := len(r.do("GET", "/v1/extractions", "").ids()); n != len(ways) {
		t.Fatalf("%d accepted, want %d", n, len(ways))
	}
	for way, submit := range ways {
		for field, with := range labelFields {
			for what, label := range badLabels {
				fields := map[string]string{"account": "acme", "type": "t"}
				maps.Copy(fields, with(label))
				maps.DeleteFunc(fields, func(_, v string) bool { return v == "" })
				if way == "form" && field == "metadata" && strings.ContainsAny(label, "\n\x00") {
					continue // A part's header cannot carry it.
				}
				a := submit(t, r, fields)
				if a.status != 422 && a.status != 400 || a.json["code"] != string(codeInvalid) {
					t.Errorf("%s, %s with %s: %d %s", way, field, what, a.status, a.body)
				}
				if strings.Contains(string(a.body), marker) {
					t.Errorf("%s, %s with %s: the answer has what was sent: %s", way, field, what, a.body)
				}
			}
		}
	}
	if n := len(r.do("GET", "/v1/extractions", "").ids()); n != len(ways) {
		t.Errorf("%d accepted, want %d", n, len(ways))
	}
}
