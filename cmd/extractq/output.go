package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
)

// format is how extractions are printed.
type format string

// The formats.
const (
	formatTable  format = "table"
	formatJSON   format = "json"
	formatNDJSON format = "ndjson"
	formatCSV    format = "csv"
)

// chooseFormat is the format that --format and --json ask for; where neither
// does, a table on a terminal and NDJSON otherwise.
func chooseFormat(name string, asJSON, isTerminal bool) (format, error) {
	switch f := format(name); {
	case f == "" && asJSON:
		return formatNDJSON, nil
	case f == "" && isTerminal:
		return formatTable, nil
	case f == "":
		return formatNDJSON, nil
	case f != formatTable && f != formatJSON && f != formatNDJSON && f != formatCSV:
		return "", errkind.Usagef("--format: want table, json, ndjson or csv")
	case asJSON && f != formatNDJSON:
		return "", errkind.Usagef("--json means --format ndjson; leave one of them out")
	default:
		return f, nil
	}
}

// printer prints extractions one by one, in constant memory. Close must be
// called, after an error too: it ends what a format has begun. A printer is for
// one goroutine.
type printer interface {
	Print(e extraction.Extraction) error
	Close() error
}

// shared is a printer for many goroutines.
type shared struct {
	printer

	mu sync.Mutex
}

// Print prints one after the other.
func (s *shared) Print(e extraction.Extraction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.printer.Print(e)
}

// newPrinter returns the printer of a format.
func newPrinter(w io.Writer, f format) printer {
	switch f {
	case formatTable:
		return &tablePrinter{w: w}
	case formatJSON:
		return &jsonPrinter{w: w}
	case formatCSV:
		return &csvPrinter{w: w, isTerminal: isTerminal(w)}
	case formatNDJSON:
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

// Close has nothing to end.
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

// jsonLine is v as JSON without line breaks. It can be shown on a terminal: what
// could steer one is escaped, which does not change the JSON's meaning.
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
// DEL and those above ASCII, and those that turn the direction of writing.
func escapeControls(text []byte) []byte {
	if bytes.IndexFunc(text, steers) < 0 {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if steers(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

func steers(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// tablePrinter prints one line an extraction, in columns of fixed width so that
// each can be printed at once. The name is last, since it may be long.
type tablePrinter struct {
	w     io.Writer
	begun bool
}

// tableRow has room for a ULID, a status, a usual account and an error's code.
const tableRow = "%-26s  %-11s  %-16s  %-20s  %s\n"

// Print writes the extraction's line, below the head if it is the first.
func (p *tablePrinter) Print(e extraction.Extraction) error {
	if !p.begun {
		p.begun = true
		if _, err := fmt.Fprintf(p.w, tableRow, "ID", "STATUS", "ACCOUNT", "ERROR", "NAME"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.w, tableRow, visible(e.ID), visible(string(e.Status)), visible(e.Account), errorCode(e), visible(e.Document.Name))
	return err
}

// Close has nothing to end.
func (p *tablePrinter) Close() error { return nil }

func errorCode(e extraction.Extraction) string {
	if e.Error == nil {
		return ""
	}
	return visible(string(e.Error.Code))
}

// visible is text that comes from elsewhere, made fit for a terminal: what
// cannot be seen, such as the characters that steer the terminal, is escaped.
func visible(s string) string { return spelled(s, invisible) }

// spelled writes the characters that are to be seen as their numbers.
func spelled(s string, hidden func(rune) bool) string {
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

func invisible(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }
