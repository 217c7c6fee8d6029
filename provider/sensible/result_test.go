package sensible

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
	"github.com/extractq/extractq/provider/providertest"
)

// finished decodes a poll's body that must have a result.
func finished(t *testing.T, body string) *extraction.Result {
	t.Helper()
	out, err := outcome([]byte(body), providertest.VendorID, vendorhttp.NewRedactor(), inMemory)
	if err != nil || out.Result == nil {
		t.Fatalf("outcome = %+v, %v", out, err)
	}
	return providertest.Result(t, out)
}

// inMemory guards an answer that is in memory.
func inMemory(f func() error) error { return f() }

// brief writes values as JSON [value, type, text, unit].
func brief(t *testing.T, vals []extraction.Value) string {
	t.Helper()
	out := []any{}
	for _, v := range vals {
		if v.Confidence != nil || v.Page != nil || v.Box != nil || len(v.Alternatives) != 0 || v.Alternatives == nil {
			t.Errorf("%+v has something that Sensible does not say", v)
		}
		out = append(out, []any{v.Value, v.Type, v.Text, v.Unit})
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func briefRow(t *testing.T, row extraction.Row) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, vals := range row {
		out[name] = brief(t, vals)
	}
	return out
}

func briefTables(t *testing.T, tables extraction.Tables) map[string][]map[string]string {
	t.Helper()
	out := map[string][]map[string]string{}
	for name, rows := range tables {
		out[name] = []map[string]string{}
		for _, row := range rows {
			out[name] = append(out[name], briefRow(t, row))
		}
	}
	return out
}

func TestSingleResult(t *testing.T) {
	t.Parallel()
	r := finished(t, providertest.Fixture(t, "poll_complete.json"))
	fields := map[string]string{
		"ssn":    `[["123-45-6789","string","123-45-6789",null]]`,
		"wages":  `[[52310.05,"number","$ 52,310.05","$"]]`,
		"signed": `[["2021-02-01","date","Feb 1, 21",null]]`,
		"joint":  `[[true,"boolean","YES",null]]`,
		"spouse": `[]`,
		"names": `[["Richard Spangenberg","string","Richard \u0026 Ann Spangenberg",null],` +
			`["Ann Spangenberg","string","Richard \u0026 Ann Spangenberg",null]]`,
		"phones":   `[["+18557863246","string","(855) 786-3246",null],["+12073126767","string","+12073126767",null]]`,
		"bad_date": `[["someday","string","someday",null]]`,
	}
	if diff := cmp.Diff(fields, briefRow(t, extraction.Row(r.Fields))); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	tables := map[string][]map[string]string{
		"risks": {
			{"risk": `[["Poor scope","string","Poor scope",null]]`, "rank": `[[2,"number","2",null]]`},
			{"risk": `[["No training","string","No training",null]]`, "rank": `[]`},
			{"risk": `[]`, "rank": `[[3,"number","3",null]]`},
		},
		"claims": {
			{"number": `[["C-1","string","C-1",null]]`, "value": `[[7,"number",null,null]]`},
			{"number": `[]`, "value": `[]`, "parts": `[]`},
		},
	}
	if diff := cmp.Diff(tables, briefTables(t, r.Tables)); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	warnings := []extraction.Warning{
		{Field: "spouse", Code: "configuration", Message: "anchor not found"},
		{Code: "error", Message: "odd"},
		{Code: "error", Message: "SSN has 9 digits"},
		{Code: "warning", Message: "Wages: are high"},
	}
	if diff := cmp.Diff(warnings, r.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if len(r.Documents) != 0 {
		t.Errorf("documents %v", r.Documents)
	}
}

// TestRaw: everything the vendor said but our own webhook.
func TestRaw(t *testing.T) {
	t.Parallel()
	body := providertest.Fixture(t, "poll_complete.json")
	raw := string(finished(t, body).Raw)
	for _, gone := range []string{"webhook", "payload", "t0ken"} {
		if strings.Contains(raw, gone) {
			t.Errorf("raw has %q", gone)
		}
	}
	for _, kept := range []string{"12345678901234567890", "52310.05", "download_url", "deep", "validation_summary"} {
		if !strings.Contains(raw, kept) {
			t.Errorf("raw lost %q", kept)
		}
	}
	plain := providertest.Fixture(t, "poll_complete_portfolio.json")
	if got := string(finished(t, plain).Raw); got != providertest.Compact(t, plain) {
		t.Errorf("without a webhook raw is not the body itself:\n%s", got)
	}
}

func TestPortfolioResult(t *testing.T) {
	t.Parallel()
	r := finished(t, providertest.Fixture(t, "poll_complete_portfolio.json"))
	if len(r.Documents) != 2 || len(r.Fields) != 0 || len(r.Tables) != 0 || len(r.Warnings) != 0 {
		t.Fatalf("%d documents, fields %v, tables %v, warnings %v", len(r.Documents), r.Fields, r.Tables, r.Warnings)
	}
	first, second := r.Documents[0], r.Documents[1]
	if first.Type != "1040s" || first.StartPage != 1 || first.EndPage != 2 {
		t.Errorf("first document %+v", first)
	}
	if diff := cmp.Diff(map[string]string{"year": `[[2020,"number",null,null]]`}, briefRow(t, extraction.Row(first.Fields))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	kids := map[string][]map[string]string{"kids": {{"name": `[["Ann","string","Ann",null]]`}}}
	if diff := cmp.Diff(kids, briefTables(t, first.Tables)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	warnings := []extraction.Warning{
		{Field: "year", Code: "unexpected", Message: "guessed"}, {Code: "skipped", Message: "year is 2020"},
	}
	if diff := cmp.Diff(warnings, first.Warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The published schema's spelling is understood as well.
	if second.Type != "pay_stubs" || second.StartPage != 3 || second.EndPage != 3 || second.Fields["net"] == nil {
		t.Errorf("second document %+v", second)
	}
	if second.Warnings == nil || second.Tables == nil {
		t.Errorf("a nil collection in %+v", second)
	}
}

// TestFieldForms is one line for each form a field was or may be seen in.
func TestFieldForms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		raw   string
		field string // as brief writes it; empty if it must be a table
		rows  []map[string]string
	}{
		"null":                {`null`, `[]`, nil},
		"null value":          {`{"type":"string","value":null}`, `[]`, nil},
		"empty list":          {`[]`, `[]`, nil},
		"nulls":               {`[null,null]`, `[]`, nil},
		"no type":             {`{"value":"a"}`, `[["a","string","a",null]]`, nil},
		"bare string":         {`"a"`, `[["a","string",null,null]]`, nil},
		"bare number":         {`3.10`, `[[3.10,"number",null,null]]`, nil},
		"custom type":         {`{"type":"time_24","value":"14:01","source":"Time: 14:01"}`, `[["14:01","string","Time: 14:01",null]]`, nil},
		"percentage":          {`{"type":"percentage","value":20.5,"source":"20.5%"}`, `[[20.5,"number","20.5%",null]]`, nil},
		"number as string":    {`{"type":"number","value":"7"}`, `[[7,"number",null,null]]`, nil},
		"number, no number":   {`{"type":"currency","value":"a lot","unit":"$"}`, `[["a lot","string","a lot","$"]]`, nil},
		"images":              {`{"type":"images","value":[{"page":1}]}`, `[["{\"page\":1}","string",null,null]]`, nil},
		"object value":        {`{"type":"custom","value":{"a":1}}`, `[["{\"a\":1}","string",null,null]]`, nil},
		"empty table":         {`{"columns":[]}`, "", []map[string]string{}},
		"table without rows":  {`{"columns":[{"id":"a","values":[]}]}`, "", []map[string]string{}},
		"table, odd column":   {`{"columns":[null,{"values":[1]},{"id":"a","values":[{"type":"string","value":"x"}]}]}`, "", []map[string]string{{"a": `[["x","string","x",null]]`}}},
		"group":               {`{"a":{"type":"string","value":"x"},"b":null}`, "", []map[string]string{{"a": `[["x","string","x",null]]`, "b": `[]`}}},
		"sections with nulls": {`[null,{"a":null}]`, "", []map[string]string{{"a": `[]`}}},
		"nested sections":     {`[{"a":[{"b":{"type":"string","value":"x"}}],"t":{"columns":[]}}]`, "", []map[string]string{{}}},
		"field named value":   {`[{"value":{"type":"string","value":"x"}}]`, "", []map[string]string{{"value": `[["x","string","x",null]]`}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := finished(t, `{"id":"`+providertest.VendorID+`","status":"COMPLETE","parsed_document":{"f":`+tt.raw+`}}`)
			if tt.field != "" {
				if got := brief(t, r.Fields["f"]); got != tt.field || r.Fields["f"] == nil || len(r.Tables) != 0 {
					t.Errorf("field %s, tables %v, want %s", got, r.Tables, tt.field)
				}
				return
			}
			if diff := cmp.Diff(map[string][]map[string]string{"f": tt.rows}, briefTables(t, r.Tables)); diff != "" || len(r.Fields) != 0 {
				t.Errorf("fields %v (-want +got):\n%s", r.Fields, diff)
			}
		})
	}
}

// TestOddResults: one odd member does not lose a result.
func TestOddResults(t *testing.T) {
	t.Parallel()
	for _, members := range []string{
		``, `,"parsed_document":null`, `,"parsed_document":[1]`, `,"parsed_document":"x","documents":{},"errors":"x","validations":[1,null]`,
		`,"documents":[null,1,{}],"errors":["text",null],"completed":5`,
	} {
		r := finished(t, `{"id":"`+providertest.VendorID+`","status":"COMPLETE"`+members+`}`)
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s: %v", members, err)
		}
	}
}

func FuzzOutcome(f *testing.F) {
	for _, name := range []string{
		"poll_complete.json", "poll_complete_portfolio.json", "poll_failed.json", "poll_waiting.json", "error_400.json",
	} {
		f.Add([]byte(providertest.Fixture(f, name)))
	}
	redact := vendorhttp.NewRedactor("sk_live")
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := outcome(body, providertest.VendorID, redact, inMemory)
		if err != nil {
			return
		}
		if out.VendorStatus == "" || (out.Result != nil) != (out.Status == extraction.StatusSuccess) {
			t.Errorf("%+v", out)
		}
		if out.Result != nil {
			providertest.Result(t, out)
		}
		if _, err := json.Marshal(out.Failure); err != nil {
			t.Errorf("the failure cannot be written: %v", err)
		}
	})
}

func FuzzList(f *testing.F) {
	f.Add([]byte(providertest.Fixture(f, "ready.json")))
	f.Add([]byte(`{"extractions":[[],{"id":1}],"continuation_token":7}`))
	f.Fuzz(func(_ *testing.T, body []byte) { _, _, _ = decodeList(body) })
}
