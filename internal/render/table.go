package render

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"github.com/extractq/extractq/extraction"
)

// Screen is where a table is shown. Its zero value is a file.
type Screen struct {
	// Width is that of a line, in columns; 0 means that lines may be of any length.
	Width int
	// Colors are used for statuses.
	Colors bool
}

// ScreenOf returns the screen that w is. NO_COLOR and TERM=dumb keep colors off
// (https://no-color.org).
func ScreenOf(w io.Writer) Screen {
	if out, ok := w.(output); ok {
		w = out.w
	}
	f, ok := w.(*os.File)
	if !ok {
		return Screen{}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return Screen{}
	}
	return Screen{Width: width, Colors: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// heldRows is how many extractions of a list are read before its columns are chosen.
const heldRows = 500

// column is one column of a list.
type column struct {
	head  string
	value func(extraction.Extraction) string
	// varied columns are shown where they have more than one value.
	varied bool
	most   int // Of its width.
}

func listColumns(now time.Time) []column {
	return []column{
		{head: "ID", value: func(e extraction.Extraction) string { return e.ID }},
		{head: "NAME", value: func(e extraction.Extraction) string { return e.Document.Name }, most: 40},
		{head: "STATUS", value: func(e extraction.Extraction) string { return string(e.Status) }},
		{head: "AGE", value: func(e extraction.Extraction) string { return age(now.Sub(e.CreatedAt.Time)) }},
		{head: "ERROR", value: errorCode, varied: true},
		{head: "ACCOUNT", value: func(e extraction.Extraction) string { return e.Account }, varied: true, most: 40},
		{head: "TYPE", value: typesOf, varied: true, most: 24},
		{head: "BATCH", value: func(e extraction.Extraction) string { return string(e.Batch) }, varied: true, most: 24},
		{head: "CUSTOMER", value: func(e extraction.Extraction) string { return string(e.Customer) }, varied: true, most: 24},
	}
}

// listTable prints one line an extraction, with the labels that tell them apart. The first
// rows decide on the columns and their widths.
type listTable struct {
	w       io.Writer
	screen  Screen
	now     time.Time
	held    []extraction.Extraction
	columns []column
	widths  []int
}

// Print keeps the extraction until the columns are chosen, and writes its line afterwards.
func (p *listTable) Print(e extraction.Extraction) error {
	if p.columns != nil {
		return p.write(e)
	}
	p.held = append(p.held, e)
	if len(p.held) < heldRows {
		return nil
	}
	return p.flush()
}

// Close writes what is held.
func (p *listTable) Close() error {
	if len(p.held) == 0 {
		return nil
	}
	return p.flush()
}

func (p *listTable) flush() error {
	total := -2 // Behind the last column is no space.
	for _, c := range listColumns(p.now) {
		values, width := map[string]bool{}, len(c.head)
		for _, e := range p.held {
			v := Escape(c.value(e))
			values[v] = true
			width = max(width, runewidth.StringWidth(v))
		}
		if c.varied && len(values) < 2 {
			continue
		}
		if c.most > 0 {
			width = min(width, c.most)
		}
		p.columns, p.widths = append(p.columns, c), append(p.widths, width)
		total += width + 2
	}
	p.fit(total)
	heads := make([]string, len(p.columns))
	for i, c := range p.columns {
		heads[i] = c.head
	}
	if err := p.line(heads, ""); err != nil {
		return err
	}
	for _, e := range p.held {
		if err := p.write(e); err != nil {
			return err
		}
	}
	p.held = nil
	return nil
}

// fit makes the name narrower, and leaves out the last columns where that does not do.
func (p *listTable) fit(total int) {
	if p.screen.Width == 0 {
		return
	}
	const leastName = 12
	for total-p.screen.Width > p.widths[1]-leastName && p.columns[len(p.columns)-1].varied {
		last := len(p.columns) - 1
		total -= p.widths[last] + 2
		p.columns, p.widths = p.columns[:last], p.widths[:last]
	}
	if over := total - p.screen.Width; over > 0 {
		p.widths[1] = max(len("NAME"), p.widths[1]-over)
	}
}

func (p *listTable) write(e extraction.Extraction) error {
	cells := make([]string, len(p.columns))
	for i, c := range p.columns {
		cells[i] = Escape(c.value(e))
	}
	return p.line(cells, e.Status)
}

// line writes cells below their heads. Where nothing bounds the line, the last cell of a
// column may be longer than the column.
func (p *listTable) line(cells []string, status extraction.Status) error {
	var b strings.Builder
	for i, cell := range cells {
		if p.screen.Width > 0 || i < len(cells)-1 {
			cell = runewidth.Truncate(cell, p.widths[i], "…")
		}
		if i < len(cells)-1 {
			cell = runewidth.FillRight(cell, p.widths[i]) + "  "
		}
		if status != "" && p.columns[i].head == "STATUS" {
			cell = p.screen.color(status, cell)
		}
		b.WriteString(cell)
	}
	_, err := fmt.Fprintln(p.w, strings.TrimRight(b.String(), " "))
	return err
}

// fieldTable prints one line a document, as soon as it has ended: its name, its status, and
// the first value of each field, or its error.
type fieldTable struct {
	w      io.Writer
	screen Screen
	begun  bool
}

const (
	nameWidth   = 24
	statusWidth = 9
	valueWidth  = 32 // From which on a value is a text.
	textWidth   = 80 // Of a text.
)

// Print writes the extraction's line, below the head if it is the first.
func (p *fieldTable) Print(e extraction.Extraction) error {
	if !p.begun {
		p.begun = true
		if err := p.line("NAME", "STATUS", "", "FIELDS"); err != nil {
			return err
		}
	}
	name := runewidth.Truncate(Escape(e.Document.Name), nameWidth, "…")
	return p.line(name, string(e.Status), e.Status, shortFields(e))
}

// Close has nothing to complete.
func (p *fieldTable) Close() error { return nil }

func (p *fieldTable) line(name, status string, of extraction.Status, rest string) error {
	if p.screen.Width > 0 {
		rest = runewidth.Truncate(rest, max(10, p.screen.Width-nameWidth-statusWidth-4), "…")
	}
	_, err := fmt.Fprintf(p.w, "%s  %s  %s\n", runewidth.FillRight(name, nameWidth),
		p.screen.color(of, fmt.Sprintf("%-*s", statusWidth, status)), rest)
	return err
}

// shortFields gives "ssn 123-45-6789, total 12.50", or the error of an extraction without a result.
// Texts come after values.
func shortFields(e extraction.Extraction) string {
	if e.Error != nil {
		return Escape(string(e.Error.Code) + ": " + FailureText(e.Error))
	}
	if e.Result == nil {
		return ""
	}
	var short, long []string
	for _, name := range slices.Sorted(maps.Keys(e.Result.Fields)) {
		values := e.Result.Fields[name]
		if len(values) == 0 {
			continue
		}
		value := strings.Join(strings.Fields(cell(values[0])), " ")
		text := Escape(name + " " + runewidth.Truncate(value, textWidth, "…"))
		if runewidth.StringWidth(value) > valueWidth {
			long = append(long, text)
		} else {
			short = append(short, text)
		}
	}
	return strings.Join(append(short, long...), ", ")
}

// color puts a color around a status, padding included.
func (s Screen) color(status extraction.Status, text string) string {
	if !s.Colors {
		return text
	}
	code := ""
	switch status {
	case extraction.StatusSuccess:
		code = "32"
	case extraction.StatusError, extraction.StatusExpired:
		code = "31"
	case extraction.StatusCanceled:
		code = "33"
	case extraction.StatusQueued, extraction.StatusSubmitting, extraction.StatusInProgress:
	}
	if code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// age is a duration in its largest unit: "8s", "34m", "5h", "12d".
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func typesOf(e extraction.Extraction) string {
	if len(e.Types) > 0 {
		return strings.Join(e.Types, ",")
	}
	return string(e.Type)
}

func errorCode(e extraction.Extraction) string {
	if e.Error == nil {
		return ""
	}
	return string(e.Error.Code)
}
