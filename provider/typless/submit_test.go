package typless_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/providertest"
	"github.com/extractq/extractq/provider/typless"
)

func asError(t *testing.T, err error) *extraction.Error {
	t.Helper()
	e, ok := errors.AsType[*extraction.Error](err)
	if !ok {
		t.Fatalf("%T %v, want an *extraction.Error", err, err)
	}
	return e
}

// start returns a fake Typless and a client for it.
func start(t *testing.T) (*providertest.Fake, *typless.Client) {
	t.Helper()
	f := providertest.NewFake(t, dialect())
	return f, newClient(t, typless.Config{BaseURL: f.URL + "/api"})
}

// pdf is a document whose base64 has +, / and padding.
const pdf = "%PDF-1.4\n\xfb\xff"

func body(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	for fixture, s := range map[string]extraction.Submission{
		"submit-request.json": {Name: "invoice.pdf", Type: "line-item-invoice"},
		"submit_options-request.json": {
			Name: `Račun "7" & <co>~01JD.pdf`, Type: "r/ačun", Customer: "acme & co",
			Options: map[string]any{"parse_text_blocks": "true"},
			Webhook: &extraction.Webhook{URL: "https://hooks.example.com/x"},
		},
	} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			f, c := start(t)
			f.On(providertest.OpSubmit, providertest.Answer(providertest.FixtureReply(t, 202, "submit.json")))
			s.Bytes, s.Body = int64(len(pdf)), body(pdf)
			got, err := c.Submit(t.Context(), s)
			if err != nil || got.VendorID != "0d14338251a6db69bfec36face27f7edcab7322" {
				t.Fatalf("Submit = %+v, %v", got, err)
			}
			providertest.CheckRequest(t, f.Requests(providertest.OpSubmit)[0], fixture)
		})
	}
}

// TestSubmitSuccess: the vendor says 202 today.
func TestSubmitSuccess(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	s := extraction.Submission{Type: "a", Bytes: int64(len(pdf)), Body: body(pdf)}
	for _, status := range []int{200, 201, 202} {
		f.On(providertest.OpSubmit, providertest.Answer(providertest.FixtureReply(t, status, "submit.json")))
		if _, err := c.Submit(t.Context(), s); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
	if got := string(f.Requests(providertest.OpSubmit)[0].Body); !strings.Contains(got, `"file_name":"document"`) {
		t.Errorf("without a name the vendor was sent %s", got)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	c := newClient(t, typless.Config{})
	type sub = extraction.Submission
	opts := func(name string, value any) map[string]any { return map[string]any{name: value} }
	for name, tt := range map[string]struct {
		s    sub
		want string // a part of the error; empty for none
	}{
		"type":      {sub{Type: "a"}, ""},
		"customer":  {sub{Type: "a", Customer: "acme"}, ""},
		"large":     {sub{Type: "a", Bytes: 1 << 30}, ""},
		"by url":    {sub{Type: "a", URL: "https://a/b"}, ""}, // the worker downloads it
		"blocks":    {sub{Type: "a", Options: opts("parse_text_blocks", true)}, ""},
		"no blocks": {sub{Type: "a", Options: opts("parse_text_blocks", "false")}, ""},

		"nothing":      {sub{}, "document type"},
		"portfolio":    {sub{Types: []string{"a"}}, "portfolios"},
		"config":       {sub{Type: "a", ConfigName: "b"}, "config_name"},
		"environment":  {sub{Type: "a", Environment: "development"}, "environment"},
		"other option": {sub{Type: "a", Options: opts("extra_data", "{}")}, `"extra_data" is not known`},
		"odd blocks":   {sub{Type: "a", Options: opts("parse_text_blocks", 1)}, "true or false"},
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
	if w := c.Traits().WarnBytes; w != 30_000_000 {
		t.Errorf("WarnBytes = %d", w)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]typless.Config{
		"no key":       {},
		"scheme alone": {APIKey: "Token "},
		"newline":      {APIKey: "abc\ndef"},
		"base":         {APIKey: "abcdef", BaseURL: "ftp://developers.typless.com"},
	} {
		if _, err := typless.New(cfg); err == nil || strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: error %v, want one without the key", name, err)
		}
	}
	f := providertest.NewFake(t, dialect())
	for _, key := range []string{"abcdef", "Token abcdef", "token  abcdef\n"} {
		c := newClient(t, typless.Config{APIKey: key, BaseURL: f.URL + "/api/"})
		if err := c.Probe(t.Context()); err != nil {
			t.Fatalf("Probe: %v", err)
		}
	}
	for _, r := range f.Requests(providertest.OpReady) {
		if got := r.Header.Get("Authorization"); got != "Token abcdef" {
			t.Errorf("Authorization = %q", got)
		}
	}
}
