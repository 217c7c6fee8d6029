// Package reader turns the bytes of a document into text, form fields and
// metadata.
//
// Documents come from strangers. Whatever they hold, reading one ends within
// its limits: in a Document, or in a Refusal whose Reason can be shown to
// its sender. It never ends the process and leaves nothing running.
package reader

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// Document is what was found in a document.
type Document struct {
	// ContentType is the media type that the bytes show.
	ContentType string
	// Pages are the texts of the pages; one, perhaps empty, for what has none.
	Pages []string
	// Fields are the form's fields in the form's order.
	Fields []Field
	// Info is the document's own metadata: Title, Producer and so on.
	Info map[string]string
}

// Field is one field of a form.
type Field struct {
	// Name is the full name, its parts joined by dots.
	Name string
	// Value is a string, a bool for a check box, or a []string where several
	// options of a list are chosen.
	Value any
}

// Text is the text of all pages.
func (d *Document) Text() string { return strings.Join(d.Pages, "\n\n") }

// Size is about how many bytes of memory the document holds.
func (d *Document) Size() int64 {
	n := 256
	for _, p := range d.Pages {
		n += len(p) + 16
	}
	for _, f := range d.Fields {
		n += len(f.Name) + 64
		switch v := f.Value.(type) {
		case string:
			n += len(v)
		case []string:
			for _, s := range v {
				n += len(s) + 16
			}
		}
	}
	for k, v := range d.Info {
		n += len(k) + len(v) + 64
	}
	return int64(n)
}

// Refusal is a document that cannot be read. The fault is the document's.
type Refusal struct {
	// Reason is a sentence for the sender of the document.
	Reason string
	// Err is what the PDF library said; nil where it was not asked.
	Err error
}

// Error is the reason alone: what a library says may quote the document.
func (r *Refusal) Error() string { return r.Reason }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// The reasons of a Refusal, in the words of Sensible's own messages where it
// has some.
const (
	ReasonEmpty     = "This document is empty"
	ReasonUnknown   = "Could not determine the content type of the document"
	ReasonInvalid   = "This PDF is invalid"
	ReasonEncrypted = "This PDF is password protected"
	ReasonTooMuch   = "This PDF takes too long to read or holds too much"
)

// Limits bound what reading one document may cost.
type Limits struct {
	// Time bounds the whole reading; 0 means 20 s.
	Time time.Duration
	// TextBytes bounds the text that is kept; 0 means 8 MiB. What is beyond is
	// left out.
	TextBytes int
	// DecodedBytes bounds the decompressed content that is looked at; 0 means
	// 128 MiB.
	DecodedBytes int64
	// Pages bounds the number of pages; 0 means 10,000.
	Pages int
}

func (l Limits) withDefaults() Limits {
	if l.Time <= 0 {
		l.Time = 20 * time.Second
	}
	if l.TextBytes <= 0 {
		l.TextBytes = 8 << 20
	}
	if l.DecodedBytes <= 0 {
		l.DecodedBytes = 128 << 20
	}
	if l.Pages <= 0 {
		l.Pages = 10_000
	}
	return l
}

// Read reads a document. declared is the media type that its sender gave it,
// empty if none; it decides only where the bytes do not tell. The error is a
// *Refusal, or the context's where the caller gave up.
func Read(ctx context.Context, data []byte, declared string, limits Limits) (doc *Document, err error) {
	limits = limits.withDefaults()
	if len(data) == 0 {
		return nil, &Refusal{Reason: ReasonEmpty}
	}
	kind := Sniff(data, declared)
	switch {
	case kind == "":
		return nil, &Refusal{Reason: ReasonUnknown}
	case kind == typePDF:
		return readPDF(ctx, data, limits)
	case strings.HasPrefix(kind, "text/"):
		text := data[:min(len(data), limits.TextBytes)]
		return &Document{ContentType: kind, Pages: []string{strings.ToValidUTF8(string(text), "")}}, nil
	default:
		// A picture or an office file. There is no OCR here: it is a document
		// of one page without text.
		return &Document{ContentType: kind, Pages: []string{""}}, nil
	}
}

const typePDF = "application/pdf"

// Sniff is the media type of data, empty if it is none that a vendor takes.
func Sniff(data []byte, declared string) string {
	declared, _, _ = mime.ParseMediaType(declared)
	// Viewers accept a PDF whose header comes within the first 1,024 bytes.
	if bytes.Contains(data[:min(len(data), 1024)], []byte("%PDF-")) {
		return typePDF
	}
	switch {
	case bytes.HasPrefix(data, []byte("II*\x00")), bytes.HasPrefix(data, []byte("MM\x00*")):
		return "image/tiff"
	case bytes.HasPrefix(data, []byte("PK\x03\x04")) && strings.Contains(declared, "openxmlformats"):
		return declared
	case bytes.HasPrefix(data, []byte("PK\x03\x04")) && strings.Contains(declared, "ms-excel"):
		return declared
	case bytes.HasPrefix(data, []byte("PK\x03\x04")) && bytes.Contains(data[:min(len(data), 4096)], []byte("[Content_Types].xml")):
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		if strings.HasPrefix(declared, "application/vnd.ms-") {
			return declared
		}
		return "application/msword"
	}
	switch kind := http.DetectContentType(data); kind {
	case "image/jpeg", "image/png", "image/bmp", "image/gif", "image/webp":
		return kind
	}
	// Nothing in the bytes of a CSV file says that it is one.
	if strings.HasPrefix(declared, "text/") && utf8.Valid(data[:min(len(data), 512)]) && !bytes.ContainsRune(data, 0) {
		return declared
	}
	return ""
}

// refuse turns what a reader returned or panicked with into a Refusal.
func refuse(ctx context.Context, cause any) error {
	err, ok := cause.(error)
	if !ok {
		err = fmt.Errorf("panic: %v", cause)
	}
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, errTooMuch), errors.Is(context.Cause(ctx), errTooMuch):
		return &Refusal{Reason: ReasonTooMuch, Err: err}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return &Refusal{Reason: ReasonInvalid, Err: err}
}

// errTooMuch is a limit that was passed.
var errTooMuch = errors.New("document is over a limit")
