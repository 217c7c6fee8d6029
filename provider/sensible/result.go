package sensible

import (
	"bytes"
	"maps"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/found"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// result is the body of a complete extraction in the common shape. A single document has
// parsed_document; a portfolio has documents instead, whose members are camelCase, contrary
// to the published schema, so both spellings are read.
func result(doc vendorjson.Object, body []byte, guard func(func() error) error) *found.Result {
	return &found.Result{
		Parts:    &parts{doc: doc.Object("parsed_document", "parsedDocument")},
		Warnings: warnings(doc),
		Raw:      func(w *found.Writer) { withoutEcho(w, doc, body) },
		Guard:    guard,
		Documents: func(yield func(found.Document) bool) {
			for raw := range vendorjson.Elements(doc.Member("documents")) {
				if part, ok := vendorjson.AsObject(raw); ok && !yield(subDocument(part)) {
					return
				}
			}
		},
	}
}

// subDocument maps one document of a portfolio.
func subDocument(part vendorjson.Object) found.Document {
	output := part.Object("output")
	if output == nil {
		output = part
	}
	return found.Document{
		Type:      part.String("documentType", "document_type", "type"),
		StartPage: page(part, "startPage", "start_page"),
		EndPage:   page(part, "endPage", "end_page"),
		Parts:     &parts{doc: output.Object("parsedDocument", "parsed_document")},
		Warnings:  warnings(output),
	}
}

// page counts from 1; the vendor counts from 0. It is 0 if the vendor does not say.
func page(part vendorjson.Object, names ...string) int {
	n, ok := part.Int(names...)
	if !ok || n < 0 {
		return 0
	}
	return n + 1
}

// withoutEcho writes the body without its echo of our webhook: the webhook's address
// contains a token of ours. The older form repeats the payload at the top level.
func withoutEcho(w *found.Writer, doc vendorjson.Object, body []byte) {
	_, hook := doc["webhook"]
	_, payload := doc["payload"]
	if !hook && !payload {
		w.Verbatim(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
		return
	}
	rest := maps.Clone(doc)
	delete(rest, "webhook")
	delete(rest, "payload")
	w.Object(rest)
}

// warnings are the errors of single fields and violated business rules. Neither makes the
// extraction fail.
func warnings(doc vendorjson.Object) []extraction.Warning {
	out := []extraction.Warning{}
	for _, raw := range doc.Array("errors") {
		e, ok := vendorjson.AsObject(raw)
		if !ok {
			if text := vendorjson.Text(raw); text != "" {
				out = append(out, extraction.Warning{Code: "error", Message: text})
			}
			continue
		}
		out = append(out, extraction.Warning{
			Field:   extraction.Null(e.String("field_id", "fieldId")),
			Code:    orElse(e.String("type"), "error"),
			Message: e.String("message"),
		})
	}
	for _, raw := range doc.Array("validations") {
		v, ok := vendorjson.AsObject(raw)
		if !ok {
			continue
		}
		text := v.String("description")
		if more := v.String("message"); more != "" && text != "" {
			text += ": " + more
		} else if text == "" {
			text = more
		}
		out = append(out, extraction.Warning{Code: orElse(v.String("severity"), "error"), Message: text})
	}
	return out
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
