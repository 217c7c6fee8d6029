package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pdfcpu/pdfcpu/pkg/api"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

// TestSensibleTutorial follows "Try asynchronous extraction from a Sensible URL"
// with the requests that its curl lines make.
func TestSensibleTutorial(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{})
	created := s.sensible("POST", "/generate_upload_url/tax_forms?document_name=a.pdf", `{"content_type":"application/pdf"}`)
	receipt := s.object(created, 200)
	id, upload := receipt["id"].(string), receipt["upload_url"].(string)
	want := fmt.Sprintf(`{"id":"%s","created":"2026-03-01T12:00:00.000Z","status":"WAITING","type":"tax_forms","upload_url":"%s"}`, id, upload)
	if diff := cmp.Diff(want, created.body); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(upload, s.URL+"/sensible/upload/") || !strings.HasSuffix(strings.Split(upload, "?")[0], "/EXTRACTION/"+id) {
		t.Errorf("upload_url = %s, want one on %s that names the id", upload, s.URL)
	}
	poll := func(want string) map[string]any {
		t.Helper()
		v := s.object(s.sensible("GET", "/documents/"+id, ""), 200)
		if v["status"] != want {
			t.Fatalf("status = %v, want %s", v["status"], want)
		}
		return v
	}
	poll("WAITING")
	if put := s.call("PUT", upload, fixtures.TaxForm(1), "Content-Type", "application/pdf"); put.status != 200 || put.body != "" {
		t.Fatalf("PUT = %d %q, want an empty 200", put.status, put.body)
	}
	s.pass(time.Second)
	if v := poll("PROCESSING"); v["parsed_document"] != nil || v["completed"] != nil {
		t.Errorf("while it is processed: %v, want no result", v)
	}
	// The URL is a one-time one: a second document is refused and changes nothing.
	checkS3(t, s.call("PUT", upload, fixtures.TaxForm(2), "Content-Type", "application/pdf"), 403, "AccessDenied")
	s.pass(time.Second)
	checkComplete(t, poll("COMPLETE"), id)
}

func checkComplete(t *testing.T, got map[string]any, id string) {
	t.Helper()
	fields := map[string]any{}
	for name, value := range fixtures.TaxFormFields(1) {
		fields[name] = map[string]any{"type": "string", "value": value}
	}
	download, _ := got["download_url"].(string)
	if !strings.Contains(download, "X-Amz-Expires=900") {
		t.Errorf("download_url = %q, want a signed one", download)
	}
	delete(got, "download_url")
	want := map[string]any{
		"id": id, "created": "2026-03-01T12:00:00.000Z", "uploaded": "2026-03-01T12:00:00.000Z",
		"processing_started": "2026-03-01T12:00:00.300Z", "completed": "2026-03-01T12:00:02.000Z",
		"status": "COMPLETE", "type": "tax_forms", "configuration": "tax_forms", "configuration_version": "1",
		"environment": "production", "document_name": "a.pdf", "page_count": 2.0, "parsed_document": fields,
		"validations":        []any{},
		"validation_summary": map[string]any{"fields": 3.0, "fields_present": 3.0, "errors": 0.0, "warnings": 0.0, "skipped": 0.0},
		"classification_summary": []any{map[string]any{
			"configuration": "tax_forms", "fingerprints": 0.0, "fingerprints_present": 0.0,
			"score": map[string]any{"value": 3.0, "fields_present": 3.0, "penalties": 0.0},
		}},
		"errors": []any{}, "content_type": "application/pdf", "coverage": 1.0, "charged": 1.0,
		"file_metadata": map[string]any{"info": map[string]any{
			"Title": "Form 1040, example 1", "Producer": "extractq fixtures", "CreationDate": "D:20250102030405Z",
		}},
		"actor": "api_key: sandbox", "version_id": "sandbox",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("extraction (-want +got):\n%s", diff)
	}
}

func TestSensibleFailure(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{})
	for reason, document := range map[string][]byte{
		"This document is empty":                               {},
		"This PDF is invalid":                                  []byte("%PDF-1.4 and nothing"),
		"Could not determine the content type of the document": []byte("<html></html>"),
	} {
		id := s.submitSensible("/generate_upload_url/tax_forms", document)
		s.pass(2 * time.Second)
		got := s.object(s.sensible("GET", "/documents/"+id, ""), 200)
		want := []any{map[string]any{"message": reason, "type": "invalid"}}
		if got["status"] != "FAILED" || got["error"] != reason || !cmp.Equal(want, got["errors"]) {
			t.Errorf("extraction = %v, want FAILED because %q", got, reason)
		}
	}
}

func TestSensibleFormWithoutRules(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{})
	id := s.submitSensible("/generate_upload_url/registrations", fixtures.Form(1))
	s.pass(2 * time.Second)
	parsed := s.object(s.sensible("GET", "/documents/"+id, ""), 200)["parsed_document"].(map[string]any)
	for name, value := range fixtures.FormFields(1) {
		kind := "string"
		if _, ok := value.(bool); ok {
			kind = "boolean"
		}
		if diff := cmp.Diff(map[string]any{"type": kind, "value": value}, parsed[name]); diff != "" {
			t.Errorf("field %s (-want +got):\n%s", name, diff)
		}
	}
	text, _ := parsed["text"].(map[string]any)["value"].(string)
	if !strings.HasPrefix(text, "Registration\nFull name ") {
		t.Errorf("text = %q, want that of the form", text)
	}
}

func TestSensiblePortfolio(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{})
	id := s.submitSensible("/generate_upload_url/", portfolio(t, fixtures.TaxForm(1), fixtures.Invoice(1)))
	s.pass(2 * time.Second)
	got := s.object(s.sensible("GET", "/documents/"+id, ""), 200)
	if got["parsed_document"] != nil || got["type"] != nil || got["errors"] != nil {
		t.Errorf("portfolio has members of a single document: %v", got)
	}
	if diff := cmp.Diff([]any{"invoices", "tax_forms"}, got["types"]); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	var parts []string
	for _, d := range got["documents"].([]any) {
		d := d.(map[string]any)
		output := d["output"].(map[string]any)
		parts = append(parts, fmt.Sprint(d["documentType"], " ", d["startPage"], "-", d["endPage"]))
		if output["parsedDocument"] == nil || output["fileMetadata"] == nil || output["parsed_document"] != nil {
			t.Errorf("output = %v, want camelCase", output)
		}
	}
	if diff := cmp.Diff([]string{"tax_forms 0-1", "invoices 2-2"}, parts); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if got["charged"] != 2.0 || len(got["reviewStatuses"].([]any)) != 2 {
		t.Errorf("charged %v, reviews %v, want 2 of each", got["charged"], got["reviewStatuses"])
	}
}

// The library would write its settings into the home directory.
var withoutConfigDir = sync.OnceFunc(api.DisableConfigDir)

// portfolio is one PDF of several.
func portfolio(t *testing.T, documents ...[]byte) []byte {
	t.Helper()
	withoutConfigDir()
	var readers []io.ReadSeeker
	for _, d := range documents {
		readers = append(readers, bytes.NewReader(d))
	}
	var merged bytes.Buffer
	if err := api.MergeRaw(readers, &merged, false, nil); err != nil {
		t.Fatal(err)
	}
	return merged.Bytes()
}

func TestSensibleFromURL(t *testing.T) {
	t.Parallel()
	documents := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/tax.pdf" || r.Header.Get("Authorization") != "" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(fixtures.TaxForm(1))
	}))
	t.Cleanup(documents.Close)
	s := start(t, sandbox.Config{})
	submit := func(path, body string) string {
		return s.object(s.sensible("POST", "/extract_from_url"+path, body), 200)["id"].(string)
	}
	// The download happens beside the call; how long it takes is real time.
	wait := func(id string) map[string]any {
		for t.Context().Err() == nil {
			s.pass(10 * time.Second)
			v := s.object(s.sensible("GET", "/documents/"+id, ""), 200)
			if v["status"] == "COMPLETE" || v["status"] == "FAILED" {
				return v
			}
		}
		return nil
	}
	single := wait(submit("/tax_forms", `{"document_url":"`+documents.URL+`/tax.pdf","extra_data":{"n":1}}`))
	if single["status"] != "COMPLETE" || !cmp.Equal(single["extra_data"], map[string]any{"n": 1.0}) {
		t.Errorf("extraction = %v, want COMPLETE with extra_data", single)
	}
	portfolio := wait(submit("/", `{"document_url":"`+documents.URL+`/tax.pdf","types":["tax_forms"]}`))
	if portfolio["status"] != "COMPLETE" || len(portfolio["documents"].([]any)) != 1 {
		t.Errorf("portfolio = %v, want COMPLETE with one document", portfolio)
	}
	missing := wait(submit("/tax_forms", `{"document_url":"`+documents.URL+`/other.pdf?key=secret"}`))
	if got, want := missing["error"], "Could not download the document: the host answered 404 Not Found"; got != want {
		t.Errorf("error = %v, want %v", got, want)
	}
}

func TestSensibleRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{APIKey: "right"})
	right := []string{"Authorization", "Bearer right", "Content-Type", "application/json"}
	wrong := []string{"Authorization", "Bearer wrong", "Content-Type", "application/json"}
	for _, test := range []struct {
		name, path, body string
		headers          []string
		status           int
		want             string // a pattern for the body
	}{
		{"no key", "/generate_upload_url/a", "{}", []string{"Content-Type", "application/json"}, 401, "^Unauthorized$"},
		{"wrong key", "/generate_upload_url/a", "{}", wrong, 401, "^Unauthorized$"},
		{"wrong scheme", "/generate_upload_url/a", "{}", []string{"Authorization", "Token right", "Content-Type", "application/json"}, 401, "^Unauthorized$"},
		{"no content type", "/generate_upload_url/a", "{}", wrong[:2], 400, "^Must provide the Content-Type header$"},
		{"content type before key", "/generate_upload_url/a", "{}", []string{"Authorization", "Bearer wrong", "Content-Type", "text/plain"}, 415, "^Content-Type must be application/json$"},
		{"key before body", "/generate_upload_url/a", `{"colour":1}`, wrong, 401, "^Unauthorized$"},
		{"not JSON", "/generate_upload_url/a", `{`, right, 400, "^Invalid body$"},
		{"unknown member", "/generate_upload_url/a", `{"colour":1}`, right, 400, `"path":"colour","message":"is not allowed"`},
		{"member of another call", "/generate_upload_url/a", `{"types":["b"]}`, right, 400, `"path":"types"`},
		{"wrong type of member", "/generate_upload_url/a", `{"content_type":1}`, right, 400, `"path":"content_type","message":"has the wrong type"`},
		{"unknown content type", "/generate_upload_url/a", `{"content_type":"video/mp4"}`, right, 400, `"path":"content_type"`},
		{"nested extra data", "/generate_upload_url/a", `{"extra_data":{"a":{}}}`, right, 400, `"path":"extra_data.a"`},
		{"large extra data", "/generate_upload_url/a", `{"extra_data":{"a":"` + strings.Repeat("x", 16_000) + `"}}`, right, 400, `"path":"extra_data"`},
		{"portfolio without types", "/generate_upload_url", `{}`, right, 400, `"path":"types"`},
		{"segments", "/generate_upload_url", `{"types":["a"],"segment_documents_with":"scissors"}`, right, 400, `"path":"segment_documents_with"`},
		{"no url", "/extract_from_url/a", `{}`, right, 400, `"path":"document_url"`},
		{"file url", "/extract_from_url/a", `{"document_url":"file:///etc/passwd"}`, right, 400, `"path":"document_url"`},
		{"environment", "/generate_upload_url/a?environment=No%20", `{}`, right, 400, `"in":"query","path":"environment"`},
		{"long name", "/generate_upload_url/a?document_name=" + strings.Repeat("x", 257), `{}`, right, 400, `"path":"document_name"`},
		{"all at once", "/generate_upload_url/a?environment=No", `{"colour":1,"shape":2}`, right, 400, `(?s)environment.*colour.*shape`},
		{"no such call", "/extract_from_paper/a", `{}`, right, 404, "^Not found$"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := s.call("POST", "/sensible/v0"+test.path, []byte(test.body), test.headers...)
			if got.status != test.status || !regexp.MustCompile(test.want).MatchString(got.body) {
				t.Errorf("%s = %d %s, want %d %s", test.path, got.status, got.body, test.status, test.want)
			}
			wantType := "text/plain"
			if strings.Contains(test.want, `"`) || strings.Contains(test.want, "colour") {
				wantType = "application/json"
			}
			if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, wantType) {
				t.Errorf("Content-Type = %s, want %s", kind, wantType)
			}
		})
	}
	for path, status := range map[string]int{"/documents/none": 404, "/extractions?limit=0": 400, "/extractions?statuses=DONE": 400, "/extractions?continuation_token=%21": 400} {
		if got := s.call("GET", "/sensible/v0"+path, nil, right...); got.status != status {
			t.Errorf("GET %s = %d %s, want %d", path, got.status, got.body, status)
		}
	}
}

func TestSensibleList(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{})
	var ids []string
	for n := range 5 {
		ids = append(ids, s.submitSensible("/generate_upload_url/invoices", fixtures.Invoice(n)))
		s.pass(time.Second)
	}
	s.object(s.sensible("POST", "/generate_upload_url/tax_forms", "{}"), 200) // waits forever
	list := func(query string) (got []string, token string) {
		t.Helper()
		v := s.object(s.sensible("GET", "/extractions?"+query, ""), 200)
		for _, x := range v["extractions"].([]any) {
			x := x.(map[string]any)
			got = append(got, x["id"].(string))
			for _, hidden := range []string{"parsed_document", "download_url", "extra_data", "webhook"} {
				if x[hidden] != nil {
					t.Errorf("a summary has %s", hidden)
				}
			}
		}
		token, _ = v["continuation_token"].(string)
		return got, token
	}
	// The last two are not done yet.
	got, token := list("statuses=COMPLETE,FAILED&limit=2")
	if diff := cmp.Diff([]string{ids[3], ids[2]}, got); diff != "" {
		t.Errorf("first page (-want +got):\n%s", diff)
	}
	got, token = list("statuses=COMPLETE,FAILED&limit=2&continuation_token=" + token)
	if diff := cmp.Diff([]string{ids[1], ids[0]}, got); diff != "" || token != "" {
		t.Errorf("last page with token %q (-want +got):\n%s", token, diff)
	}
	if got, _ := list("statuses=WAITING"); len(got) != 1 {
		t.Errorf("waiting: %v, want one", got)
	}
	between := url.Values{"start_date": {"2026-03-01T12:00:01.000Z"}, "end_date": {"2026-03-01T12:00:02.000Z"}}
	got, _ = list(between.Encode())
	if diff := cmp.Diff([]string{ids[2], ids[1]}, got); diff != "" {
		t.Errorf("between two times, both included (-want +got):\n%s", diff)
	}
	if a := s.sensible("GET", "/extractions?start_date=2026-03-02&end_date=2026-03-01", ""); a.status != 400 || a.body != "The start date must be before the end date" {
		t.Errorf("start after end = %d %s", a.status, a.body)
	}
	if got, _ := list("environments=development"); len(got) != 0 {
		t.Errorf("development has %v, want nothing", got)
	}
}

func TestSensibleRateLimit(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{RateLimit: 2})
	for range 2 {
		if got := s.sensible("GET", "/extractions", ""); got.status != 200 {
			t.Fatalf("status %d, want 200", got.status)
		}
	}
	got := s.sensible("GET", "/extractions", "")
	var v map[string]string
	_ = json.Unmarshal([]byte(got.body), &v)
	if got.status != 429 || v["error"] != "Rate limit exceeded" || got.header.Get("Retry-After") != "1" {
		t.Errorf("third call = %d %s, Retry-After %s, want 429 and 1", got.status, got.body, got.header.Get("Retry-After"))
	}
	if got := s.typless("GET", "/awaiting-poll", ""); got.status != 200 {
		t.Errorf("the other vendor answers %d, want 200", got.status)
	}
	s.pass(time.Second)
	if got := s.sensible("GET", "/extractions", ""); got.status != 200 {
		t.Errorf("after Retry-After: status %d, want 200", got.status)
	}
}

// TestSensibleQuota: what a plan allows is used up by submissions alone, answered
// in plain text without Retry-After, and there again a month later.
func TestSensibleQuota(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{Quota: 2, APIKey: "right"})
	submit := func(key string) answer {
		return s.call("POST", "/sensible/v0/generate_upload_url/a", []byte("{}"), "Authorization", "Bearer "+key, "Content-Type", "application/json")
	}
	for _, key := range []string{"wrong", "wrong", "right", "right"} {
		if got := submit(key); got.status == 429 {
			t.Fatalf("submission with the %s key = 429, want another answer", key)
		}
	}
	got := submit("right")
	if got.status != 429 || got.header.Get("Retry-After") != "" || got.body != "Plan usage limit exceeded" {
		t.Errorf("third submission = %d %q, Retry-After %q, want a 429 in plain text without", got.status, got.body, got.header.Get("Retry-After"))
	}
	if got := s.call("GET", "/sensible/v0/extractions", nil, "Authorization", "Bearer right"); got.status != 200 {
		t.Errorf("a list = %d, want 200", got.status)
	}
	s.pass(31 * 24 * time.Hour)
	if got := submit("right"); got.status != 200 {
		t.Errorf("a month later = %d, want 200", got.status)
	}
}

func TestSensibleExport(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{})
	tax := s.submitSensible("/generate_upload_url/tax_forms", fixtures.TaxForm(1))
	if a := s.sensible("GET", "/generate_csv/"+tax, ""); a.status != 400 {
		t.Errorf("while it is processed: %d %s, want 400", a.status, a.body)
	}
	several := s.submitSensible("/generate_upload_url/", portfolio(t, fixtures.TaxForm(2), fixtures.Invoice(2)))
	s.pass(2 * time.Second)
	link := s.object(s.sensible("GET", "/generate_csv/"+tax+","+several, ""), 200)["url"].(string)
	got := s.call("GET", link, nil)
	one, two, invoice := fixtures.TaxFormFields(1), fixtures.TaxFormFields(2), fixtures.InvoiceFields(2)
	quote := func(v string) string {
		if strings.Contains(v, ",") {
			return `"` + v + `"`
		}
		return v
	}
	want := strings.Join([]string{
		"id,document_name,document_type,invoice_date,invoice_number,ssn,total,total_income,total_tax",
		strings.Join([]string{tax, "", "tax_forms", "", "", one["ssn"], "", quote(one["total_income"]), quote(one["total_tax"])}, ","),
		strings.Join([]string{several, "", "tax_forms", "", "", two["ssn"], "", quote(two["total_income"]), quote(two["total_tax"])}, ","),
		strings.Join([]string{several, "", "invoices", invoice["invoice_date"], invoice["invoice_number"], "", quote(invoice["total"]), "", ""}, ","),
		"",
	}, "\n")
	if diff := cmp.Diff(want, got.body); diff != "" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") {
		t.Errorf("%s (-want +got):\n%s", got.header.Get("Content-Type"), diff)
	}
	for path, status := range map[string]int{"/generate_excel/" + tax + ",none": 404, "/generate_excel/none": 404} {
		if a := s.sensible("GET", path, ""); a.status != status {
			t.Errorf("%s = %d %s, want %d", path, a.status, a.body, status)
		}
	}
	if a := s.call("GET", "/sensible/v0/generate_csv/"+tax, nil); a.status != 401 {
		t.Errorf("without a key: %d, want 401", a.status)
	}
	s.pass(16 * time.Minute)
	checkS3(t, s.call("GET", link, nil), 403, "AccessDenied")
}

func TestSensibleClassification(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{})
	classify := func(query, kind string, body []byte) answer {
		return s.call("POST", "/sensible/v0/classify/async"+query, body, "Authorization", "Bearer any", "Content-Type", kind)
	}
	for _, test := range []struct {
		query string
		body  []byte
		name  string
		score float64
	}{
		{"", fixtures.Invoice(1), "invoices", 1},
		{"", fixtures.TaxForm(1), "tax_forms", 1},
		{"?document_types=letters,invoices", fixtures.Invoice(1), "invoices", 1},
		{"?doctype=letters", fixtures.Invoice(1), "letters", 0},
	} {
		request := s.object(classify(test.query, "application/pdf", test.body), 200)
		link := request["download_link"].(string)
		checkS3(t, s.call("GET", link, nil), 404, "NoSuchKey") // not yet
		s.pass(2 * time.Second)
		got := s.object(s.call("GET", link, nil), 200)
		kind, _ := got["document_type"].(map[string]any)
		if kind["name"] != test.name || kind["score"] != test.score || kind["id"] == nil {
			t.Errorf("%s: %v, want %s with %v", test.query, got, test.name, test.score)
		}
		// It is no extraction.
		if a := s.sensible("GET", "/documents/"+request["id"].(string), ""); a.status != 404 {
			t.Errorf("GET /documents = %d, want 404", a.status)
		}
	}
	if a := s.sensible("GET", "/extractions", ""); !strings.Contains(a.body, `"extractions":[]`) {
		t.Errorf("list = %s, want no classification in it", a.body)
	}
	bad := s.object(classify("", "application/pdf", []byte("%PDF-1.4 and nothing")), 200)
	s.pass(2 * time.Second)
	if a := s.call("GET", bad["download_link"].(string), nil); a.status != 400 || a.body != "This PDF is invalid" {
		t.Errorf("an invalid PDF = %d %s, want 400", a.status, a.body)
	}
	for kind, status := range map[string]int{"": 400, "video/mp4": 415} {
		if a := classify("", kind, nil); a.status != status {
			t.Errorf("Content-Type %q = %d %s, want %d", kind, a.status, a.body, status)
		}
	}
	if a := classify("", "application/pdf", make([]byte, 4_500_001)); a.status != 413 {
		t.Errorf("a large document = %d, want 413", a.status)
	}
	if a := s.call("POST", "/sensible/v0/classify/async", nil, "Content-Type", "application/pdf"); a.status != 401 {
		t.Errorf("without a key: %d, want 401", a.status)
	}
}
