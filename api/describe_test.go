package api

import (
	"go/token"
	"mime/multipart"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reserved are the words of TypeScript and Python that no function can have as its name.
var reserved = strings.Fields(`await break case catch class const continue debugger default delete do else enum export
	extends false finally for function if implements import in instanceof interface let new null package private protected
	public return static super switch this throw true try typeof var void while with yield
	False None True and as assert async def del elif except from global is lambda nonlocal not or pass raise`)

// Programs that write clients find a name for everything: an operation's can be a
// function's in Go, TypeScript and Python, each has a tag, and values are named once.
func TestDescriptionIsForGenerators(t *testing.T) {
	t.Parallel()
	r := newRig(t, withHooks, func(c *Config) { c.PublicURL = "https://extractq.example.com" })
	whole := r.do("GET", "/openapi.json", "").want(t, "description", 200).json
	var urls []string
	for _, s := range whole["servers"].([]any) {
		urls = append(urls, object(s)["url"].(string))
	}
	if diff := cmp.Diff([]string{"/", "https://extractq.example.com"}, urls); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	known := map[any]bool{}
	for _, tag := range whole["tags"].([]any) {
		known[object(tag)["name"]] = true
	}
	identifier, seen := regexp.MustCompile(`^[a-z][A-Za-z]+$`), map[string]bool{}
	for path, item := range object(whole, "paths") {
		for method, op := range object(item) {
			id, _ := object(op)["operationId"].(string)
			if !identifier.MatchString(id) || token.IsKeyword(id) || slices.Contains(reserved, id) || seen[id] {
				t.Errorf("%s %s: its id is %q", method, path, id)
			}
			seen[id] = true
			if tags, _ := object(op)["tags"].([]any); len(tags) != 1 || !known[tags[0]] {
				t.Errorf("%s %s: its tags are %v", method, path, tags)
			}
		}
	}
	schemas := object(whole, "components", "schemas")
	for _, e := range enums {
		if diff := cmp.Diff(e.values, object(schemas, e.name)["enum"]); diff != "" {
			t.Errorf("schema %s (-want +got):\n%s", e.name, diff)
		}
	}
	var repeated, null []string
	walk("", schemas, func(at string, schema map[string]any) {
		if values, ok := schema["enum"].([]any); ok && len(values) > 0 && schemas[strings.TrimPrefix(at, ".")] == nil {
			repeated = append(repeated, at)
		}
		if kinds, ok := schema["type"].([]any); ok && slices.Contains(kinds, "array") {
			null = append(null, at)
		}
	})
	slices.Sort(repeated)
	slices.Sort(null)
	if diff := cmp.Diff([]string{".AccountState.properties.state"}, repeated); diff != "" {
		t.Errorf("values without a name (-want +got):\n%s", diff)
	}
	// In an answer it is the types of what is no portfolio; a request may leave a member
	// out by null, too.
	want := []string{".Ack.properties.ids", ".Bulk.properties.ids", ".Extraction.properties.types", ".Filter.properties.account.anyOf", ".Filter.properties.status.anyOf"}
	if diff := cmp.Diff(want, null); diff != "" {
		t.Errorf("arrays that may be null (-want +got):\n%s", diff)
	}
}

// walk visits every JSON object below v, each with its place.
func walk(at string, v any, visit func(at string, o map[string]any)) {
	if list, ok := v.([]any); ok {
		for _, one := range list {
			walk(at, one, visit)
		}
	}
	if o, ok := v.(map[string]any); ok {
		visit(at, o)
		for name, member := range o {
			walk(at+"."+name, member, visit)
		}
	}
}

// A form's parts are spelled out, and each of them is taken.
func TestDescribedForm(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	op := object(r.do("GET", "/openapi.json", "").json, "paths", "/v1/extractions", "post")
	parts := object(op, "requestBody", "content", "multipart/form-data", "schema", "properties")
	for _, name := range append(queryFields, "document", "types", "document_url", "vendor_id") {
		if parts[name] == nil {
			t.Errorf("the part %s is not in the description", name)
		}
	}
	given := map[string]string{"account": "acme", "type": "t", "priority": "bulk", "wait": "0s"}
	for name := range parts {
		fields := map[string]string{"account": "acme", "type": "t"}
		if name == "types" {
			delete(fields, "type")
		}
		if fields[name] = given[name]; given[name] == "" {
			fields[name] = "https://x.test/" + name
		}
		if name != "document_url" && name != "vendor_id" {
			fields["document"] = pdf
		}
		var body strings.Builder
		w := multipart.NewWriter(&body)
		for field, value := range fields {
			_ = w.WriteField(field, value)
		}
		_ = w.Close()
		r.do("POST", "/v1/extractions", body.String(), "Content-Type", w.FormDataContentType()).want(t, "a form with "+name, 202)
	}
}
