package sensible

import (
	"maps"

	"github.com/extractq/extractq/sandbox/internal/engine"
)

// subDocument is one document of a portfolio. Below output Sensible writes
// camelCase, although its published schema says otherwise.
type subDocument struct {
	DocumentType  string  `json:"documentType"`
	Configuration string  `json:"configuration"`
	StartPage     int     `json:"startPage"`
	EndPage       int     `json:"endPage"`
	ConfigVersion string  `json:"configuration_version,omitempty"`
	Output        *output `json:"output"`
}

type output struct {
	ParsedDocument    map[string]any     `json:"parsedDocument,omitempty"`
	Configuration     string             `json:"configuration,omitempty"`
	Validations       []any              `json:"validations"`
	Coverage          *float64           `json:"coverage,omitempty"`
	FileMetadata      *fileMetadata      `json:"fileMetadata,omitempty"`
	Errors            []any              `json:"errors"`
	NeedsReview       *bool              `json:"needsReview,omitempty"`
	Classification    *[]any             `json:"classificationSummary,omitempty"`
	ValidationSummary *validationSummary `json:"validation_summary,omitempty"`
}

// portfolio adds the documents of a file that holds several.
func (a *api) portfolio(answer *extraction, x engine.Extraction[Meta]) {
	total := validationSummary{}
	for _, part := range a.split(x.Meta.Types, x.Document.Pages) {
		parsed, sum := a.parse(x, part.docType, part.first, part.last)
		total.Fields += sum.Fields
		total.FieldsPresent += sum.FieldsPresent
		coverage, review := sum.coverage(), false
		info := x.Document.Info
		if info == nil {
			info = map[string]string{}
		}
		answer.Documents = append(answer.Documents, subDocument{
			DocumentType: part.docType, Configuration: part.docType,
			// Zero-based and inclusive, as recorded.
			StartPage: part.first, EndPage: part.last - 1,
			ConfigVersion: configVersion,
			Output: &output{
				ParsedDocument: parsed, Configuration: part.docType, Validations: []any{}, Coverage: &coverage,
				FileMetadata: &fileMetadata{Info: info}, Errors: []any{}, NeedsReview: &review,
				Classification: &[]any{map[string]any{
					"configuration": part.docType,
					"score":         map[string]any{"score": sum.FieldsPresent, "coverage": coverage, "fieldsPresent": sum.FieldsPresent, "penalties": 0},
				}},
				ValidationSummary: &sum,
			},
		})
		answer.ReviewStatuses = append(answer.ReviewStatuses, nil)
	}
	coverage, charged := total.coverage(), len(answer.Documents)
	answer.ValidationSummary, answer.Coverage, answer.Charged = &total, &coverage, &charged
}

type part struct {
	docType     string
	first, last int // pages from 0; last is the page after
}

// split finds the documents in a file. A page on which the rules of a type find
// more than those of other types is of that type; it begins a new document where
// the type changes, or a field that the document has already has another value.
// Other pages go on with the document before them. Where no rule finds anything,
// the types share the pages out.
func (a *api) split(types, pages []string) []part {
	var parts []part
	var seen map[string]string // the fields of the last of parts
	for page, text := range pages {
		docType, found := a.recognize(types, text)
		if docType == "" {
			if len(parts) > 0 {
				parts[len(parts)-1].last = page + 1
			}
			continue
		}
		if len(parts) > 0 && parts[len(parts)-1].docType == docType && agree(seen, found) {
			parts[len(parts)-1].last = page + 1
			maps.Copy(seen, found)
			continue
		}
		first := page
		if len(parts) == 0 {
			first = 0 // whatever comes before the first belongs to it
		}
		parts, seen = append(parts, part{docType: docType, first: first, last: page + 1}), found
	}
	if parts == nil {
		return share(types, len(pages))
	}
	return parts
}

// recognize is the type of a page, and its fields; empty if no rule finds
// anything.
func (a *api) recognize(types []string, text string) (docType string, found map[string]string) {
	for _, t := range types {
		if f := a.Rules.On(t, text); len(f) > len(found) {
			docType, found = t, f
		}
	}
	return docType, found
}

// agree reports that no field has two values.
func agree(a, b map[string]string) bool {
	for name, value := range b {
		if old, ok := a[name]; ok && old != value {
			return false
		}
	}
	return true
}

// share gives every type an equal run of pages, in the order of the types. With
// more types than pages the last types get none: they were not found.
func share(types []string, pages int) []part {
	n := min(len(types), pages)
	parts := make([]part, 0, n)
	for i := range n {
		parts = append(parts, part{docType: types[i], first: i * pages / n, last: (i + 1) * pages / n})
	}
	return parts
}
