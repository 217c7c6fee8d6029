package extraction

import (
	"bytes"
	"encoding/json"
	"io"
)

// Result is what a vendor found in a document, in one shape for all vendors.
type Result struct {
	// Fields are the values by field name: none (the vendor looked and found nothing), one,
	// or several if the field repeats.
	Fields Fields `json:"fields"`
	// Tables are rows by table name, such as line items, VAT rates or sections.
	Tables Tables `json:"tables"`
	// Documents are the parts of a portfolio; empty otherwise.
	Documents []SubDocument `json:"documents"`
	// Warnings are the vendor's remarks on the result.
	Warnings []Warning `json:"warnings"`
	// Raw is the complete body of the vendor's final answer, except for its echo of our
	// webhook.
	Raw json.RawMessage `json:"raw"`
}

// Fields are values by field name.
type Fields map[string][]Value

// Tables are rows by table name.
type Tables map[string][]Row

// Row is one row of a table: the values by column name.
type Row map[string][]Value

// ValueType says what kind of JSON a Value holds.
type ValueType string

// The types of a Value.
const (
	TypeString  ValueType = "string"
	TypeNumber  ValueType = "number"
	TypeBoolean ValueType = "boolean"
	// TypeDate is a string YYYY-MM-DD.
	TypeDate ValueType = "date"
)

// ValueTypes returns all types.
func ValueTypes() []ValueType { return []ValueType{TypeString, TypeNumber, TypeBoolean, TypeDate} }

// Value is one reading of one field.
type Value struct {
	// Value is JSON of the kind that Type names: string, json.Number or float64, bool; a
	// date is a string. What cannot be parsed stays a string.
	Value any `json:"value"`
	// Type is the kind of Value.
	Type ValueType `json:"type"`
	// Text is the value as the vendor spells it; null if it does not say.
	Text Null `json:"text"`
	// Unit is the unit, such as "$" or "%"; null if the vendor gives none.
	Unit Null `json:"unit"`
	// Confidence is between 0 and 1; nil if the vendor gives none.
	Confidence *float64 `json:"confidence"`
	// Page counts from 1; nil if unknown.
	Page *int `json:"page"`
	// Box is the position on the page; nil if unknown.
	Box *Box `json:"box"`
	// Alternatives are other readings of the same value, best first.
	Alternatives []Value `json:"alternatives"`
}

// Box is a rectangle on a page, in the vendor's units.
type Box struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// SubDocument is one document found inside a portfolio; pages count from 1.
type SubDocument struct {
	Type      string    `json:"type"`
	StartPage int       `json:"start_page"`
	EndPage   int       `json:"end_page"`
	Fields    Fields    `json:"fields"`
	Tables    Tables    `json:"tables"`
	Warnings  []Warning `json:"warnings"`
}

// Warning is a remark of the vendor about a field or the whole document.
type Warning struct {
	Field   Null   `json:"field"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// NewResult returns an empty result: every collection is empty, not nil, so that its JSON
// has no null in place of a collection. JSON is UTF-8: invalid bytes in raw become U+FFFD.
func NewResult(raw json.RawMessage) *Result {
	if raw != nil {
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	return &Result{
		Fields:    Fields{},
		Tables:    Tables{},
		Documents: []SubDocument{},
		Warnings:  []Warning{},
		Raw:       raw,
	}
}

// WriteJSON implements Found.
func (r *Result) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // The vendor's text stays unescaped.
	return enc.Encode(r)
}

// MarshalJSON writes {} for the zero Result, which stands for "no result yet", and all five
// members for any other.
func (r Result) MarshalJSON() ([]byte, error) {
	if r.Fields == nil && r.Raw == nil {
		return []byte("{}"), nil
	}
	type plain Result
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // The vendor's text stays unescaped.
	err := enc.Encode(plain(r))
	return out.Bytes(), err
}
