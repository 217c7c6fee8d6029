package sensible

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// parts sorts a parsed document into fields and tables, by form:
//
//   - null, or an object with a value: a field;
//   - an array of such objects: a field that repeats;
//   - an object with columns: a table, whose columns become rows;
//   - an array of objects that hold fields themselves: sections, one row each.
//
// https://docs.sensible.so/docs/types, https://docs.sensible.so/docs/sections
type parts struct {
	doc vendorjson.Object
	// tables are the names that Fields found not to be fields.
	tables []string
}

// Fields implements found.Parts.
func (p *parts) Fields() iter.Seq2[string, []extraction.Value] {
	return func(yield func(string, []extraction.Value) bool) {
		p.tables = nil
		for _, name := range slices.Sorted(maps.Keys(p.doc)) {
			if vals, ok := values(p.doc[name]); !ok {
				p.tables = append(p.tables, name)
			} else if !yield(name, vals) {
				return
			}
		}
	}
}

// Tables implements found.Parts.
func (p *parts) Tables() iter.Seq2[string, iter.Seq[extraction.Row]] {
	return func(yield func(string, iter.Seq[extraction.Row]) bool) {
		for _, name := range p.tables {
			if !yield(name, rows(p.doc[name])) {
				return
			}
		}
	}
}

// values reads a field; ok is false for tables, sections and other groups.
func values(raw json.RawMessage) (out []extraction.Value, ok bool) {
	out = []extraction.Value{}
	if vendorjson.IsArray(raw) {
		for one := range vendorjson.Elements(raw) {
			vals, ok := values(one)
			if !ok {
				return nil, false
			}
			out = append(out, vals...)
		}
		return out, true
	}
	obj, isObject := vendorjson.AsObject(raw)
	if !isObject {
		if v, found := vendorjson.Scalar(raw, extraction.TypeString); found {
			out = append(out, v)
		}
		return out, true
	}
	if !isValue(obj) {
		return nil, false
	}
	// The type name gives a list of names at one place in the document.
	inner, isArray := vendorjson.AsArray(obj["value"])
	if !isArray {
		inner = []json.RawMessage{obj["value"]}
	}
	for _, one := range inner {
		v, found := vendorjson.Scalar(one, valueType(obj.String("type")))
		if !found {
			continue
		}
		v.Text = extraction.Null(obj.String("source"))
		v.Unit = extraction.Null(obj.String("unit"))
		if v.Text == "" && v.Type == extraction.TypeString {
			v.Text = extraction.Null(vendorjson.Text(one))
		}
		out = append(out, v)
	}
	return out, true
}

// isValue distinguishes a value from a section that has a field named value: a value names
// its type, or has no members that are objects.
func isValue(obj vendorjson.Object) bool {
	value, ok := obj["value"]
	if !ok {
		return false
	}
	if inner, nested := vendorjson.AsObject(value); nested {
		if _, field := inner["value"]; field {
			return false
		}
	}
	if _, isText := obj["type"]; isText && vendorjson.Text(obj["type"]) != "" {
		return true
	}
	for name, member := range obj {
		if _, nested := vendorjson.AsObject(member); nested && name != "value" {
			return false
		}
	}
	return true
}

// valueType is our word for a type of the vendor's. Most of its types (currency, weight,
// percentage) come as JSON numbers, which need no word.
func valueType(vendor string) extraction.ValueType {
	switch vendor {
	case "date":
		return extraction.TypeDate
	case "boolean":
		return extraction.TypeBoolean
	case "number", "currency", "accountingCurrency", "percentage", "distance", "weight":
		return extraction.TypeNumber
	}
	return extraction.TypeString
}

// rows reads a table, sections, or a group of fields that stands alone.
func rows(raw json.RawMessage) iter.Seq[extraction.Row] {
	return func(yield func(extraction.Row) bool) {
		if vendorjson.IsArray(raw) {
			for one := range vendorjson.Elements(raw) {
				if section, ok := vendorjson.AsObject(one); ok && !yield(row(section)) {
					return
				}
			}
			return
		}
		obj, _ := vendorjson.AsObject(raw)
		if columns, ok := vendorjson.AsArray(obj["columns"]); ok {
			transpose(columns)(yield)
			return
		}
		yield(row(obj))
	}
}

// row keeps the fields of a section. Deeper nesting (sections in sections, tables in them)
// stays in the raw result.
func row(section vendorjson.Object) extraction.Row {
	out := extraction.Row{}
	for name, raw := range section {
		if vals, ok := values(raw); ok {
			out[name] = vals
		}
	}
	return out
}

// transpose makes rows of columns. Every row has every column, so that a short column shows
// as missing values.
func transpose(columns []json.RawMessage) iter.Seq[extraction.Row] {
	type column struct {
		name  string
		cells []json.RawMessage
	}
	var all []column
	longest := 0
	for _, raw := range columns {
		c, ok := vendorjson.AsObject(raw)
		if !ok || c.String("id") == "" {
			continue
		}
		cells := c.Array("values")
		all = append(all, column{c.String("id"), cells})
		longest = max(longest, len(cells))
	}
	return func(yield func(extraction.Row) bool) {
		for i := range longest {
			out := extraction.Row{}
			for _, c := range all {
				if i < len(c.cells) {
					if vals, ok := values(c.cells[i]); ok {
						out[c.name] = vals
					}
				}
			}
			for _, c := range all {
				if out[c.name] == nil {
					out[c.name] = []extraction.Value{}
				}
			}
			if !yield(out) {
				return
			}
		}
	}
}
