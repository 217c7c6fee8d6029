package vendorjson

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]json.Number{
		"1210.00": "1210.00", "-3": "-3", "0": "0", " 7 ": "7", "1e3": "1e3", "0012": "12", "+4": "4", ".5": "0.5", "5.": "5",
		"-00.10": "-0.10", "123456789012345678901234567890": "123456789012345678901234567890",
		"": "", "abc": "", "1,234.50": "", "1.234,50": "", "NaN": "", "Inf": "", "0x10": "", "1_000": "", "1e999": "", "$5": "", "-": "",
	} {
		got, ok := Number(in)
		if got != want || ok != (want != "") {
			t.Errorf("Number(%q) = %q, %t, want %q", in, got, ok, want)
		}
		if ok && !json.Valid([]byte(got)) {
			t.Errorf("Number(%q) = %q is no JSON", in, got)
		}
	}
}

func TestDate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"2021-02-01": "2021-02-01", "2021-02-01T00:00:00.000Z": "2021-02-01", "2021-02-01T23:30:00-08:00": "2021-02-01",
		"2021-02-01T10:00:00": "2021-02-01", "2021-02-01 10:00": "2021-02-01", " 2024-02-29 ": "2024-02-29",
		"2023-02-29": "", "2021-02": "", "02/01/2021": "", "2021-02-01x": "", "2021-02-01T99": "", "": "", "Feb 1, 2021": "",
	} {
		if got, ok := Date(in); got != want || ok != (want != "") {
			t.Errorf("Date(%q) = %q, %t, want %q", in, got, ok, want)
		}
	}
}

func TestScalar(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		raw  string
		want extraction.ValueType
		out  any
		kind extraction.ValueType
	}{
		"null":              {"null", extraction.TypeString, nil, ""},
		"empty":             {`""`, extraction.TypeString, nil, ""},
		"missing":           {"", extraction.TypeString, nil, ""},
		"string":            {`"a"`, extraction.TypeString, "a", extraction.TypeString},
		"number":            {`3000000000`, extraction.TypeString, json.Number("3000000000"), extraction.TypeNumber},
		"number in quotes":  {`"12.50"`, extraction.TypeNumber, json.Number("12.50"), extraction.TypeNumber},
		"no number":         {`"12,50 EUR"`, extraction.TypeNumber, "12,50 EUR", extraction.TypeString},
		"date":              {`"2021-02-01T00:00:00.000Z"`, extraction.TypeDate, "2021-02-01", extraction.TypeDate},
		"no date":           {`"next week"`, extraction.TypeDate, "next week", extraction.TypeString},
		"boolean":           {"true", extraction.TypeString, true, extraction.TypeBoolean},
		"boolean in quotes": {`"False"`, extraction.TypeBoolean, false, extraction.TypeBoolean},
		"no boolean":        {`"maybe"`, extraction.TypeBoolean, "maybe", extraction.TypeString},
		"object":            {`{"a" : 1}`, extraction.TypeString, `{"a":1}`, extraction.TypeString},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := Scalar(json.RawMessage(tt.raw), tt.want)
			if ok != (tt.kind != "") || got.Type != tt.kind {
				t.Errorf("Scalar(%s) = %v, %t, want %s", tt.raw, got, ok, tt.kind)
			}
			if diff := cmp.Diff(tt.out, got.Value); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Alternatives == nil {
				t.Errorf("Alternatives is nil")
			}
		})
	}
}

func TestObject(t *testing.T) {
	t.Parallel()
	o, err := Parse([]byte("\xef\xbb\xbf" + `{"s":" x ","n":0.5,"ns":"0.968","i":"3","t":"TRUE","null":null,"a":[1],"o":{"k":"v"},"nan":"NaN","big":1e99}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := o.String("null", "o", "s"); got != "x" {
		t.Errorf("String = %q", got)
	}
	if f, ok := o.Float("nan", "ns"); f != 0.968 || !ok {
		t.Errorf("Float = %v, %t", f, ok)
	}
	if n, ok := o.Int("n", "i"); ok || n != 0 {
		t.Errorf("Int of 0.5 = %d, %t", n, ok)
	}
	if n, ok := o.Int("i"); n != 3 || !ok {
		t.Errorf("Int = %d, %t", n, ok)
	}
	if _, ok := o.Int("big"); ok {
		t.Errorf("Int of 1e99 is one")
	}
	if !o.Bool("s", "t") || o.Bool("n") {
		t.Errorf("Bool")
	}
	if o.Object("a", "o").String("k") != "v" || len(o.Array("o", "a")) != 1 || o.Member("null", "n") == nil {
		t.Errorf("Object, Array or Member")
	}
	for _, bad := range []string{"", " ", "null", "[]", "1", `"x"`, "{", `{"a":1} x`, "OK"} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("Parse(%q) gave no error", bad)
		}
	}
}

func FuzzScalar(f *testing.F) {
	for _, s := range []string{`null`, `"1210.00"`, `"2021-02-01T00:00:00Z"`, `[1,"a"]`, `{"a":null}`, `-0.0e-7`, `"+.5"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		for _, want := range []extraction.ValueType{
			extraction.TypeString, extraction.TypeNumber, extraction.TypeDate, extraction.TypeBoolean,
		} {
			v, ok := Scalar(raw, want)
			if !ok {
				continue
			}
			if _, err := json.Marshal(v); err != nil {
				t.Errorf("Scalar(%s) cannot be written: %v", raw, err)
			}
		}
	})
}
