package sensible

import "github.com/extractq/extractq/sandbox/internal/engine"

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
	for _, part := range split(x.Meta.Types, len(x.Document.Pages)) {
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

// split gives every type an equal run of pages, in the order of the types. With
// more types than pages the last types get none: they were not found.
func split(types []string, pages int) []part {
	n := min(len(types), pages)
	parts := make([]part, 0, n)
	for i := range n {
		parts = append(parts, part{docType: types[i], first: i * pages / n, last: (i + 1) * pages / n})
	}
	return parts
}
