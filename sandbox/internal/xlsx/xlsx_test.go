package xlsx

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWrite: every part is well-formed XML whatever the texts are, and the texts
// come back.
func TestWrite(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ß", maxCell+1)
	rows := [][]string{{"a", "", "<b> & \"c\"\n d "}, {"\x00\xff", long}, {}}
	var b bytes.Buffer
	if err := Write(&b, "<&>", rows); err != nil {
		t.Fatal(err)
	}
	book, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range book.File {
		names = append(names, f.Name)
		part, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(part)
		for err == nil {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if diff := cmp.Diff([]string{"[Content_Types].xml", "_rels/.rels", "xl/_rels/workbook.xml.rels", "xl/workbook.xml", "xl/worksheets/sheet1.xml"}, names); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	part, err := book.Open("xl/worksheets/sheet1.xml")
	if err != nil {
		t.Fatal(err)
	}
	var sheet struct {
		Rows []struct {
			Cells []string `xml:"c>is>t"`
		} `xml:"sheetData>row"`
	}
	if err := xml.NewDecoder(part).Decode(&sheet); err != nil {
		t.Fatal(err)
	}
	want := [][]string{rows[0], {"\uFFFD\uFFFD", long[:2*maxCell]}, nil}
	var got [][]string
	for _, r := range sheet.Rows {
		got = append(got, r.Cells)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}
