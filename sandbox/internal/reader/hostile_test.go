package reader_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/sandbox/internal/reader"
)

// build writes a PDF of the given objects; the first is the catalog. trailer is
// what its trailer has besides Size and Root.
func build(trailer string, objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	offsets := []int{}
	for i, o := range objects {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, table)
	return b.Bytes()
}

func stream(entries, content string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", entries, len(content), content)
}

const (
	catalog = "<< /Type /Catalog /Pages 2 0 R >>"
	onePage = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
	page    = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> /XObject << /X 5 0 R >> >> >>"
)

// flate compresses n times content.
func flate(content string, n int) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	for range n {
		_, _ = w.Write([]byte(content))
	}
	_ = w.Close()
	return b.String()
}

// TestHostile reads what was made to break readers. Each has to end quickly, in
// whatever result; the reason is given where it is sure.
func TestHostile(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000)
	chain := []string{"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R] >> >>", onePage, page, stream("", "")}
	for i := 5; i < 5_000; i++ {
		chain = append(chain, fmt.Sprintf("<< /FT /Tx /T (a) /V (x) /Kids [%d 0 R] >>", i+1))
	}
	for _, test := range []struct {
		name   string
		data   []byte
		reason string // "" if it may be read or refused
	}{
		{"page tree in a circle", build("", catalog, "<< /Type /Pages /Kids [2 0 R] /Count 1 >>"), reader.ReasonInvalid},
		{"no pages", build("", catalog, "<< /Type /Pages /Kids [] /Count 0 >>"), reader.ReasonInvalid},
		{"a billion pages", build("", catalog, "<< /Type /Pages /Kids [3 0 R] /Count 1000000000 >>", page, stream("", "")), ""},
		{"the same page a hundred thousand times", build("", catalog, "<< /Type /Pages /Kids ["+strings.Repeat("3 0 R ", 100_000)+"] /Count 100000 >>", page, stream("", "BT ET")), reader.ReasonTooMuch},
		{"deep array", build("", catalog, onePage, page, deep), ""},
		{"deep array in the content", build("", catalog, onePage, page, stream("", deep)), ""},
		{"deep dictionaries", build("", catalog, strings.Repeat("<< /A ", 100_000)+strings.Repeat(">>", 100_000)), ""},
		{"field tree of 5,000 levels", build("", chain...), ""},
		{"field that is its own kid", build("", "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R] >> >>", onePage, page, stream("", ""), "<< /FT /Tx /T (a) /Kids [5 0 R] >>"), ""},
		{"form that shows itself", build("", catalog, onePage, page, stream("", "/X Do"), stream("/Type /XObject /Subtype /Form", strings.Repeat("/X Do ", 50))), reader.ReasonTooMuch},
		{"object that is a reference to itself", build("", catalog, onePage, "3 0 R"), ""},
		{"zip bomb as content", build("", catalog, onePage, page, stream("/Filter /FlateDecode", flate(strings.Repeat(" ", 1<<20), 8))), reader.ReasonTooMuch},
		{"zip bomb in a zip bomb", build("", catalog, onePage, page, stream("/Filter [/FlateDecode /FlateDecode]", flate(flate(strings.Repeat(" ", 1<<20), 8), 1))), reader.ReasonTooMuch},
		{"text without end", build("", catalog, onePage, page, stream("/Filter /FlateDecode", flate("BT /F1 9 Tf 9 9 Td (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) Tj ET\n", 200_000))), ""},
		{"string without end", build("", catalog, onePage, page, stream("", "BT /F1 9 Tf ("+strings.Repeat("(", 300_000))), ""},
		{"operands without operator", build("", catalog, onePage, page, stream("", strings.Repeat("1 ", 300_000))), ""},
		{"saves without end", build("", catalog, onePage, page, stream("", strings.Repeat("q ", 300_000))), ""},
		{"table of two billion objects", build("/Size 2000000000", catalog, onePage, page, stream("", "")), ""},
		{"numbers beyond measure", build("", catalog, onePage, page, stream("", "BT /F1 1e300 Tf 1e300 0 0 1e300 1e300 1e300 Tm (abc) Tj 1e300 Tc (abc) Tj ET")), ""},
		{"previous table is this table", build("/Prev 9", catalog, onePage, page, stream("", "")), ""},
		{"encrypted by an unknown filter", build("/Encrypt << /Filter /Unheard /V 9 >> /ID [(a) (b)]", catalog, onePage, page, stream("", "")), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := reader.Read(t.Context(), test.data, "", reader.Limits{Time: time.Second, DecodedBytes: 4 << 20})
			if test.reason != "" {
				checkRefusal(t, err, test.reason)
			}
			// The limit, and the slowness of a loaded machine under -race.
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("Read took %s, with a limit of 1 s", took)
			}
			t.Logf("%v after %s", err, time.Since(began))
		})
	}
}

func TestTextIsBounded(t *testing.T) {
	t.Parallel()
	data := build("", catalog, onePage, page, stream("", "BT /F1 9 Tf "+strings.Repeat("0 -10 Td (a line of text) Tj\n", 1_000)+" ET"))
	doc, err := reader.Read(t.Context(), data, "", reader.Limits{TextBytes: 1_000})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(doc.Text()); n != 1_000 {
		t.Errorf("text has %d bytes, want 1,000", n)
	}
}
