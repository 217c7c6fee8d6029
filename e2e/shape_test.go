package e2e

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// shapes is the JSON Schema of what the command line and the API answer. It is written by
// hand: a schema from the code would agree with any change of it.
//
//go:embed testdata/shapes.json
var shapes string

var compiledShapes = sync.OnceValues(func() (*jsonschema.Compiler, error) {
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(shapes))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	return c, c.AddResource("shapes.json", parsed)
})

// shapeMu guards the compiler.
var shapeMu sync.Mutex

func shape(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	shapeMu.Lock()
	defer shapeMu.Unlock()
	c, err := compiledShapes()
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("shapes.json#/$defs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantShape fails the test unless v has the shape of that name.
func wantShape(t *testing.T, name string, v any) {
	t.Helper()
	if err := shape(t, name).Validate(v); err != nil {
		text, _ := json.Marshal(v)
		t.Errorf("%v\nin %s", err, text)
	}
}

// wantSuccess fails the test unless v is a whole successful extraction of d.
func wantSuccess(t *testing.T, v map[string]any, account string, d document) {
	t.Helper()
	wantShape(t, "whole", v)
	got, _ := v["document"].(map[string]any)
	if v["account"] != account || got["name"] != d.name || got["content_type"] != "application/pdf" || got["bytes"] == nil ||
		got["sha256"] != d.sha256 || got["url"] != nil {
		t.Errorf("account %v, document %v, want %s and %s with %s", v["account"], got, account, d.name, d.sha256)
	}
}

// A shape that takes everything would find nothing.
func TestShapesRefuse(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{
		"listed": `{"id":"x"}`, "result": `{"fields":{},"tables":{},"warnings":[],"raw":{},"documents":[],"more":1}`,
		"value":   `{"value":"2026-5-1","type":"date","text":null,"unit":null,"confidence":null,"page":null,"box":null,"alternatives":[]}`,
		"instant": `"2026-05-17T08:00:00+02:00"`, "account": `{}`, "whole": `{}`,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if shape(t, name).Validate(v) == nil {
			t.Errorf("%s takes %s", name, bad)
		}
	}
}
