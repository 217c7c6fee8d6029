package sensible_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/providertest"
	"github.com/extractq/extractq/provider/sensible"
)

// received is when the fixtures' upload URL was signed.
var received = time.Date(2026, 7, 6, 20, 19, 45, 0, time.UTC)

// start returns a fake Sensible and a client for it.
func start(t *testing.T) (*providertest.Fake, *sensible.Client) {
	t.Helper()
	f := providertest.NewFake(t, dialect())
	return f, newClient(t, sensible.Config{BaseURL: f.URL + "/v0", Now: func() time.Time { return received }})
}

// TestOpen compares each form of the first step with its fixture.
func TestOpen(t *testing.T) {
	t.Parallel()
	for fixture, s := range map[string]extraction.Submission{
		"open": {Name: "1040 (2020).pdf", ContentType: "application/pdf", Type: "tax_forms"},
		"open_config": {
			Name: "a+b & c.pdf", ContentType: "text/csv; charset=utf-8", Type: "tax forms", ConfigName: "1040/2020",
			Environment: "development",
			Options: map[string]any{
				"extra_data": `{"order": "A-1", "page": 12345678901234567890, "ok": true, "none": null}`,
			},
			Webhook: &extraction.Webhook{
				URL: "https://hooks.example.com/v1/hooks/acme/t0ken", Payload: "01JD",
			},
		},
		"open_portfolio": {
			Types: []string{"1040s", "pay_stubs"}, Options: map[string]any{"segment_documents_with": "llm"},
		},
	} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			f, c := start(t)
			f.On(providertest.OpOpen, providertest.Answer(providertest.FixtureReply(t, 200, fixture+".json")))
			// The URL of a document that was fetched by us stays with us.
			s.URL = "https://files.example.com/secret.pdf"
			up, err := c.Open(t.Context(), s)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			providertest.CheckRequest(t, f.Requests(providertest.OpOpen)[0], fixture+"-request.json")
			if !strings.HasSuffix(up.URL, "&x-amz-checksum-crc32=AAAAAA%3D%3D&x-id=PutObject") {
				t.Errorf("the upload URL was changed: %s", up.URL)
			}
			up.URL = ""
			want := extraction.Upload{
				VendorID: providertest.VendorID, VendorStatus: "WAITING", ExpiresAt: received.Add(15*time.Minute - time.Second),
			}
			if diff := cmp.Diff(want, up); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSubmit compares each form of the URL flow with its fixture.
func TestSubmit(t *testing.T) {
	t.Parallel()
	for fixture, s := range map[string]extraction.Submission{
		"submit": {
			Name: "1040~01JD8Z5KXN9Q2T4V6W8Y0A1B2C.pdf", ContentType: "application/pdf", Type: "tax_forms",
			URL: "https://files.example.com/1040.pdf?sig=a%2Bb&x=1",
		},
		"submit_config": {
			Type: "tax_forms", ConfigName: "1040_2020", Environment: "development", ContentType: "application/octet-stream",
			URL: "https://files.example.com/1040.pdf", Webhook: &extraction.Webhook{URL: "https://hooks.example.com/x"},
		},
		"submit_portfolio": {
			Types: []string{"1040s", "pay_stubs"}, URL: "https://files.example.com/all.pdf",
			Options: map[string]any{"extra_data": map[string]any{"k": "v"}},
		},
	} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			f, c := start(t)
			f.On(providertest.OpSubmit, providertest.Answer(providertest.FixtureReply(t, 200, fixture+".json")))
			got, err := c.Submit(t.Context(), s)
			if err != nil {
				t.Fatalf("Submit: %v", err)
			}
			providertest.CheckRequest(t, f.Requests(providertest.OpSubmit)[0], fixture+"-request.json")
			want := extraction.Receipt{VendorID: providertest.VendorID, VendorStatus: "WAITING"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSubmitWithoutURL(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	doc := providertest.NewDocument(10)
	_, err := c.Submit(t.Context(), extraction.Submission{Type: "a", Bytes: 10, Body: doc.Open})
	if !errors.Is(err, extraction.ErrInvalid) || extraction.KindOf(err) != extraction.KindRejected {
		t.Errorf("Submit = %v, want rejected and ErrInvalid", err)
	}
	if n := len(f.Requests(providertest.OpSubmit)); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	c := newClient(t, sensible.Config{})
	type sub = extraction.Submission
	opts := func(name string, value any) map[string]any { return map[string]any{name: value} }
	for name, tt := range map[string]struct {
		s    sub
		want string // a part of the error; empty for none
	}{
		"type":               {sub{Type: "a"}, ""},
		"customer":           {sub{Type: "a", Customer: "acme"}, ""},
		"config":             {sub{Type: "a", ConfigName: "b", Environment: "development"}, ""},
		"portfolio":          {sub{Types: []string{"a", "b"}}, ""},
		"segment":            {sub{Types: []string{"a"}, Options: opts("segment_documents_with", "fingerprints")}, ""},
		"extra data":         {sub{Type: "a", Options: opts("extra_data", map[string]any{"a": 1})}, ""},
		"extra data as text": {sub{Type: "a", Options: opts("extra_data", `{"a":null}`)}, ""},
		"url":                {sub{Type: "a", URL: "https://a/b"}, ""},
		"CSV":                {sub{Type: "a", ContentType: "text/csv; charset=utf-8"}, ""},
		"unknown bytes":      {sub{Type: "a", ContentType: "application/octet-stream"}, ""},

		"video":                {sub{Type: "a", ContentType: "video/mp4"}, "media type"},
		"zip":                  {sub{Type: "a", ContentType: "application/zip"}, "media type"},
		"nothing":              {sub{}, "document type"},
		"both":                 {sub{Type: "a", Types: []string{"b"}}, "either"},
		"empty type":           {sub{Types: []string{"a", ""}}, "empty"},
		"portfolio and config": {sub{Types: []string{"a"}, ConfigName: "b"}, "config_name"},
		"dots":                 {sub{Type: ".."}, "cannot be"},
		"config dots":          {sub{Type: "a", ConfigName: "."}, "cannot be"},
		"segment single":       {sub{Type: "a", Options: opts("segment_documents_with", "llm")}, "portfolio only"},
		"segment number":       {sub{Types: []string{"a"}, Options: opts("segment_documents_with", 1)}, "fingerprints"},
		"extra data list":      {sub{Type: "a", Options: opts("extra_data", []any{1})}, "JSON object"},
		"extra data no json":   {sub{Type: "a", Options: opts("extra_data", "{a:1}")}, "JSON object"},
		"extra data nested":    {sub{Type: "a", Options: opts("extra_data", `{"a":{"b":1}}`)}, "flat"},
		"extra data large":     {sub{Type: "a", Options: opts("extra_data", `{"a":"`+strings.Repeat("x", 16<<10)+`"}`)}, "16 KiB"},
		"extra data channel":   {sub{Type: "a", Options: opts("extra_data", make(chan int))}, "JSON object"},
		"other option":         {sub{Type: "a", Options: opts("parse_text_blocks", true)}, `"parse_text_blocks" is not known`},
		"ftp":                  {sub{Type: "a", URL: "ftp://a/b"}, "http"},
		"no url":               {sub{Type: "a", URL: "://"}, "http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.Check(tt.s)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Check = %v", err)
			case tt.want != "" && (!errors.Is(err, extraction.ErrInvalid) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Check = %v, want ErrInvalid with %q", err, tt.want)
			}
		})
	}
}

// TestNames: a document is not refused for its name.
func TestNames(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	for in, want := range map[string]string{
		"R&amp;D &#38; Söhne.pdf":         "RampD #38 Söhne.pdf",
		"R&D.pdf":                         "R&D.pdf",
		strings.Repeat("ä", 300) + ".pdf": strings.Repeat("ä", 256),
	} {
		_, err := c.Open(t.Context(), extraction.Submission{Type: "a", Name: in})
		if err != nil {
			t.Fatalf("Open(%q): %v", in, err)
		}
		sent := f.Requests(providertest.OpOpen)
		if got := queryValue(t, sent[len(sent)-1].Query, "document_name"); got != want {
			t.Errorf("document_name = %q, want %q", got, want)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sensible.Config{
		"no key":       {},
		"blank key":    {APIKey: " "},
		"scheme alone": {APIKey: "Bearer "},
		"newline":      {APIKey: "abc\ndef"},
		"base":         {APIKey: "abcdef", BaseURL: "api.sensible.so"},
	} {
		if _, err := sensible.New(cfg); err == nil || strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: error %v, want one without the key", name, err)
		}
	}
	f := providertest.NewFake(t, dialect())
	for _, key := range []string{"abcdef", "Bearer abcdef", "bearer  abcdef\n"} {
		c := newClient(t, sensible.Config{APIKey: key, BaseURL: f.URL + "/v0/"})
		if err := c.Probe(t.Context()); err != nil {
			t.Fatalf("Probe: %v", err)
		}
	}
	for _, r := range f.Requests(providertest.OpReady) {
		if got := r.Header.Get("Authorization"); got != "Bearer abcdef" {
			t.Errorf("Authorization = %q", got)
		}
		providertest.CheckRequest(t, r, "probe-request.json")
	}
}
