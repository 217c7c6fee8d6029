// Package found writes a vendor's result in the common shape while it reads it: one field,
// one row at a time, so that a large result is never in memory as a whole.
//
// Its output is byte for byte what encoding/json makes of an extraction.Result with the
// same content.
package found

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/extractq/extractq/extraction"
)

// Parts are fields and tables with their names, in order; fields come first.
type Parts interface {
	Fields() iter.Seq2[string, []extraction.Value]
	Tables() iter.Seq2[string, iter.Seq[extraction.Row]]
}

// Document is one document inside a portfolio.
type Document struct {
	Type      string
	StartPage int
	EndPage   int
	Parts     Parts
	Warnings  []extraction.Warning
}

// Result is a result that still has the form of the vendor's answer.
type Result struct {
	Parts     Parts
	Documents iter.Seq[Document] // Nil for none.
	Warnings  []extraction.Warning
	// Raw writes the answer.
	Raw func(*Writer)
	// Guard is that of the answer.
	Guard func(func() error) error
}

// WriteJSON implements extraction.Found.
func (r *Result) WriteJSON(to io.Writer) error {
	return r.Guard(func() error {
		w := &Writer{to: bufio.NewWriterSize(to, 64<<10)}
		w.encoder = json.NewEncoder(&w.encoded)
		w.encoder.SetEscapeHTML(false) // The vendor's text stays unescaped.
		w.text(`{"fields":`)
		w.parts(r.Parts)
		w.text(`,"documents":[`)
		if r.Documents != nil {
			next := ""
			for d := range r.Documents {
				w.text(next + `{"type":`)
				w.value(d.Type)
				w.text(`,"start_page":`)
				w.value(d.StartPage)
				w.text(`,"end_page":`)
				w.value(d.EndPage)
				w.text(`,"fields":`)
				w.parts(d.Parts)
				w.text(`,"warnings":`)
				w.value(d.Warnings)
				w.text("}")
				next = ","
			}
		}
		w.text(`],"warnings":`)
		w.value(r.Warnings)
		w.text(`,"raw":`)
		r.Raw(w)
		w.text("}\n")
		if w.err != nil {
			return w.err
		}
		return w.to.Flush()
	})
}

// Writer writes JSON until the first error.
type Writer struct {
	to      *bufio.Writer
	encoder *json.Encoder
	encoded bytes.Buffer
	err     error
}

func (w *Writer) text(s string) {
	if w.err == nil {
		_, w.err = w.to.WriteString(s)
	}
}

func (w *Writer) bytes(b []byte) {
	if w.err == nil {
		_, w.err = w.to.Write(b)
	}
}

func (w *Writer) value(v any) {
	if w.err != nil {
		return
	}
	w.encoded.Reset()
	if w.err = w.encoder.Encode(v); w.err == nil {
		w.bytes(bytes.TrimSuffix(w.encoded.Bytes(), []byte("\n")))
	}
}

func (w *Writer) parts(p Parts) {
	next := "{"
	for name, values := range p.Fields() {
		w.text(next)
		w.value(name)
		w.text(":")
		w.value(values)
		next = ","
	}
	if next == "{" {
		w.text("{")
	}
	w.text(`},"tables":`)
	next = "{"
	for name, rows := range p.Tables() {
		w.text(next)
		w.value(name)
		w.text(":")
		w.rows(rows)
		next = ","
	}
	if next == "{" {
		w.text("{")
	}
	w.text("}")
}

func (w *Writer) rows(rows iter.Seq[extraction.Row]) {
	next := "["
	for row := range rows {
		if w.err != nil {
			return
		}
		w.text(next)
		w.value(row)
		next = ","
	}
	if next == "[" {
		w.text("[")
	}
	w.text("]")
}

// Object writes the members of a vendor's object, in the order of their names.
func (w *Writer) Object(members map[string]json.RawMessage) {
	next := "{"
	for _, name := range slices.Sorted(maps.Keys(members)) {
		key, err := json.Marshal(name)
		if err != nil && w.err == nil {
			w.err = err
		}
		w.text(next)
		w.bytes(key)
		w.text(":")
		w.compact(members[name], true)
		next = ","
	}
	if next == "{" {
		w.text("{")
	}
	w.text("}")
}

// Verbatim writes a vendor's JSON without the white space between its values.
func (w *Writer) Verbatim(raw json.RawMessage) { w.compact(raw, false) }
