package typless

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
	"github.com/extractq/extractq/provider/providertest"
)

func finished(t *testing.T, body string) *extraction.Result {
	t.Helper()
	out, err := outcome([]byte(body), vendorhttp.NewRedactor(), inMemory)
	if err != nil || out.Result == nil {
		t.Fatalf("outcome = %+v, %v", out, err)
	}
	return providertest.Result(t, out)
}

// inMemory guards an answer that is in memory.
func inMemory(f func() error) error { return f() }

//go:fix inline
func TestResult(t *testing.T) {
	t.Parallel()
	body := providertest.Fixture(t, "poll_success.json")
	r := finished(t, body)
	type value = extraction.Value
	none := []value{}
	val := func(v any, kind extraction.ValueType, text string, confidence float64, page int, box *extraction.Box) value {
		out := value{
			Value: v, Type: kind, Text: extraction.Null(text), Confidence: &confidence, Box: box, Alternatives: none,
		}
		if page > 0 {
			out.Page = &page
		}
		return out
	}
	unit := &extraction.Box{X: 1, Y: 1, Width: 1, Height: 1}
	number := val("123-123", "string", "123-123", 0.95, 1, &extraction.Box{X: 358, Y: 737, Width: 557, Height: 33})
	number.Alternatives = []value{
		val("123-128", "string", "123-128", 0.31, 2, &extraction.Box{X: 1, Y: 2, Width: 3, Height: 4}),
		val("128", "string", "128", 0.02, 0, nil),
	}
	fields := extraction.Fields{
		"supplier_name":  {val("ScaleGrid", "string", "ScaleGrid", 0.958, 0, nil)},
		"invoice_number": {number},
		"issue_date":     {val("2021-03-27", "date", "2021-03-27", 0.92, 1, &extraction.Box{X: 2899, Y: 737, Width: 420, Height: 33})},
		"due_date":       {val("30 days", "string", "30 days", 0.5, 3, nil)},
		"total_amount":   {val(json.Number("1210.00"), "number", "1210.00", 0.99, 1, &extraction.Box{X: 3000, Y: 1500, Width: 200, Height: 30})},
		"net_amount":     {val("1.000,00", "string", "1.000,00", 0.4, 1, unit)},
		"order_number": {
			val("A-1", "string", "A-1", 0.9, 1, unit),
			val("A-2", "string", "A-2", 0.8, 1, &extraction.Box{X: 2, Y: 2, Width: 2, Height: 2}),
		},
		"iban": none, "vat_id": none,
	}
	if diff := cmp.Diff(fields, r.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	tables := extraction.Tables{
		"line_items": {
			{
				"description": {val("Hosting", "string", "Hosting", 0.9, 1, unit)},
				"quantity":    {val(json.Number("2"), "number", "2", 0.9, 1, unit)},
			},
			{"description": none},
		},
		"vat_rates": {{"vat_rate_percentage": {val(json.Number("22.0"), "number", "22.0", 0.9, 1, unit)}}},
	}
	if diff := cmp.Diff(tables, r.Tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	if string(r.Raw) != providertest.Compact(t, body) || len(r.Documents)+len(r.Warnings) != 0 {
		t.Errorf("raw is not the whole body, or there are documents or warnings")
	}
}

func TestOldResult(t *testing.T) {
	t.Parallel()
	r := finished(t, providertest.Fixture(t, "poll_success_old.json"))
	want := extraction.Fields{"supplier": {{
		Value: "ScaleGrid", Type: extraction.TypeString, Text: "ScaleGrid", Confidence: new(0.968), Alternatives: []extraction.Value{},
	}}}
	if diff := cmp.Diff(want, r.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if rows, ok := r.Tables["line_items"]; !ok || rows == nil || len(rows) != 0 {
		t.Errorf("line items %v, want an empty table", rows)
	}
	if _, ok := r.Tables["vat_rates"]; ok {
		t.Errorf("a table that the vendor did not send")
	}
}

// TestOddResults: one odd member does not lose a result.
func TestOddResults(t *testing.T) {
	t.Parallel()
	for members, want := range map[string]string{
		``: `{}`,
		`"extracted_fields":null,"line_items":{}`:                                                          `{}`,
		`"extracted_fields":[null,1,{"values":[{}]}]`:                                                      `{}`,
		`"extracted_fields":[{"name":"a"}]`:                                                                `{"a":[]}`,
		`"extracted_fields":[{"name":"a","values":[null,"x",{"value":{}}]}]`:                               `{"a":["{}"]}`,
		`"extracted_fields":[{"name":"a","values":[{"value":7}]}]`:                                         `{"a":[7]}`,
		`"extracted_fields":[{"name":"a","values":[{"value":"1"}]},{"name":"a","values":[{"value":"2"}]}]`: `{"a":["1","2"]}`,
		`"extracted_fields":[{"name":"a","data_type":7,"multiple_values":"true","values":[{"value":"1"},{"value":"2","confidence_score":-1,"page_number":0.5,"x":"a"}]}]`: `{"a":["1","2"]}`,
	} {
		r := finished(t, `{"status":"SUCCESS","result":{`+members+`}}`)
		got := map[string][]any{}
		for name, vals := range r.Fields {
			got[name] = []any{}
			for _, v := range vals {
				got[name] = append(got[name], v.Value)
			}
		}
		if b, err := json.Marshal(got); err != nil || string(b) != want {
			t.Errorf("%s: %s, %v, want %s", members, b, err, want)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s: %v", members, err)
		}
	}
}

// TestEncode compares the stream with what a naive encoder makes, for readers
// and takers of every habit.
func TestEncode(t *testing.T) {
	t.Parallel()
	open, err := envelope(submission{FileName: `a"b.pdf`, DocumentType: "t"})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 2, 3, 4, 5, chunk - 1, chunk, chunk + 1, 3*chunk + 2} {
		doc := strings.Repeat("x\xff\x00", size/3+1)[:size]
		want := open + base64.StdEncoding.EncodeToString([]byte(doc)) + closing
		if n := encodedLength(open, int64(size)); n != int64(len(want)) {
			t.Errorf("%d bytes: length %d, want %d", size, n, len(want))
		}
		for name, r := range map[string]io.Reader{
			"plain": strings.NewReader(doc), "small": iotest.OneByteReader(strings.NewReader(doc)),
			"early": iotest.DataErrReader(strings.NewReader(doc)), "half": iotest.HalfReader(strings.NewReader(doc)),
		} {
			got, err := io.ReadAll(iotest.HalfReader(encode(open, io.NopCloser(r), int64(size))))
			if err != nil || string(got) != want {
				t.Errorf("%d bytes, %s: another text of %d bytes (%v)", size, name, len(got), err)
			}
		}
	}
}

func FuzzOutcome(f *testing.F) {
	for _, name := range []string{
		"poll_success.json", "poll_success_old.json", "poll_error.json", "poll_expired.json", "error_422.json",
	} {
		f.Add([]byte(providertest.Fixture(f, name)))
	}
	redact := vendorhttp.NewRedactor("sk_live")
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := outcome(body, redact, inMemory)
		if err != nil {
			return
		}
		if out.VendorStatus == "" || (out.Result != nil) != (out.Status == extraction.StatusSuccess) {
			t.Errorf("%+v", out)
		}
		if out.Result != nil {
			providertest.Result(t, out)
		}
		if _, err := json.Marshal(out.Failure); err != nil {
			t.Errorf("the failure cannot be written: %v", err)
		}
	})
}

func FuzzIDs(f *testing.F) {
	f.Add([]byte(providertest.Fixture(f, "ready.json")))
	f.Add([]byte(`["a",1,null,{}]`))
	f.Fuzz(func(_ *testing.T, body []byte) { _, _ = decodeIDs(body) })
}
