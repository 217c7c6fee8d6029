// Package xlsx writes one table of texts as an Excel workbook. It knows no
// formats, formulas or numbers.
package xlsx

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
)

// ContentType is that of a workbook.
const ContentType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

const (
	main          = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	relationships = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	packages      = "http://schemas.openxmlformats.org/package/2006/"
	parts         = "application/vnd.openxmlformats-officedocument.spreadsheetml."

	// maxCell is how many characters Excel takes in a cell.
	maxCell = 32_767
)

// Write writes a workbook with one sheet.
func Write(w io.Writer, sheet string, rows [][]string) error {
	z := zip.NewWriter(w)
	for _, file := range []struct{ name, body string }{
		{"[Content_Types].xml", `<Types xmlns="` + packages + `content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="` + parts + `sheet.main+xml"/>` +
			`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="` + parts + `worksheet+xml"/></Types>`},
		{"_rels/.rels", relation("officeDocument", "xl/workbook.xml")},
		{"xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml")},
		{"xl/workbook.xml", `<workbook xmlns="` + main + `" xmlns:r="` + relationships + `"><sheets>` +
			`<sheet name="` + escape(sheet) + `" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	} {
		part, err := z.Create(file.name)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(part, xml.Header+file.body); err != nil {
			return err
		}
	}
	part, err := z.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return err
	}
	if err := writeRows(part, rows); err != nil {
		return err
	}
	return z.Close()
}

// relation is a file of one relationship, rId1.
func relation(kind, target string) string {
	return `<Relationships xmlns="` + packages + `relationships"><Relationship Id="rId1" Type="` +
		relationships + "/" + kind + `" Target="` + target + `"/></Relationships>`
}

func writeRows(w io.Writer, rows [][]string) error {
	if _, err := io.WriteString(w, xml.Header+`<worksheet xmlns="`+main+`"><sheetData>`); err != nil {
		return err
	}
	for i, row := range rows {
		var line bytes.Buffer
		fmt.Fprintf(&line, `<row r="%d">`, i+1)
		for _, text := range row {
			if r := []rune(text); len(r) > maxCell {
				text = string(r[:maxCell])
			}
			line.WriteString(`<c t="inlineStr"><is><t xml:space="preserve">` + escape(text) + `</t></is></c>`)
		}
		line.WriteString("</row>")
		if _, err := line.WriteTo(w); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "</sheetData></worksheet>")
	return err
}

// escape makes any text fit for XML; what XML cannot hold becomes U+FFFD.
func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a Buffer takes everything
	return b.String()
}
