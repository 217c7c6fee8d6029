package sensible

import (
	"bytes"
	"encoding/json"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// result turns the body of a complete extraction into the shape of all vendors.
// A single document has parsed_document; a portfolio has documents instead,
// whose members are camelCase although the published schema says otherwise, so
// both spellings are read.
func result(doc vendorjson.Object, body []byte) *extraction.Result {
	r := extraction.NewResult(withoutEcho(doc, body))
	r.Fields, r.Tables = fields(doc.Object("parsed_document", "parsedDocument"))
	r.Warnings = warnings(doc)
	for _, raw := range doc.Array("documents") {
		part, ok := vendorjson.AsObject(raw)
		if !ok {
			continue
		}
		r.Documents = append(r.Documents, subDocument(part))
	}
	return r
}

// subDocument maps one document of a portfolio.
func subDocument(part vendorjson.Object) extraction.SubDocument {
	output := part.Object("output")
	if output == nil {
		output = part
	}
	sub := extraction.SubDocument{
		Type:      part.String("documentType", "document_type", "type"),
		StartPage: page(part, "startPage", "start_page"),
		EndPage:   page(part, "endPage", "end_page"),
		Warnings:  warnings(output),
	}
	sub.Fields, sub.Tables = fields(output.Object("parsedDocument", "parsed_document"))
	return sub
}

// page counts from 1; the vendor counts from 0. It is 0 where the vendor does
// not say.
func page(part vendorjson.Object, names ...string) int {
	n, ok := part.Int(names...)
	if !ok || n < 0 {
		return 0
	}
	return n + 1
}

// withoutEcho is the body less what we sent along as our webhook: its address
// holds a token of ours. The older form repeats the payload at the top.
func withoutEcho(doc vendorjson.Object, body []byte) json.RawMessage {
	_, hook := doc["webhook"]
	_, payload := doc["payload"]
	if !hook && !payload {
		return bytes.Clone(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	}
	rest := make(vendorjson.Object, len(doc))
	for k, v := range doc {
		if k != "webhook" && k != "payload" {
			rest[k] = v
		}
	}
	raw, err := json.Marshal(rest)
	if err != nil {
		return json.RawMessage("{}")
	}
	return raw
}

// warnings are the errors of single fields and the business rules that did not
// hold. Neither makes the extraction fail.
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
