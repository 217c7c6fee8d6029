package api

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
)

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// The tags of operations.
const (
	tagExtractions = "extractions"
	tagMany        = "many"
	tagReady       = "ready"
	tagEvents      = "events"
	tagBatches     = "batches"
	tagAccounts    = "accounts"
	tagHooks       = "webhooks"
)

func tagged(tag string) []string { return []string{tag} }

var tags = []*huma.Tag{
	{Name: tagExtractions, Description: "one document each"},
	{Name: tagMany, Description: "the same for many extractions, by ids or by a filter"},
	{Name: tagReady, Description: "what is final and not acknowledged"},
	{Name: tagEvents, Description: "changes as they happen"},
	{Name: tagBatches, Description: "how far extractions with one label are"},
	{Name: tagAccounts, Description: "the state of accounts"},
	{Name: tagHooks, Description: "where vendors call"},
}

// servers are the addresses of the API: the host that serves the description, and the
// configured address.
func servers(publicURL string) []*huma.Server {
	out := []*huma.Server{{URL: "/"}}
	if publicURL != "" {
		out = append(out, &huma.Server{URL: publicURL})
	}
	return out
}

// describeProblems adds error answers to the description of an operation. describe adds
// those that every operation has.
func describeProblems(api huma.API, op *huma.Operation, statuses ...int) {
	schema := api.OpenAPI().Components.Schemas.Schema(typeOf[Problem](), true, "Problem")
	for _, status := range statuses {
		answer := &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
		switch status {
		case http.StatusUnauthorized:
			answer.Headers = map[string]*huma.Param{"WWW-Authenticate": header("string", true)}
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			answer.Headers = map[string]*huma.Param{"Retry-After": header("integer", true)}
		}
		op.Responses[strconv.Itoa(status)] = answer
	}
}

func header(kind string, always bool) *huma.Param {
	return &huma.Param{Schema: &huma.Schema{Type: kind}, Required: always}
}

// describe completes the description that huma made from the types: it adds the answers
// that every operation has, removes those that none has, and corrects the schemas.
func (s *Server) describe(api huma.API) {
	api.OpenAPI().Tags, api.OpenAPI().Servers = tags, servers(s.cfg.PublicURL)
	for _, item := range api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Delete} {
			if op == nil {
				continue
			}
			// huma lists a 500 for every operation; it would be a bug.
			delete(op.Responses, "500")
			delete(op.Responses, "default")
			for _, p := range op.Parameters {
				p.Schema.Nullable = false // A query has no null.
				if p.Name == "error" {
					anyCode(p.Schema)
				}
			}
			if op.Security != nil {
				continue // It takes no API key, and its description says so.
			}
			describeProblems(api, op, 401, 403, 422, 503)
			if op.RequestBody != nil {
				describeProblems(api, op, 400, 408, 413, 415)
			}
		}
	}
	schemas := api.OpenAPI().Components.Schemas
	for name, schema := range schemas.Map() {
		t := schemas.TypeFromRef("#/components/schemas/" + name)
		switch {
		case t == nil: // It belongs to enums.
			continue
		case t == typeOf[extraction.Filter]():
			for _, name := range []string{"status", "account"} {
				schema.Properties[name] = oneOrMore(schema.Properties[name])
			}
			anyCode(schema.Properties["error"])
		}
		if slices.Contains(sent, t) {
			continue // It has exactly these members.
		}
		schema.AdditionalProperties = nil // Later versions add members.
		nullable(schema, t)
		if t == typeOf[extraction.Result]() {
			schema.Required, schema.Description = nil, "{} until SUCCESS, then with all members"
		}
	}
}

// anyCode lets a filter have a code that this version does not know: it chooses nothing,
// which is not an error.
func anyCode(code *huma.Schema) {
	*code = huma.Schema{Type: huma.TypeString, Description: "the code of a final error"}
}

// oneOrMore is an array, or one of what is in it.
func oneOrMore(array *huma.Schema) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{array.Items, array}}
}

// sent are the types of request bodies.
var sent = []reflect.Type{
	typeOf[protocol.Submission](), typeOf[protocol.Bulk](), typeOf[extraction.Filter](), typeOf[protocol.Ack](),
}

// nullable lets members that are pointers to an object be null: huma describes only the
// object.
func nullable(schema *huma.Schema, t reflect.Type) {
	for f := range t.Fields() {
		name, omit, _ := strings.Cut(f.Tag.Get("json"), ",")
		member := schema.Properties[name]
		if member == nil || member.Ref == "" || f.Type.Kind() != reflect.Pointer || omit != "" {
			continue
		}
		schema.Properties[name] = &huma.Schema{
			Description: member.Description, AnyOf: []*huma.Schema{{Ref: member.Ref}, {Type: "null"}},
		}
	}
}
