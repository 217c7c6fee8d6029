package typless

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// result turns the member result of a finished extraction into the shape of all
// vendors; body is the whole answer.
func result(found vendorjson.Object, body []byte) *extraction.Result {
	r := extraction.NewResult(bytes.Clone(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))))
	for _, raw := range found.Array("extracted_fields") {
		addField(r.Fields, raw)
	}
	for _, name := range []string{"line_items", "vat_rates"} {
		if rows, ok := vendorjson.AsArray(found[name]); ok {
			r.Tables[name] = table(rows)
		}
	}
	return r
}

// table reads rows of fields.
func table(rows []json.RawMessage) []extraction.Row {
	out := []extraction.Row{}
	for _, raw := range rows {
		cells, ok := vendorjson.AsArray(raw)
		if !ok {
			continue
		}
		row := extraction.Fields{}
		for _, cell := range cells {
			addField(row, cell)
		}
		out = append(out, extraction.Row(row))
	}
	return out
}

// addField adds one field. Its values are candidates for the same place, best
// first, unless the field is marked as one that repeats. A candidate that is
// null or empty is none: the vendor looked and found nothing.
func addField(to map[string][]extraction.Value, raw json.RawMessage) {
	field, ok := vendorjson.AsObject(raw)
	name := field.String("name")
	if !ok || name == "" {
		return
	}
	vals := []extraction.Value{}
	for _, raw := range field.Array("values") {
		if v, found := value(raw, valueType(field.String("data_type"))); found {
			vals = append(vals, v)
		}
	}
	if len(vals) > 1 && !field.Bool("multiple_values") {
		best := vals[0]
		best.Alternatives = vals[1:]
		vals = []extraction.Value{best}
	}
	to[name] = append(to[name], vals...)
	if to[name] == nil {
		to[name] = vals
	}
}

// value reads one candidate.
func value(raw json.RawMessage, want extraction.ValueType) (extraction.Value, bool) {
	from, ok := vendorjson.AsObject(raw)
	if !ok {
		return extraction.Value{}, false
	}
	v, ok := vendorjson.Scalar(from["value"], want)
	if !ok {
		return v, false
	}
	v.Text = extraction.Null(vendorjson.Text(from["value"]))
	// Older answers have the number as a string.
	if f, ok := from.Float("confidence_score"); ok && f >= 0 && f <= 1 {
		v.Confidence = &f
	}
	// The vendor counts pages from 0: its API reference has located values, with
	// coordinates, on page 0. -1 stands for a value that has no place, such as
	// the supplier the document was recognised by.
	if n, ok := from.Int("page_number"); ok && n >= 0 {
		n++
		v.Page = &n
	}
	v.Box = box(from)
	return v, true
}

// box is the value's place on its page, nil where a coordinate is missing or -1.
func box(from vendorjson.Object) *extraction.Box {
	var at [4]float64
	for i, name := range []string{"x", "y", "width", "height"} {
		f, ok := from.Float(name)
		if !ok || f < 0 {
			return nil
		}
		at[i] = f
	}
	return &extraction.Box{X: at[0], Y: at[1], Width: at[2], Height: at[3]}
}

// valueType is our word for a data type of the vendor's. Whatever it calls a
// number (NUMBER, CURRENCY, INTEGER) that does not read as one stays a string.
func valueType(vendor string) extraction.ValueType {
	switch strings.ToUpper(vendor) {
	case "NUMBER", "CURRENCY", "INTEGER", "DECIMAL", "FLOAT":
		return extraction.TypeNumber
	case "DATE":
		return extraction.TypeDate
	case "BOOLEAN", "BOOL":
		return extraction.TypeBoolean
	}
	return extraction.TypeString
}
