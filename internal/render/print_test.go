package render

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

func sampleExtractions() []extraction.Extraction {
	result := extraction.NewResult(json.RawMessage(`{}`))
	result.Fields = extraction.Fields{
		"total": {{Value: json.Number("12.50"), Type: extraction.TypeNumber}, {Value: 2.0}},
		"payer": {{Value: "A, B & \"C\"", Type: extraction.TypeString}},
		"empty": {},
	}
	return []extraction.Extraction{
		{
			ID: "01J0000000000000000000000A", Account: "acme", Status: extraction.StatusSuccess,
			Document: extraction.Document{Name: "a.pdf"}, Result: result,
		},
		{
			ID: "01J0000000000000000000000B", Account: "acme", Status: extraction.StatusError,
			Document: extraction.Document{Name: "evil\x1b[2J\u009b\u202e\n.pdf"},
			Error:    extraction.NewFailure(extraction.CodeVendorRejected, "no", nil),
		},
	}
}

func printAll(t *testing.T, f Format, all []extraction.Extraction) string {
	t.Helper()
	var b strings.Builder
	p := NewPrinter(&b, f, Results, Screen{})
	for _, e := range all {
		if err := p.Print(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrintJSON(t *testing.T) {
	t.Parallel()
	all := sampleExtractions()
	lines := printAll(t, NDJSON, all)
	if got := strings.Count(lines, "\n"); got != len(all) {
		t.Errorf("NDJSON has %d lines, want %d", got, len(all))
	}
	if got := printAll(t, JSON, nil); got != "[]\n" {
		t.Errorf("JSON of nothing = %q, want []", got)
	}
	array := printAll(t, JSON, all)
	var fromArray, fromLines []extraction.Extraction
	if err := json.Unmarshal([]byte(array), &fromArray); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(lines) {
		var e extraction.Extraction
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		fromLines = append(fromLines, e)
	}
	if diff := cmp.Diff(fromLines, fromArray); diff != "" {
		t.Errorf("NDJSON and JSON differ:\n%s", diff)
	}
	if got := fromLines[1].Document.Name; got != all[1].Document.Name {
		t.Errorf("name = %q, want %q", got, all[1].Document.Name)
	}
	if i := strings.IndexAny(lines, "\x1b\u009b\u202e"); i >= 0 {
		t.Errorf("NDJSON has a raw control character: %q", lines[i:])
	}
}

func TestPrintCSV(t *testing.T) {
	t.Parallel()
	all := sampleExtractions()
	all[1].Document.Name = "b,1.pdf"
	all[1].Result = extraction.NewResult(nil)
	all[1].Result.Fields = extraction.Fields{"ok": {{Value: true}}, "date": {{Value: "2024-02-01"}}, "none": {{}}}
	want := `name,id,status,error_code,date,empty,none,ok,payer,total
a.pdf,01J0000000000000000000000A,SUCCESS,,,,,,"A, B & ""C""",12.50
"b,1.pdf",01J0000000000000000000000B,ERROR,vendor_rejected,2024-02-01,,,true,,
`
	if diff := cmp.Diff(want, printAll(t, CSV, all)); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
	if got := printAll(t, CSV, nil); got != "name,id,status,error_code\n" {
		t.Errorf("CSV of nothing = %q, want the head", got)
	}
}

// TestPrintListAsCSV has the labels of extractions, which have no fields there.
func TestPrintListAsCSV(t *testing.T) {
	t.Parallel()
	e := sampleExtractions()[1]
	e.Result, e.Type, e.Customer, e.Batch, e.Priority = nil, "invoices", "=cmd()", "monday", extraction.PriorityBulk
	e.CreatedAt = extraction.FromMillis(1_767_225_600_000)
	e.Document.Name = "b.pdf"
	var b strings.Builder
	p := NewPrinter(&b, CSV, List, Screen{})
	if err := errors.Join(p.Print(e), p.Close()); err != nil {
		t.Fatal(err)
	}
	want := `name,id,status,error_code,account,type,config_name,environment,customer,batch,priority,created_at,submitted_at,finished_at
b.pdf,01J0000000000000000000000B,ERROR,vendor_rejected,acme,invoices,,,'=cmd(),monday,bulk,2026-01-01T00:00:00Z,,
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
}

func TestCSVOnATerminal(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := &csvPrinter{w: &b, isTerminal: true}
	if err := errors.Join(p.Print(sampleExtractions()[1]), p.Close()); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\u009b\u202e") || !strings.Contains(b.String(), `evil\x1b[2J`) {
		t.Errorf("CSV on a terminal = %q, want what steers it escaped", b.String())
	}
}

func TestCSVLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	printAll(t, CSV, sampleExtractions())
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files = %v, %v, want none", left, err)
	}
}

func TestChooseFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name             string
		asJSON, terminal bool
		want             Format
	}{
		{"", false, true, Table},
		{"", false, false, NDJSON},
		{"", true, true, NDJSON},
		{"csv", false, true, CSV},
		{"json", false, false, JSON},
		{"ndjson", true, true, NDJSON},
		{"json", true, true, ""},
		{"xml", false, false, ""},
	} {
		got, err := ChooseFormat(tt.name, tt.asJSON, tt.terminal)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("chooseFormat(%q, %t, %t) = %q, %v, want %q", tt.name, tt.asJSON, tt.terminal, got, err, tt.want)
		}
	}
}

// brokenPipe refuses every write.
type brokenPipe struct{}

var errBroken = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

func TestPrintersReportWriteErrors(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{Table, JSON, NDJSON, CSV} {
		p := NewPrinter(brokenPipe{}, f, List, Screen{})
		if err := errors.Join(p.Print(sampleExtractions()[0]), p.Close()); !errors.Is(err, errBroken) {
			t.Errorf("%s on a broken pipe = %v, want the error", f, err)
		}
	}
}

// No spreadsheet takes a cell for a formula, and numbers stay numbers.
func TestPlainCell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`=HYPERLINK("http://x")`: `'=HYPERLINK("http://x")`, "+1+cmd": "'+1+cmd", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1",
		"-": "'-", "-5": "-5", "+3.50": "+3.50", "-1,234.5": "-1,234.5", "a=b": "a=b", "a\x1b[2J": `a\x1b[2J`, "a\nb": "a\nb",
	} {
		if got := plainCell(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}
