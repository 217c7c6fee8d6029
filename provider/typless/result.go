package typless

import (
	"bytes"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/found"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// result is the member result of a finished extraction in the shape of all vendors; body
// is the whole answer.
func result(from vendorjson.Object, body []byte, guard func(func() error) error) *found.Result {
	return &found.Result{
		Parts:    parts{from},
		Warnings: []extraction.Warning{},
		Raw:      func(w *found.Writer) { w.Verbatim(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))) },
		Guard:    guard,
	}
}

// parts are the fields and tables of a result.
type parts struct{ result vendorjson.Object }

// Fields implements found.Parts.
func (p parts) Fields() iter.Seq2[string, []extraction.Value] {
	return func(yield func(string, []extraction.Value) bool) {
		byName := map[string][]json.RawMessage{} // A name may come more than once.
		for raw := range vendorjson.Elements(p.result.Member("extracted_fields")) {
			if field, ok := vendorjson.AsObject(raw); ok {
				byName[field.String("name")] = append(byName[field.String("name")], raw)
			}
		}
		delete(byName, "")
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			one := extraction.Fields{}
			for _, raw := range byName[name] {
				addField(one, raw)
			}
			if !yield(name, one[name]) {
				return
			}
		}
	}
}

// Tables implements found.Parts.
func (p parts) Tables() iter.Seq2[string, iter.Seq[extraction.Row]] {
	return func(yield func(string, iter.Seq[extraction.Row]) bool) {
		for _, name := range []string{"line_items", "vat_rates"} {
			if vendorjson.IsArray(p.result[name]) && !yield(name, table(p.result[name])) {
				return
			}
		}
	}
}

// table reads rows of fields.
func table(rows json.RawMessage) iter.Seq[extraction.Row] {
	return func(yield func(extraction.Row) bool) {
		for raw := range vendorjson.Elements(rows) {
			if !vendorjson.IsArray(raw) {
				continue
			}
			row := extraction.Fields{}
			for cell := range vendorjson.Elements(raw) {
				addField(row, cell)
			}
			if !yield(extraction.Row(row)) {
				return
			}
		}
	}
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
	for raw := range vendorjson.Elements(field.Member("values")) {
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
