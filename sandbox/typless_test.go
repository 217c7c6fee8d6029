package sandbox_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

// TestTyplessTutorial follows "Asynchronous extraction" with the requests that
// its curl lines make, on the paths with and without version.
func TestTyplessTutorial(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"", "/v1"} {
		t.Run("version"+version, func(t *testing.T) {
			t.Parallel()
			s := start(t, sandbox.Config{})
			id := s.submitTypless(fixtures.Invoice(1), `,"document_type_name":"invoices","customer":"acme"`)
			if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(id) {
				t.Errorf("extraction_id = %q, want 40 hexadecimal digits", id)
			}
			poll := func() map[string]any {
				t.Helper()
				return s.object(s.typless("GET", version+"/get-extraction-data?extraction_id="+id, ""), 200)
			}
			waiting := func(query string) []any {
				t.Helper()
				return s.object(s.typless("GET", version+"/awaiting-poll"+query, ""), 200)["extraction_ids"].([]any)
			}
			empty := map[string]any{}
			if diff := cmp.Diff(map[string]any{"error": empty, "result": empty, "status": "IN_PROGRESS"}, poll()); diff != "" {
				t.Errorf("at once (-want +got):\n%s", diff)
			}
			if got := waiting(""); len(got) != 0 {
				t.Errorf("awaiting-poll = %v while it is processed", got)
			}
			s.pass(2 * time.Second)
			checkFound(t, poll(), id)
			for query, want := range map[string]int{"": 1, "?customer=acme": 1, "?customer=other": 0} {
				if got := waiting(query); len(got) != want {
					t.Errorf("awaiting-poll%s = %v, want %d", query, got, want)
				}
			}
			s.pass(48 * time.Hour)
			if diff := cmp.Diff(map[string]any{"error": empty, "result": empty, "status": "EXPIRED"}, poll()); diff != "" {
				t.Errorf("48 h later (-want +got):\n%s", diff)
			}
			if got := waiting(""); len(got) != 0 {
				t.Errorf("awaiting-poll = %v after it expired", got)
			}
		})
	}
}

func checkFound(t *testing.T, poll map[string]any, id string) {
	t.Helper()
	result, _ := poll["result"].(map[string]any)
	got := map[string]string{}
	for _, f := range result["extracted_fields"].([]any) {
		f := f.(map[string]any)
		value := f["values"].([]any)[0].(map[string]any)
		got[f["name"].(string)] = value["value"].(string)
		confidence, ok := value["confidence_score"].(float64)
		if !ok || confidence < 0 || confidence > 1 || value["page_number"] != 0.0 || value["x"] != -1.0 {
			t.Errorf("value = %v, want a confidence and page 0", value)
		}
	}
	if diff := cmp.Diff(fixtures.InvoiceFields(1), got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	delete(result, "extracted_fields")
	want := map[string]any{
		"status": "SUCCESS", "error": map[string]any{},
		"result": map[string]any{"customer": "acme", "file_name": "a.pdf", "object_id": id, "line_items": []any{}, "vat_rates": []any{}},
	}
	if diff := cmp.Diff(want, poll); diff != "" {
		t.Errorf("poll without fields (-want +got):\n%s", diff)
	}
}

func TestTyplessFailure(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{DropFetched: true})
	id := s.submitTypless([]byte("no document"), `,"document_type_name":"invoices"`)
	s.pass(2 * time.Second)
	awaiting := func() string { return s.typless("GET", "/awaiting-poll", "").body }
	if got, want := awaiting(), `{"extraction_ids":["`+id+`"]}`; got != want {
		t.Errorf("awaiting-poll = %s, want %s", got, want)
	}
	got := s.object(s.typless("GET", "/get-extraction-data?extraction_id="+id, ""), 200)
	want := map[string]any{
		"status": "ERROR", "result": map[string]any{},
		"error": map[string]any{"code": "file_error", "message": "Could not determine the content type of the document", "details": map[string]any{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("poll (-want +got):\n%s", diff)
	}
	if got := awaiting(); got != `{"extraction_ids":[]}` {
		t.Errorf("awaiting-poll = %s after it was fetched, want none", got)
	}
}

func TestTyplessSync(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{})
	got := s.object(s.typless("POST", "/extract-data", `{"file":"/9j/4A==","file_name":"a.jpg","document_type_name":"x"}`), 200)
	field := got["extracted_fields"].([]any)[0].(map[string]any)
	if field["name"] != "text" || field["values"].([]any)[0].(map[string]any)["value"] != "" {
		t.Errorf("field = %v, want an empty text", field)
	}
	s.pass(time.Hour)
	if a := s.typless("GET", "/awaiting-poll", ""); a.body != `{"extraction_ids":[]}` {
		t.Errorf("awaiting-poll = %s, want nothing that was answered already", a.body)
	}
}

func TestTyplessRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{APIKey: "right", MaxTyplessDocument: 1_000})
	right := []string{"Authorization", "Token right", "Content-Type", "application/json"}
	for _, test := range []struct {
		name, path, body string
		headers          []string
		status           int
		want             string
	}{
		{"no key", "/extract-data-async", "{}", right[2:], 401, `^{"code":"unauthorized","message":".+","details":{}}$`},
		{"wrong key", "/extract-data-async", "{}", []string{"Authorization", "Token wrong"}, 401, `"code":"unauthorized"`},
		{"wrong scheme", "/extract-data-async", "{}", []string{"Authorization", "Bearer right"}, 403, `"code":"forbidden"`},
		{"empty object", "/extract-data-async", "{}", right, 422, `^{"detail":\[{"loc":\["body","file"\],"msg":"field required","type":"value_error.missing"},.*document_type_name`},
		{"not JSON", "/extract-data-async", "{", right, 422, `value_error.jsondecode`},
		{"number as name", "/extract-data-async", `{"file_name":1}`, right, 422, `"loc":\["body","file_name"\]`},
		{"empty type", "/extract-data-async", `{"file":"","file_name":"","document_type_name":""}`, right, 422, `"loc":\["body","document_type_name"\]`},
		{"empty customer", "/extract-data-async", `{"file":"","file_name":"","document_type_name":"a","customer":""}`, right, 422, `"loc":\["body","customer"\]`},
		{"not base64", "/extract-data-async", `{"file":"?","file_name":"","document_type_name":"a"}`, right, 400, `"code":"invalid_file"`},
		{"too large", "/extract-data-async", `{"file":"` + strings.Repeat("AAAA", 400) + `","file_name":"","document_type_name":"a"}`, right, 413, `"code":"file_too_large"`},
		{"much too large", "/v1/extract-data-async", strings.Repeat(" ", 100_000), right, 413, `"code":"file_too_large"`},
		{"no such call", "/extract-data-soon", "{}", right, 404, `"code":"not_found"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := s.call("POST", "/typless/api"+test.path, []byte(test.body), test.headers...)
			if got.status != test.status || !regexp.MustCompile(test.want).MatchString(got.body) {
				t.Errorf("%s = %d %s, want %d %s", test.path, got.status, got.body, test.status, test.want)
			}
		})
	}
	for path, status := range map[string]int{"/get-extraction-data": 422, "/get-extraction-data?extraction_id=none": 404} {
		if got := s.call("GET", "/typless/api"+path, nil, right...); got.status != status {
			t.Errorf("GET %s = %d %s, want %d", path, got.status, got.body, status)
		}
	}
}

func TestTyplessRateLimit(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{RateLimit: 0.1})
	s.typless("GET", "/awaiting-poll", "")
	s.pass(time.Second)
	got := s.typless("GET", "/awaiting-poll", "")
	if got.status != 429 || got.header.Get("Retry-After") != "9" || !strings.Contains(got.body, `"code":"too_many_requests"`) {
		t.Errorf("second call = %d %s, Retry-After %s, want 429 and 9", got.status, got.body, got.header.Get("Retry-After"))
	}
}

// TestTyplessQuotaOfCalls: with QuotaCountsCalls polls use up the plan as well.
func TestTyplessQuotaOfCalls(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{Quota: 2, QuotaCountsCalls: true})
	s.typless("GET", "/awaiting-poll", "")
	s.typless("GET", "/v1/awaiting-poll", "")
	for _, call := range []struct{ method, path string }{{"GET", "/awaiting-poll"}, {"POST", "/extract-data-async"}} {
		got := s.typless(call.method, call.path, "{}")
		if got.status != 429 || got.header.Get("Retry-After") != "" || !strings.Contains(got.body, `"code":"quota_exceeded"`) {
			t.Errorf("%s %s = %d %s, want 429 without Retry-After", call.method, call.path, got.status, got.body)
		}
	}
	if got := s.sensible("GET", "/extractions", ""); got.status != 200 {
		t.Errorf("the other vendor answers %d, want 200", got.status)
	}
}
