// Package render is how results, tables, progress and messages look on a terminal and in
// a pipe. Text from outside (vendors, names of files) is escaped here, and nowhere else.
package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
)

// Format is how extractions are printed.
type Format string

// The formats.
const (
	Table  Format = "table"
	JSON   Format = "json"
	NDJSON Format = "ndjson"
	CSV    Format = "csv"
)

// ChooseFormat returns the format that --format and --json ask for. Without either it is
// a table on a terminal, and NDJSON anywhere else.
func ChooseFormat(name string, asJSON, isTerminal bool) (Format, error) {
	switch f := Format(name); {
	case f == "" && asJSON:
		return NDJSON, nil
	case f == "" && isTerminal:
		return Table, nil
	case f == "":
		return NDJSON, nil
	case f != Table && f != JSON && f != NDJSON && f != CSV:
		return "", errkind.Usagef("--format: want table, json, ndjson or csv")
	case asJSON && f != NDJSON:
		return "", errkind.Usagef("--json means --format ndjson; leave one of them out")
	default:
		return f, nil
	}
}

// Printer prints extractions one by one, in constant memory. Close must be called, also
// after an error: it completes the output. A Printer is for one goroutine.
type Printer interface {
	Print(e extraction.Extraction) error
	Close() error
}

// Shared is a Printer for many goroutines.
type Shared struct {
	Printer

	mu sync.Mutex
}

// Print implements Printer.
func (s *Shared) Print(e extraction.Extraction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Printer.Print(e)
}

// View is what a table of extractions is about.
type View int

// A list shows labels of extractions, results the fields of documents.
const (
	List View = iota
	Results
)

// NewPrinter returns the printer of a format. A table has the columns of v and fits the
// screen.
func NewPrinter(w io.Writer, f Format, v View, screen Screen) Printer {
	switch f {
	case Table:
		if v == Results {
			return &fieldTable{w: w, screen: screen}
		}
		return &listTable{w: w, screen: screen, now: time.Now()}
	case JSON:
		return &jsonPrinter{w: w}
	case CSV:
		return &csvPrinter{w: w, isTerminal: IsTerminal(w), labels: v == List}
	case NDJSON:
	}
	return ndjsonPrinter{w}
}

// ndjsonPrinter prints one JSON object a line.
type ndjsonPrinter struct{ w io.Writer }

// Print writes the line in one piece.
func (p ndjsonPrinter) Print(e extraction.Extraction) error {
	line, err := jsonLine(e)
	if err != nil {
		return err
	}
	_, err = p.w.Write(append(line, '\n'))
	return err
}

// Close has nothing to complete.
func (p ndjsonPrinter) Close() error { return nil }

// jsonPrinter prints one JSON array.
type jsonPrinter struct {
	w     io.Writer
	begun bool
}

// Print writes the next element.
func (p *jsonPrinter) Print(e extraction.Extraction) error {
	line, err := jsonLine(e)
	if err != nil {
		return err
	}
	separator := ",\n"
	if !p.begun {
		separator = "[\n"
	}
	p.begun = true
	_, err = p.w.Write(append([]byte(separator), line...))
	return err
}

// Close ends the array.
func (p *jsonPrinter) Close() error {
	end := "\n]\n"
	if !p.begun {
		end = "[]\n"
	}
	_, err := io.WriteString(p.w, end)
	return err
}

// WriteJSON writes one value as a line of JSON.
func WriteJSON(w io.Writer, v any) error {
	line, err := jsonLine(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// jsonLine is v as JSON without line breaks. It is safe to show on a terminal: control
// characters are escaped, which does not change the meaning of the JSON.
func jsonLine(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return escapeControls(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}

// escapeControls escapes the control characters that JSON allows in a string,
// DEL and those above ASCII, and those that change the direction of writing.
func escapeControls(text []byte) []byte {
	if bytes.IndexFunc(text, isControl) < 0 {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if isControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

func isControl(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Escape makes text from outside safe for a terminal: it escapes what is not printable,
// such as the control characters.
func Escape(s string) string { return escape(s, unprintable) }

// escape replaces the hidden characters with their numbers.
func escape(s string, hidden func(rune) bool) string {
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }
