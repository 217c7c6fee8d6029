package sensible

import (
	"encoding/json"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// fields sorts a parsed document into fields and tables, by form:
//
//   - null, or an object with a value: a field;
//   - an array of such objects: a field that repeats;
//   - an object with columns: a table, whose columns become rows;
//   - an array of objects that hold fields themselves: sections, one row each.
//
// https://docs.sensible.so/docs/types, https://docs.sensible.so/docs/sections
func fields(doc vendorjson.Object) (extraction.Fields, extraction.Tables) {
	out, tables := extraction.Fields{}, extraction.Tables{}
	for name, raw := range doc {
		if vals, ok := values(raw); ok {
			out[name] = vals
		} else if rows, ok := rows(raw); ok {
			tables[name] = rows
		}
	}
	return out, tables
}

// values reads a field; ok is false for tables, sections and other groups.
func values(raw json.RawMessage) (out []extraction.Value, ok bool) {
	out = []extraction.Value{}
	if list, isArray := vendorjson.AsArray(raw); isArray {
		for _, one := range list {
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
	// The type name gives a list of names for one place in the document.
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

// isValue tells a value from a section that happens to have a field named
// value: a value names its type, or has no members that are objects.
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

// valueType is our word for a type of the vendor's. Most of its types
// (currency, weight, percentage) come as JSON numbers, which say it themselves.
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
func rows(raw json.RawMessage) ([]extraction.Row, bool) {
	if list, ok := vendorjson.AsArray(raw); ok {
		out := []extraction.Row{}
		for _, one := range list {
			if section, ok := vendorjson.AsObject(one); ok {
				out = append(out, row(section))
			}
		}
		return out, true
	}
	obj, ok := vendorjson.AsObject(raw)
	if !ok {
		return nil, false
	}
	if columns, ok := vendorjson.AsArray(obj["columns"]); ok {
		return turn(columns), true
	}
	return []extraction.Row{row(obj)}, true
}

// row keeps the fields of a section. What is nested deeper, sections in
// sections or tables in them, stays in the raw result.
func row(section vendorjson.Object) extraction.Row {
	out := extraction.Row{}
	for name, raw := range section {
		if vals, ok := values(raw); ok {
			out[name] = vals
		}
	}
	return out
}

// turn makes rows of columns. Every row has every column, so that a short one
// shows as missing values and not as missing columns.
func turn(columns []json.RawMessage) []extraction.Row {
	out := []extraction.Row{}
	var names []string
	for _, raw := range columns {
		column, ok := vendorjson.AsObject(raw)
		if !ok || column.String("id") == "" {
			continue
		}
		name := column.String("id")
		names = append(names, name)
		for i, cell := range column.Array("values") {
			if i == len(out) {
				out = append(out, extraction.Row{})
			}
			if vals, ok := values(cell); ok {
				out[i][name] = vals
			}
		}
	}
	for _, row := range out {
		for _, name := range names {
			if row[name] == nil {
				row[name] = []extraction.Value{}
			}
		}
	}
	return out
}
