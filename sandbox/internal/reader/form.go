package reader

import (
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// maxFields bounds the fields of a form; the largest tax forms have about two
// thousand.
const maxFields = 20_000

// flagPushButton is bit 17 of a button's flags: it has no value.
const flagPushButton = 1 << 16

// form reads the AcroForm's fields in the form's order (ISO 32000-1, 12.7).
func (p *pdf) form(root types.Dict) []Field {
	f := formReader{pdf: p}
	for _, o := range p.array(p.dict(root["AcroForm"])["Fields"]) {
		f.walk(o, "", inherited{})
	}
	return f.fields
}

type formReader struct {
	*pdf
	fields []Field
	above  []types.IndirectRef
}

// inherited is what a field takes from the fields above it.
type inherited struct {
	kind  string
	flags int
	value types.Object
}

func (f *formReader) walk(o types.Object, name string, in inherited) {
	ref, isRef := o.(types.IndirectRef)
	if len(f.above) > maxDepth || isRef && slices.Contains(f.above, ref) || len(f.fields) >= maxFields {
		return
	}
	d := f.dict(o)
	if d == nil {
		return
	}
	if part := f.text(d["T"]); part != "" {
		if name != "" {
			name += "."
		}
		name += part
	}
	if kind := f.name(d["FT"]); kind != "" {
		in.kind = kind
	}
	if d["Ff"] != nil {
		in.flags = f.integer(d["Ff"])
	}
	if d["V"] != nil {
		in.value = d["V"]
	}
	below := false
	f.above = append(f.above, ref)
	for _, kid := range f.array(d["Kids"]) {
		// Kids without a name are only the places where the field is shown.
		if f.dict(kid)["T"] != nil {
			below = true
			f.walk(kid, name, in)
		}
	}
	f.above = f.above[:len(f.above)-1]
	if below || name == "" {
		return
	}
	if value := f.value(in); value != nil {
		f.fields = append(f.fields, Field{Name: name, Value: value})
	}
}

// value is a field's value; nil for fields that have none by nature. An empty
// text field has the empty string.
func (f *formReader) value(in inherited) any {
	switch in.kind {
	case "Tx":
		return f.text(in.value)
	case "Btn":
		if in.flags&flagPushButton != 0 {
			return nil
		}
		switch state := f.name(in.value); state {
		case "", "Off":
			return false
		case "Yes", "On", "1":
			return true
		default:
			return strings.Clone(state) // a radio button's choice
		}
	case "Ch":
		list := f.array(in.value)
		if list == nil {
			return f.text(in.value)
		}
		chosen := []string{}
		for _, o := range list {
			chosen = append(chosen, f.text(o))
		}
		return chosen
	}
	return nil
}
