package reader_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox/internal/reader"
)

func TestReadTaxForm(t *testing.T) {
	t.Parallel()
	doc, err := reader.Read(t.Context(), fixtures.TaxForm(1), "", reader.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if doc.ContentType != "application/pdf" || len(doc.Pages) != 2 || len(doc.Fields) != 0 {
		t.Errorf("got %s with %d pages and %d fields, want a PDF with 2 pages and none", doc.ContentType, len(doc.Pages), len(doc.Fields))
	}
	want := fixtures.TaxFormFields(1)
	for _, line := range []string{
		"Your first name and middle initial Last name Your social security number",
		"3 Total income " + want["total_income"],
	} {
		if !strings.Contains(doc.Pages[0], line+"\n") {
			t.Errorf("page 1 has no line %q:\n%s", line, doc.Pages[0])
		}
	}
	if !strings.Contains(doc.Pages[0], want["ssn"]) {
		t.Errorf("page 1 does not have %s", want["ssn"])
	}
	if got, want := doc.Info["Title"], "Form 1040, example 1"; got != want {
		t.Errorf("title = %q, want %q", got, want)
	}
}

func TestReadForm(t *testing.T) {
	t.Parallel()
	for n := range 4 {
		doc, err := reader.Read(t.Context(), fixtures.Form(n), "", reader.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]any{}
		for _, f := range doc.Fields {
			got[f.Name] = f.Value
		}
		want := fixtures.FormFields(n)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("fields of form %d (-want +got):\n%s", n, diff)
		}
		// What is filled in is part of what is seen.
		if line := "Social security number " + want["ssn"].(string); !strings.Contains(doc.Text(), line) {
			t.Errorf("text has no %q:\n%s", line, doc.Text())
		}
	}
}

func TestReadWhatIsNoPDF(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, data, declared string
		wantType, wantText   string
		wantReason           string
	}{
		{name: "nothing", wantReason: reader.ReasonEmpty},
		{name: "jpeg", data: "\xff\xd8\xff\xe0\x00\x10JFIF", wantType: "image/jpeg"},
		{name: "png", data: "\x89PNG\r\n\x1a\n", declared: "application/pdf", wantType: "image/png"},
		{name: "tiff", data: "II*\x00", wantType: "image/tiff"},
		{name: "bmp", data: "BM......", wantType: "image/bmp"},
		{name: "csv", data: "a,b\n1,2\n", declared: "text/csv", wantType: "text/csv", wantText: "a,b\n1,2\n"},
		{name: "undeclared text", data: "a,b\n1,2\n", wantReason: reader.ReasonUnknown},
		{name: "binary as csv", data: "\x00\x01\x02", declared: "text/csv", wantReason: reader.ReasonUnknown},
		{name: "word", data: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", wantType: "application/msword"},
		{name: "html as pdf", data: "<html>no</html>", declared: "application/pdf", wantReason: reader.ReasonUnknown},
		{name: "pdf header only", data: "%PDF-1.7", wantReason: reader.ReasonInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			doc, err := reader.Read(t.Context(), []byte(test.data), test.declared, reader.Limits{})
			if test.wantReason != "" {
				checkRefusal(t, err, test.wantReason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if doc.ContentType != test.wantType || doc.Text() != test.wantText || len(doc.Pages) != 1 {
				t.Errorf("Read = %q %q on %d pages, want %q %q on 1", doc.ContentType, doc.Text(), len(doc.Pages), test.wantType, test.wantText)
			}
		})
	}
}

func TestReadGivesUpWithItsCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := reader.Read(ctx, fixtures.TaxForm(1), "", reader.Limits{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Read under an ended context = %v, want %v", err, context.Canceled)
	}
}

func checkRefusal(t *testing.T, err error, reason string) {
	t.Helper()
	refusal, ok := errors.AsType[*reader.Refusal](err)
	if !ok || refusal.Reason != reason {
		t.Errorf("Read = %v, want the refusal %q", err, reason)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(fixtures.TaxForm(1))
	f.Add(fixtures.Form(1))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := reader.Read(t.Context(), data, "application/pdf", reader.Limits{})
		if err == nil {
			return
		}
		if _, ok := errors.AsType[*reader.Refusal](err); !ok {
			t.Errorf("Read = %v, want a refusal", err)
		}
	})
}
