package api

import (
	"maps"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
)

// submitOperation describes a submission in each of its forms. All have the fields of
// protocol.Submission.
func submitOperation(api huma.API) huma.Operation {
	schemas := api.OpenAPI().Components.Schemas
	asJSON := schemas.Schema(typeOf[protocol.Submission](), true, "Submission")
	fields := schemas.SchemaFromRef(asJSON.Ref).Properties
	answer := &huma.MediaType{Schema: schemas.Schema(typeOf[extraction.Extraction](), true, "Extraction")}
	op := huma.Operation{
		OperationID: "submitDocument", Tags: tagged(tagExtractions), Method: http.MethodPost, Path: "/v1/extractions",
		Summary: "Submit a document, or adopt an extraction",
		Description: "The document is the body with its Content-Type and the fields as query (metadata.K=V, options.K=V, types repeated); " +
			"or multipart/form-data with `document` and the fields as parts, and no query; or application/json, and no query. " +
			"The answer comes when the document and the record are written.",
		Parameters: []*huma.Param{{
			Name: "Idempotency-Key", In: "header", Description: "the same key, document and fields give the same extraction",
			Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(255)},
		}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json":    {Schema: asJSON},
			"multipart/form-data": {Schema: formSchema(fields)},
			// Any media type is accepted. Some generators ignore it if there are others.
			"application/octet-stream": {Schema: binary("the document, whose media type is found out")},
			"*/*":                      {Schema: binary("the document")},
		}},
		Responses: map[string]*huma.Response{
			"202": {Description: "accepted, not final", Content: map[string]*huma.MediaType{"application/json": answer}},
			"200": {Description: "final, new or repeated", Content: map[string]*huma.MediaType{"application/json": answer}},
		},
	}
	for _, r := range op.Responses {
		r.Headers = map[string]*huma.Param{"Location": header("string", true), "Idempotent-Replayed": header("boolean", false)}
	}
	op.Responses["202"].Headers["Retry-After"] = header("integer", true)
	describeProblems(api, &op, 409, 429)
	// Not as an optional header: generators that merge answers of one type into one would
	// put it into all of them.
	op.Responses["409"].Description = "Conflict; with Retry-After where the Idempotency-Key is in use"
	for _, name := range append(queryFields, "types") {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Schema: fields[name], Description: fields[name].Description})
	}
	return op
}

// formSchema is a form with the fields as its parts.
func formSchema(fields map[string]*huma.Schema) *huma.Schema {
	form := &huma.Schema{
		Type: huma.TypeObject, Properties: maps.Clone(fields),
		Description: "metadata.K and options.K are parts as well, one for each K",
	}
	for _, other := range []string{documentMember, "metadata", "options"} { // They are for JSON only.
		delete(form.Properties, other)
	}
	form.Properties["document"] = binary("the document, with its Content-Type and a file name")
	return form
}

func binary(means string) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "binary", Description: means}
}
