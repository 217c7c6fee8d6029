package render

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/extractq/extractq/extraction"
)

// No cell is a formula, or has what a terminal acts on, and CSV gives it back as it was.
func FuzzPlainCell(f *testing.F) {
	f.Add("=HYPERLINK(\"http://x\")")
	f.Add(" \t@SUM(1)")
	f.Add("\x1b[2J\u202etxt.exe")
	f.Add("-12.5")
	f.Add("\r\n=1")
	f.Fuzz(func(t *testing.T, s string) {
		cell := plainCell(s)
		if begin, _ := utf8.DecodeRuneInString(strings.TrimSpace(cell)); strings.ContainsRune("=@＝＋－＠", begin) {
			t.Errorf("plainCell(%q) = %q, a formula", s, cell)
		}
		for _, r := range cell {
			if r != '\n' && r != '\t' && r != '\r' && extraction.Deceptive(r) {
				t.Errorf("plainCell(%q) = %q has %q", s, cell, r)
			}
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.Write([]string{cell, "end"}); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		row, err := csv.NewReader(&b).Read()
		if err != nil || len(row) != 2 || row[0] != strings.ReplaceAll(cell, "\r\n", "\n") {
			t.Errorf("CSV gives %q, %v for %q", row, err, cell)
		}
	})
}
