package fields_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/sandbox/internal/fields"
	"github.com/extractq/extractq/sandbox/internal/reader"
)

func TestOf(t *testing.T) {
	t.Parallel()
	rules, err := fields.Parse(map[string]map[string]string{"invoices": {
		"total": `Total: (\S+)`, "number": `INV-\d+`, "missing": `IBAN`,
	}})
	if err != nil {
		t.Fatal(err)
	}
	doc := &reader.Document{
		Pages:  []string{"INV-1 INV-2 INV-1\nTotal: 7", "INV-3 INV-4 INV-5 INV-6"},
		Fields: []reader.Field{{Name: "ssn", Value: "000-01-0001"}, {Name: "total", Value: "8"}},
	}
	form := fields.Field{Name: "ssn", Form: "000-01-0001"}
	for _, test := range []struct {
		name, docType string
		first, last   int
		want          []fields.Field
	}{
		{"rules go before the form", "invoices", 0, 1, []fields.Field{
			{Name: "missing"},
			{Name: "number", Readings: []fields.Reading{{Text: "INV-1"}, {Text: "INV-2"}}},
			{Name: "total", Readings: []fields.Reading{{Text: "7"}}},
			form,
		}},
		{"five readings, with their pages", "invoices", 0, 2, []fields.Field{
			{Name: "missing"},
			{Name: "number", Readings: []fields.Reading{{Text: "INV-1"}, {Text: "INV-2"}, {Text: "INV-3", Page: 1}, {Text: "INV-4", Page: 1}, {Text: "INV-5", Page: 1}}},
			{Name: "total", Readings: []fields.Reading{{Text: "7"}}},
			form,
		}},
		{"without rules the text", "letters", 1, 2, []fields.Field{
			{Name: "text", Readings: []fields.Reading{{Text: "INV-3 INV-4 INV-5 INV-6", Page: -1}}},
			form,
			{Name: "total", Form: "8"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, rules.Of(test.docType, doc, test.first, test.last)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTextBesideRules keeps the whole text as a field where a rule of that name has no
// expression.
func TestTextBesideRules(t *testing.T) {
	t.Parallel()
	rules, err := fields.Parse(map[string]map[string]string{"invoices": {"total": `Total: (\S+)`}})
	if err != nil {
		t.Fatal(err)
	}
	rules["invoices"][fields.TextField] = nil
	doc := &reader.Document{Pages: []string{"Total: 12.00", "and more"}}
	want := []fields.Field{
		{Name: "text", Readings: []fields.Reading{{Text: "Total: 12.00\n\nand more", Page: -1}}},
		{Name: "total", Readings: []fields.Reading{{Text: "12.00"}}},
	}
	if diff := cmp.Diff(want, rules.Of("invoices", doc, 0, 2)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"total": "12.00"}, rules.On("invoices", doc.Pages[0])); diff != "" {
		t.Errorf("fields of one page (-want +got):\n%s", diff)
	}
}
