package sandbox_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

func TestParseRulesNamesAllThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := sandbox.ParseRules(map[string]map[string]string{"a": {"x": "("}, "b": {"y": "[", "z": "ok"}})
	if err == nil || !strings.Contains(err.Error(), "rule a.x: ") || !strings.Contains(err.Error(), "rule b.y: ") {
		t.Errorf("ParseRules = %v, want both bad expressions", err)
	}
}

func TestParseRulesYAML(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"":      "r.yaml: no document types",
		"a: {}": "r.yaml: a: no fields",
		"a:":    "r.yaml: a: no fields",
		"a: {fields: {}}\nb:\n  fields:\n    x: '('": "r.yaml: a: no fields\nr.yaml:4: b.fields.x: error parsing regexp",
		"a:\n  fields:\n    x: '['\n    y: '('":      "r.yaml:3: a.fields.x: error parsing regexp: missing closing ]: `[`\nr.yaml:4: a.fields.y: ",
		"a:\n  fields: {x: ''}":                      "r.yaml:2: a.fields.x: want a regular expression",
		"a:\n  fields: {x: 7}":                       "r.yaml:2: a.fields.x: want a regular expression",
		"a:\n  fields: {x: [b]}":                     "r.yaml:2: a.fields.x: want a regular expression",
		"a:\n  field: {x: b}":                        "r.yaml:2: unknown field \"field\"",
		"a:\n  fields: {x: b}\na: {}":                "r.yaml:3: ",
		"a: [":                                       "r.yaml:1: ",
		"- a":                                        "r.yaml:1: ",
	} {
		rules, err := sandbox.ParseRulesYAML("r.yaml", []byte(source))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseRulesYAML(%q) = %v, %v, want an error that begins with %q", source, rules, err, want)
		}
	}
	rules, err := sandbox.ParseRulesYAML("r.yaml", []byte("a:\n  fields:\n    x: b+\n    y: |\n      (c)\n"))
	if err != nil || rules["a"]["x"].String() != "b+" || rules["a"]["y"].String() != "(c)" {
		t.Errorf("ParseRulesYAML = %v, %v, want two rules", rules, err)
	}
}

// TestRulesOfTheExamples: the rules that come with the examples find what is in
// them, at both vendors and in the parts of a portfolio, each by its own type.
func TestRulesOfTheExamples(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../examples/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := sandbox.ParseRulesYAML("rules.yaml", source)
	if err != nil {
		t.Fatal(err)
	}
	form, err := os.ReadFile("../examples/tax_form.pdf")
	if err != nil {
		t.Fatal(err)
	}
	invoice, err := os.ReadFile("../examples/invoice.pdf")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, sandbox.Config{Rules: rules})
	single, several := s.submitSensible("/generate_upload_url/tax_forms", form), s.submitSensible("/generate_upload_url/", portfolio(t, form, invoice))
	typless := s.submitTypless(form, `,"document_type_name":"tax_forms"`)
	s.pass(2 * time.Second)

	names := func(rules map[string]string) map[string]any {
		want := map[string]any{}
		for name := range rules {
			want[name] = nil // Which value is the fixture's; that there is one is the rule's.
		}
		return want
	}
	tax := names(fixtures.TaxFormRules())
	got := s.object(s.sensible("GET", "/documents/"+single, ""), 200)["parsed_document"].(map[string]any)
	checkNames(t, "single document", tax, got)

	parts := s.object(s.sensible("GET", "/documents/"+several, ""), 200)["documents"].([]any)
	if len(parts) != 2 {
		t.Fatalf("portfolio = %v, want two documents", parts)
	}
	for i, want := range []map[string]any{tax, names(fixtures.InvoiceRules())} {
		checkNames(t, "document of the portfolio", want, parts[i].(map[string]any)["output"].(map[string]any)["parsedDocument"].(map[string]any))
	}

	result := s.object(s.typless("GET", "/get-extraction-data?extraction_id="+typless, ""), 200)["result"].(map[string]any)
	fields := map[string]any{}
	for _, f := range result["extracted_fields"].([]any) {
		f := f.(map[string]any)
		if values := f["values"].([]any); len(values) > 0 {
			fields[f["name"].(string)] = values[0]
		}
	}
	checkNames(t, "Typless", tax, fields)
}

// checkNames compares the names of fields, of which each must have a value.
func checkNames(t *testing.T, what string, want, got map[string]any) {
	t.Helper()
	names := map[string]any{}
	for name, value := range got {
		if value == nil {
			t.Errorf("%s: %s was not found", what, name)
		}
		names[name] = nil
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("%s: fields (-want +got):\n%s", what, diff)
	}
}

// TestStrictTypes refuses a type that no rules know, at both vendors and within a portfolio.
func TestStrictTypes(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{StrictTypes: true})
	for path, want := range map[string]int{
		"/generate_upload_url/tax_forms": 200, "/generate_upload_url/unheard_of": 400,
	} {
		if got := s.sensible("POST", path, "{}"); got.status != want {
			t.Errorf("POST %s = %d %s, want %d", path, got.status, got.body, want)
		}
	}
	for types, want := range map[string]int{`["tax_forms","invoices"]`: 200, `["tax_forms","unheard_of"]`: 400} {
		if got := s.sensible("POST", "/generate_upload_url/", `{"types":`+types+`}`); got.status != want {
			t.Errorf("a portfolio of %s = %d %s, want %d", types, got.status, got.body, want)
		}
	}
	for docType, want := range map[string]int{"invoices": 202, "unheard_of": 400} {
		got := s.typless("POST", "/extract-data-async", `{"file":"JVBERg==","file_name":"a.pdf","document_type_name":"`+docType+`"}`)
		if got.status != want {
			t.Errorf("Typless takes %s with %d %s, want %d", docType, got.status, got.body, want)
		}
	}
	if err := (sandbox.Config{StrictTypes: true}).Validate(); err == nil {
		t.Error("strict types without any rules are taken, and would refuse every document")
	}
}
