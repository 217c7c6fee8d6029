package providertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// needles are what no error may show, in every spelling.
func needles(key string) []string {
	quoted, _ := json.Marshal(key)
	token, _ := url.QueryUnescape(SignedToken)
	credential, _ := url.QueryUnescape(SignedCredential)
	return []string{
		key, url.QueryEscape(key), url.PathEscape(key), strings.Trim(string(quoted), `"`), html.EscapeString(key),
		SignedSecret, SignedToken, token, SignedCredential, credential,
	}
}

// echoes are the ways in which a vendor may repeat what it was sent.
func echoes(x *Exchange, signed string) map[string]string {
	var headers strings.Builder
	_ = x.R.Header.Write(&headers)
	address := x.R.URL.String()
	quote := func(v any) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	parts, _ := url.Parse(signed)
	return map[string]string{
		"headers as text": headers.String(),
		"headers as map":  fmt.Sprint(x.R.Header),
		"headers as json": quote(map[string]any{"headers": x.R.Header, "message": "bad request"}),
		"cut json":        strings.TrimSuffix(quote(map[string]any{"a": 1, "request": x.R.Header, "url": signed}), "}"),
		"key alone":       Key,
		"key in prose":    "The key " + Key + " is not valid. Send Authorization: Token " + Key + " or Bearer " + Key,
		"key as html":     "<html><body><p>key=" + html.EscapeString(Key) + "</p></body></html>",
		"key in a url":    "see https://" + url.QueryEscape(Key) + "@example.com/?key=" + url.QueryEscape(Key) + "&a=b",
		"key in a path":   "no route /v0/" + url.PathEscape(Key) + "/documents",
		"signed url":      "cannot write " + signed,
		"signed json":     quote(map[string]any{"upload_url": signed, "download_url": signed, "nested": []any{signed, address}}),
		"signed escaped":  quote("cannot write " + signed),
		"signed encoded":  "cannot write " + url.QueryEscape(signed),
		"query alone":     "canonical query: " + parts.RawQuery,
		"store": `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SignatureDoesNotMatch</Code>` +
			`<Message>The request signature we calculated does not match. ` + html.EscapeString(signed) + `</Message>` +
			`<AWSAccessKeyId>` + SignedCredential + `</AWSAccessKeyId><StringToSign>PUT ` + html.EscapeString(parts.RawQuery) +
			`</StringToSign><SignatureProvided>` + SignedSecret + `</SignatureProvided></Error>`,
		"cut store": `<Error><Code>AccessDenied</Code><CanonicalRequest>PUT / ` + html.EscapeString(parts.RawQuery),
		"far away":  strings.Repeat(" ", 16<<10-20) + Key + signed,
		"cut key":   strings.Repeat("x ", 32<<10-5) + Key,
	}
}

// testSecrets has the vendor repeat everything secret in every form.
func testSecrets(t *testing.T, h Harness) {
	for _, c := range h.calls(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			signed := f.SignedURL(VendorID)
			blank := &Exchange{R: &http.Request{Header: http.Header{}, URL: &url.URL{}}}
			for name := range echoes(blank, signed) {
				for _, status := range []int{200, 400, 401, 429, 500} {
					if status == 200 && c.op == OpUpload {
						continue
					}
					f.On(c.op, Do(func(x *Exchange) {
						x.Read()
						x.Reply(Reply{Status: status, Body: echoes(x, signed)[name]})
					}))
					err := c.do(t.Context(), p, f)
					if err == nil {
						t.Errorf("%d with %s: no error", status, name)
						continue
					}
					NoSecret(t, fmt.Sprint(status, " with ", name), err, needles(Key)...)
				}
			}
			// Errors that the HTTP client makes itself, of what it was sent.
			for _, location := range []string{signed + "%zz", "ftp://" + Key + "/", ":" + signed, "http://127.0.0.1:1/" + url.PathEscape(Key) + "?" + signed} {
				f.On(c.op, Redirect(http.StatusFound, location))
				if err := c.do(t.Context(), p, f); err != nil {
					NoSecret(t, "redirect", err, needles(Key)...)
				}
			}
			f.On(c.op, DropAfter())
			NoSecret(t, "drop", c.do(t.Context(), p, f), needles(Key)...)
		})
	}
	t.Run("failure", func(t *testing.T) {
		t.Parallel()
		f, p := h.start(t)
		for _, reason := range []string{Key, "Authorization: Bearer " + Key, f.SignedURL(VendorID)} {
			f.On(OpPoll, Fail("cannot read: "+reason))
			out, err := p.Poll(t.Context(), VendorID)
			if err != nil {
				t.Fatalf("Poll: %v", err)
			}
			text := out.Failure.Message + encode(t, out.Failure.Details)
			for _, needle := range needles(Key) {
				if contains(text, needle) {
					t.Errorf("the failure shows %q: %s", needle, text)
				}
			}
			if !contains(text, "cannot read") {
				t.Errorf("the failure lost the reason: %s", text)
			}
		}
	})
}

// NoSecret fails the test if an error, anything it wraps, or what it carries of
// the vendor's words shows one of the secrets.
func NoSecret(t testing.TB, when string, err error, secrets ...string) {
	t.Helper()
	var texts []string
	var walk func(error)
	walk = func(err error) {
		if err == nil {
			return
		}
		texts = append(texts, err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err))
		if e, ok := err.(*extraction.Error); ok { //nolint:errorlint // the walk visits each layer
			texts = append(texts, fmt.Sprintf("%#v", e.Vendor), encode(t, e.Vendor))
		}
		switch u := err.(type) { //nolint:errorlint // the walk visits each layer
		case interface{ Unwrap() []error }:
			for _, e := range u.Unwrap() {
				walk(e)
			}
		default:
			walk(errors.Unwrap(err))
		}
	}
	walk(err)
	for _, text := range texts {
		for _, secret := range secrets {
			if secret != "" && contains(text, secret) {
				t.Errorf("%s: the error shows %q:\n%.600s", when, secret, text)
				return
			}
		}
	}
}

// encode is the JSON of what an error carries.
func encode(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("what the vendor said is no JSON value: %v", err)
	}
	return string(b)
}
