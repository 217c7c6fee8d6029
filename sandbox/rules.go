package sandbox

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/extractq/extractq/sandbox/internal/fields"
)

// Rules are the fields of document types: document type, field name, and the
// expression whose first match in a page's text is the field's value. An
// expression with a group gives the group.
type Rules map[string]map[string]*regexp.Regexp

// TextField is the field with a document's whole text: where its type has no rules, or one
// of this name without an expression.
const TextField = fields.TextField

// ParseRules compiles rules, as in {"tax_forms": {"ssn": `\d{3}-\d{2}-\d{4}`}}.
// It reports all expressions that do not compile.
func ParseRules(source map[string]map[string]string) (Rules, error) {
	rules, err := fields.Parse(source)
	return Rules(rules), err
}

// ParseRulesYAML reads rules by document type:
//
//	tax_forms:
//	  fields:
//	    ssn: '\d{3}-\d{2}-\d{4}'
//	    total_tax: 'Total tax ([\d,.]+)'
//
// name is the file's in errors, which name the line as well.
func ParseRulesYAML(name string, source []byte) (Rules, error) {
	var types map[string]*typeRules
	if err := yaml.UnmarshalWithOptions(source, &types, yaml.Strict()); err != nil {
		return nil, located(name, err)
	}
	if len(types) == 0 {
		return nil, fmt.Errorf("%s: no document types", name)
	}
	rules := Rules{}
	var errs []error
	for _, docType := range slices.Sorted(maps.Keys(types)) {
		if types[docType] == nil || len(types[docType].Fields) == 0 {
			errs = append(errs, fmt.Errorf("%s: %s: no fields", name, docType))
			continue
		}
		rules[docType] = map[string]*regexp.Regexp{}
		for _, field := range slices.Sorted(maps.Keys(types[docType].Fields)) {
			e := types[docType].Fields[field]
			re, err := regexp.Compile(e.source)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("%s:%d: %s.fields.%s: %w", name, e.line, docType, field, err))
			case e.source == "":
				errs = append(errs, fmt.Errorf("%s:%d: %s.fields.%s: want a regular expression", name, e.line, docType, field))
			default:
				rules[docType][field] = re
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rules, nil
}

// typeRules are the rules of one document type in a file.
type typeRules struct {
	Fields map[string]expression `yaml:"fields"`
}

// expression is a regular expression and where it stands.
type expression struct {
	source string
	line   int
}

// UnmarshalYAML takes strings and nothing else: a number would match, but hardly
// what its writer meant.
func (e *expression) UnmarshalYAML(n ast.Node) error {
	e.line = n.GetToken().Position.Line
	switch v := n.(type) {
	case *ast.StringNode:
		e.source = v.Value
	case *ast.LiteralNode:
		e.source = strings.TrimSuffix(v.Value.Value, "\n")
	}
	return nil
}

// located is one line, with the place, of an error of the YAML library.
func located(name string, err error) error {
	e, ok := errors.AsType[yaml.Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	if tk := e.GetToken(); tk != nil {
		name = fmt.Sprintf("%s:%d", name, tk.Position.Line)
	}
	return fmt.Errorf("%s: %s", name, e.GetMessage())
}
