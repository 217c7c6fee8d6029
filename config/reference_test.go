package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var updateReference = flag.Bool("update-reference", false, "write docs/configuration.md again")

// TestReference compares docs/configuration.md with the comments and defaults of this
// package, and with the keys that Load reads.
func TestReference(t *testing.T) {
	t.Parallel()
	const file = "../docs/configuration.md"
	r := newReference(t)
	r.section("", reflect.ValueOf(*Default()), false)
	if *updateReference {
		if err := os.WriteFile(file, r.page(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(r.page()), string(got)); diff != "" {
		t.Errorf("run go test ./config -run TestReference -update-reference (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(readKeys(t), slices.Sorted(slices.Values(r.keys))); diff != "" {
		t.Errorf("keys in docs/configuration.md, and keys that Load reads (-want +got):\n%s", diff)
	}
}

// readKeys are the keys that Load reads, as its errors about unknown keys list them.
func readKeys(t *testing.T) []string {
	t.Helper()
	const source = `
x: 1
redis: {x: 1, tls: {x: 1}}
data: {x: 1}
api: {x: 1, keys: {NAME: {x: 1}}}
callbacks: {x: 1}
fetch: {x: 1}
admin: {x: 1}
worker: {x: 1}
accounts: {name: {x: 1}}
`
	path := filepath.Join(t.TempDir(), "extractq.yaml")
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, Options{Providers: []Provider{{Name: "sandbox", Keyless: true}}})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("Load says %v, want unknown keys", err)
	}
	var keys []string
	for _, err := range joined.Unwrap() {
		p, ok := errors.AsType[*Problem](err)
		if !ok {
			t.Fatal(err)
		}
		_, list, ok := strings.Cut(p.Err.Error(), "the keys here are ")
		if !ok {
			continue // A key that is missing.
		}
		section := strings.TrimSuffix(p.Key, "x")
		section = strings.Replace(section, "accounts.name.", "accounts.NAME.", 1)
		for key := range strings.SplitSeq(list, ", ") {
			keys = append(keys, section+key)
		}
	}
	sections := []string{"redis", "redis.tls", "data", "api", "api.keys", "callbacks", "fetch", "admin", "worker", "accounts"}
	keys = slices.DeleteFunc(keys, func(k string) bool { return slices.Contains(sections, k) })
	slices.Sort(keys)
	return keys
}

// reference is docs/configuration.md while it is written.
type reference struct {
	comments map[string]string // By type and field, "API.Listen".
	keys     []string
	body     bytes.Buffer
}

func newReference(t *testing.T) *reference {
	t.Helper()
	r := &reference{comments: map[string]string{}}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, "../internal/address/redis.go", "../internal/address/tls.go") {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range g.Specs {
				typ, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				s, ok := typ.Type.(*ast.StructType)
				if !ok {
					continue
				}
				r.comments[typ.Name.Name] = g.Doc.Text()
				for _, field := range s.Fields.List {
					for _, id := range field.Names {
						r.comments[typ.Name.Name+"."+id.Name] = field.Doc.Text()
					}
				}
			}
		}
	}
	return r
}

func (r *reference) page() []byte {
	return append([]byte(`# Configuration

Generated from the program: every key of the configuration file. One YAML file, named by
`+"`--config`"+` or `+"`EXTRACTQ_CONFIG`"+`; `+"`extractq.yaml`"+` in the working directory is read where it is
there. `+"`${NAME}`, `${NAME:-default}` and `${file:/path}`"+` are replaced in every value; `+"`$${`"+` is a
literal `+"`${`"+`. Unknown keys, missing secrets and bad values are errors that name file, line and key.

SIGHUP makes the server roles read the file again. What the last column calls "reload" takes
effect then; the rest waits for a restart, and a warning in the log names it.
`), r.body.Bytes()...)
}

// elements are the types of lists whose elements the file has under names of their own.
var elements = map[string]any{
	"accounts": defaultAccount("", ""),
	"api.keys": APIKey{},
}

// section writes the keys of one section, then the sections below it.
func (r *reference) section(path string, v reflect.Value, restart bool) {
	var rows bytes.Buffer
	below := func() {}
	for f, value := range v.Fields() {
		if !f.IsExported() || f.Name == "Name" {
			continue
		}
		key, again := path+keyOf(f.Name), restart || f.Tag.Get("reload") == "restart"
		element, named := elements[key]
		if named {
			value = reflect.ValueOf(element)
			key += ".NAME"
		}
		if value.Kind() == reflect.Struct && value.Type() != reflect.TypeFor[Secret]() {
			next := below
			below = func() { next(); r.section(key+".", value, again) }
			continue
		}
		takes := "reload"
		if again {
			takes = "restart"
		}
		r.keys = append(r.keys, key)
		fmt.Fprintf(&rows, "| `%s` | %s | %s | %s | %s |\n", key, kind(value), standard(value), r.meaning(v.Type().Name()+"."+f.Name, f.Name), takes)
	}
	if rows.Len() > 0 {
		comment := strings.Join(strings.Fields(r.comments[v.Type().Name()]), " ")
		_, comment, _ = strings.Cut(comment, " ")
		fmt.Fprintf(&r.body, "\n## %s\n\n%s\n\n| key | type | default | meaning | takes effect |\n| --- | --- | --- | --- | --- |\n%s",
			strings.TrimSuffix(path, "."), sentence(comment), rows.String())
	}
	below()
}

var saysDefault = regexp.MustCompile(` ?Default [^;.]*(?:\.[0-9][^;.]*)*[;.] ?`)

// meaning is the comment of a field without its name and its default.
func (r *reference) meaning(field, name string) string {
	text := strings.Join(strings.Fields(r.comments[field]), " ")
	text = strings.TrimPrefix(text, name+" ")
	text = saysDefault.ReplaceAllStringFunc(text, func(s string) string { return " " })
	parts := strings.SplitAfter(strings.TrimSpace(text), ". ")
	for i, p := range parts {
		parts[i] = sentence(p)
	}
	return strings.ReplaceAll(strings.Join(parts, ""), "|", `\|`)
}

// sentence begins with a capital letter, and not with a verb that wants a subject.
func sentence(s string) string {
	for _, verb := range []string{"is ", "are ", "says "} {
		s = strings.TrimPrefix(s, verb)
	}
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func kind(v reflect.Value) string {
	switch v.Interface().(type) {
	case Secret:
		return "secret"
	case time.Duration:
		return "duration"
	case Rate:
		return "rate"
	case Sweep:
		return "`auto`, `off`"
	case OnUncertain:
		return "`fail`, `resubmit`"
	case int64:
		return "size"
	case int:
		return "number"
	case bool:
		return "`true`, `false`"
	case []string:
		return "list"
	}
	return "text"
}

// standard is a default as the file would have it.
func standard(v reflect.Value) string {
	if v.IsZero() {
		return ""
	}
	text := fmt.Sprint(v.Interface())
	switch d := v.Interface().(type) {
	case time.Duration:
		text = brief(d)
	case int64:
		text = fmt.Sprintf("%dMiB", d>>20)
	}
	return "`" + text + "`"
}
