package api

import (
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/httpauth"
)

// What is not what it seems is refused, and nothing is accepted of it.
func TestRefusedForms(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const path = "/v1/extractions?account=acme&type=t"
	form := func(name, head string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"account\"\r\n\r\nacme\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nt\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"a.pdf\"\r\n" + head + "\r\n" + pdf + "\r\n--b--\r\n"
	}
	multipart := []string{"Content-Type", "multipart/form-data; boundary=b"}
	isJSON := []string{"Content-Type", "application/json"}
	for what, tt := range map[string]struct {
		path, body string
		headers    []string
		status     int
		code       protocol.ProblemCode
	}{
		"gzip":             {path, pdf, []string{"Content-Type", "application/pdf", "Content-Encoding", "gzip"}, 415, codeUnsupported},
		"a range":          {path, pdf, []string{"Content-Type", "application/pdf", "Content-Range", "bytes 0-9/100"}, 415, codeUnsupported},
		"a part in base64": {"/v1/extractions", form("document", "Content-Transfer-Encoding: base64\r\n"), multipart, 415, codeUnsupported},
		"quoted printable": {"/v1/extractions", form("document", "Content-Transfer-Encoding: quoted-printable\r\n"), multipart, 415, codeUnsupported},
		"a part file":      {"/v1/extractions", form("file", ""), multipart, 422, codeInvalid},
		"a part upload":    {"/v1/extractions", form("upload", ""), multipart, 422, codeInvalid},
		"a NUL":            {path + "&name=a%00.pdf", pdf, nil, 422, codeInvalid},
		"an override":      {path + "&name=a%E2%80%AEfdp.exe", pdf, nil, 422, codeInvalid},
		"an escape":        {path + "&environment=%1B%5B2J", pdf, nil, 422, codeInvalid},
		"a key":            {path + "&metadata.a%0Ab=1", pdf, nil, 422, codeInvalid},
		"a password":       {"/v1/extractions", `{"account":"acme","type":"t","document_url":"https://u:p@x.test/a.pdf"}`, isJSON, 422, codeInvalid},
		"another case":     {"/v1/extractions", `{"Account":"acme","type":"t","document_url":"https://x.test/a.pdf"}`, isJSON, 422, codeInvalid},
	} {
		r.do("POST", tt.path, tt.body, tt.headers...).wantProblem(t, what, tt.status, tt.code)
	}
	r.do("POST", "/v1/extractions", form("document", "Content-Transfer-Encoding: binary\r\n"), multipart...).want(t, "a form as it is", 202)
	r.do("GET", "/v1/extractions?customer=a&customer=b", "").wantProblem(t, "two customers", 422, codeInvalid)
	r.do("GET", "/v1/extractions?status=QUEUED&status=ERROR", "").want(t, "two statuses", 200)
	r.do("POST", "/v1/ready/ack", `{"IDS":[]}`, isJSON...).wantProblem(t, "another case of ids", 422, codeInvalid)
	list, _ := r.do("GET", "/v1/extractions", "").json["extractions"].([]any)
	if len(list) > 1 {
		t.Errorf("%d accepted, want the form alone", len(list))
	}
	a := r.do("POST", path, "\r\n\r\n"+strings.Repeat(" ", 900)+pdf)
	if doc, _ := a.want(t, "bytes before a PDF", 202).json["document"].(map[string]any); doc["content_type"] != "application/pdf" {
		t.Errorf("bytes before a PDF: %v", doc)
	}
}

// An address is shown without what signs it as soon as the vendor needs it no more.
func TestAddressOnceFinal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.do("POST", "/v1/extractions", `{"account":"acme","type":"t","document_url":"https://x.test/a.pdf?sig=s3cret"}`, "Content-Type", "application/json").want(t, "a URL", 202)
	r.finish(a.id(), extraction.StatusError)
	got := r.do("GET", "/v1/extractions/"+a.id(), "").want(t, "the final one", 200)
	if s := string(got.body); strings.Contains(s, "s3cret") || !strings.Contains(s, "https://x.test/a.pdf") {
		t.Errorf("shown: %s", s)
	}
	if rec := r.record(a.id()); !strings.Contains(string(rec.Document.URL), "s3cret") {
		t.Errorf("a repetition has only %s", rec.Document.URL)
	}
}

// A key that works for one customer takes over nothing that is at the vendor.
func TestAdoptForOneCustomer(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) {
		c.Keys = []Key{{Name: "one", Digest: httpauth.Digest("k1"), Customer: "c1"}, {Name: "all", Digest: httpauth.Digest("k2")}}
	})
	body := `{"account":"acme","type":"t","vendor_id":"v1"}`
	r.do("POST", "/v1/extractions", body, "Content-Type", "application/json", "Authorization", "Bearer k1").wantProblem(t, "its customer's", 403, codeForbidden)
	r.do("POST", "/v1/extractions", body, "Content-Type", "application/json", "Authorization", "Bearer k2").want(t, "any customer's", 202)
}

// Bodies of JSON have as long as documents have.
func TestJSONHasTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for path, item := range r.server.spec.Paths {
		if op := item.Post; op != nil && op.RequestBody != nil && path != "/v1/extractions" && path != hookPath && op.BodyReadTimeout < 30*time.Second {
			t.Errorf("%s: %v for its body", path, op.BodyReadTimeout)
		}
	}
}

// No other site may show an answer within its own page, and no page runs code that was
// slipped into it.
func TestPolicies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.submit("account=acme&type=t")
	for _, path := range []string{"/docs", "/docs/", "/docs/oauth2-redirect.html", "/openapi.json", "/healthz", "/v1/accounts", "/v1/none", "/v1/extractions/" + id + "/document"} {
		h := r.do("GET", path, "").header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: policy %q, want %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
	}
}
