package render

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/scratch"
)

// csvPrinter prints CSV: name, id, status, error_code, in a list all labels, then all fields
// that any extraction has, by name, the first value of each. The set of fields is known only at the
// end, so the rows are kept in a temporary file that only this user can read, and Close
// prints everything. Cells are the values, made harmless to a spreadsheet or a terminal.
type csvPrinter struct {
	w          io.Writer
	isTerminal bool
	labels     bool

	fields map[string]bool
	file   *os.File
	rows   *json.Encoder
	buffer *bufio.Writer
}

// csvRow is a row in the temporary file.
type csvRow struct {
	Fixed  []string          `json:"r"`
	Fields map[string]string `json:"f"`
}

// csvFixed are the columns before the fields.
func csvFixed() []string { return []string{"name", "id", "status", "error_code"} }

// csvLabels are the further columns of a list.
func csvLabels() []string {
	return []string{
		"account", "type", "config_name", "environment", "customer", "batch", "priority",
		"created_at", "submitted_at", "finished_at",
	}
}

// moment is a time of a row; empty where it is unknown.
func moment(t extraction.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// Print keeps the extraction's row.
func (p *csvPrinter) Print(e extraction.Extraction) error {
	if p.file == nil {
		if err := p.open(); err != nil {
			return err
		}
	}
	row := csvRow{Fixed: []string{e.Document.Name, e.ID, string(e.Status), errorCode(e)}, Fields: map[string]string{}}
	if p.labels {
		row.Fixed = append(row.Fixed, e.Account, typesOf(e), string(e.ConfigName), string(e.Environment), string(e.Customer),
			string(e.Batch), string(e.Priority), moment(e.CreatedAt), moment(e.SubmittedAt), moment(e.FinishedAt))
	}
	if e.Result != nil {
		for name, values := range e.Result.Fields {
			p.fields[name] = true
			if len(values) > 0 {
				row.Fields[name] = cell(values[0])
			}
		}
	}
	return p.rows.Encode(row)
}

func (p *csvPrinter) open() error {
	f, err := scratch.File()
	if err != nil {
		return fmt.Errorf("keep rows for CSV: %w", err)
	}
	p.file, p.buffer, p.fields = f, bufio.NewWriter(f), map[string]bool{}
	p.rows = json.NewEncoder(p.buffer)
	return nil
}

// Close prints the head and all rows.
func (p *csvPrinter) Close() error {
	names := slices.Sorted(maps.Keys(p.fields))
	out := csv.NewWriter(p.w)
	head := csvFixed()
	if p.labels {
		head = append(head, csvLabels()...)
	}
	if err := p.write(out, append(head, names...)); err != nil {
		return err
	}
	if p.file != nil {
		if err := errors.Join(p.replay(out, names), p.file.Close()); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (p *csvPrinter) replay(out *csv.Writer, names []string) error {
	if err := p.buffer.Flush(); err != nil {
		return err
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	rows := json.NewDecoder(bufio.NewReader(p.file))
	for {
		var row csvRow
		if err := rows.Decode(&row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for _, name := range names {
			row.Fixed = append(row.Fixed, row.Fields[name])
		}
		if err := p.write(out, row.Fixed); err != nil {
			return err
		}
	}
}

func (p *csvPrinter) write(out *csv.Writer, cells []string) error {
	for i, c := range cells {
		if p.isTerminal {
			c = Escape(c)
		} else {
			c = plainCell(c)
		}
		cells[i] = c
	}
	return out.Write(cells)
}

// formula matches the beginning of a spreadsheet's formula, and number what looks like one
// and is a number. Some spreadsheets drop leading spaces, and some know full-width signs.
var (
	formula = regexp.MustCompile(`^[\s\p{Z}]*[=+\-@＝＋－＠]|^[\t\r\n]`)
	number  = regexp.MustCompile(`^ *[+-]?[0-9][0-9.,]*([eE][+-]?[0-9]+)?$`)
)

// plainCell is a cell that no spreadsheet evaluates and no terminal acts on: a formula gets
// a leading ', and control characters are escaped.
func plainCell(s string) string {
	s = escape(s, func(r rune) bool { return extraction.Deceptive(r) && r != '\n' && r != '\t' && r != '\r' })
	if formula.MatchString(s) && !number.MatchString(s) {
		return "'" + s
	}
	return s
}

// cell is a value as text: a string as it is, anything else as JSON.
func cell(v extraction.Value) string {
	switch x := v.Value.(type) {
	case nil:
		return ""
	case string:
		return x
	}
	b, err := json.Marshal(v.Value)
	if err != nil {
		return string(v.Text)
	}
	return string(b)
}
