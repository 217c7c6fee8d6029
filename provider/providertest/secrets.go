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
func needles() []string {
	quoted, _ := json.Marshal(Key)
	token, _ := url.QueryUnescape(SignedToken)
	credential, _ := url.QueryUnescape(SignedCredential)
	return []string{
		Key, url.QueryEscape(Key), url.PathEscape(Key), strings.Trim(string(quoted), `"`), html.EscapeString(Key),
		SignedSecret, SignedToken, token, SignedCredential, credential,
	}
}

// echoes are the ways in which a vendor may repeat what it was sent.
var echoes = map[string]func(x *Exchange, signed string) string{
	"headers as text": func(x *Exchange, _ string) string {
		var b strings.Builder
		_ = x.R.Header.Write(&b)
		return b.String()
	},
	"headers as map": func(x *Exchange, _ string) string { return fmt.Sprint(x.R.Header) },
	"headers as json": func(x *Exchange, _ string) string {
		return quote(map[string]any{"headers": x.R.Header, "message": "bad request"})
	},
	"cut json": func(x *Exchange, signed string) string {
		return strings.TrimSuffix(quote(map[string]any{"a": 1, "request": x.R.Header, "url": signed}), "}")
	},
	"key alone": func(*Exchange, string) string { return Key },
	"key in prose": func(*Exchange, string) string {
		return "The key " + Key + " is not valid. Send Authorization: Token " + Key + " or Bearer " + Key
	},
	"key as html": func(*Exchange, string) string {
		return "<html><body><p>key=" + html.EscapeString(Key) + "</p></body></html>"
	},
	"key in a url": func(*Exchange, string) string {
		return "see https://" + url.QueryEscape(Key) + "@example.com/?key=" + url.QueryEscape(Key) + "&a=b"
	},
	"key in a path": func(*Exchange, string) string {
		return "no route /v0/" + url.PathEscape(Key) + "/documents"
	},
	"signed url": func(_ *Exchange, signed string) string { return "cannot write " + signed },
	"signed json": func(x *Exchange, signed string) string {
		return quote(map[string]any{
			"upload_url": signed, "download_url": signed, "nested": []any{signed, x.R.URL.String()},
		})
	},
	"signed escaped": func(_ *Exchange, signed string) string { return quote("cannot write " + signed) },
	"signed encoded": func(_ *Exchange, signed string) string { return "cannot write " + url.QueryEscape(signed) },
	"query alone":    func(_ *Exchange, signed string) string { return "canonical query: " + query(signed) },
	"store": func(_ *Exchange, signed string) string {
		return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SignatureDoesNotMatch</Code>` +
			`<Message>The request signature we calculated does not match. ` + html.EscapeString(signed) + `</Message>` +
			`<AWSAccessKeyId>` + SignedCredential + `</AWSAccessKeyId>` +
			`<StringToSign>PUT ` + html.EscapeString(query(signed)) + `</StringToSign>` +
			`<SignatureProvided>` + SignedSecret + `</SignatureProvided></Error>`
	},
	"cut store": func(_ *Exchange, signed string) string {
		return `<Error><Code>AccessDenied</Code><CanonicalRequest>PUT / ` + html.EscapeString(query(signed))
	},
	"where it is cut": func(_ *Exchange, signed string) string {
		return strings.Repeat(" .", 12<<10-5) + Key + signed
	},
	"where reading ends": func(*Exchange, string) string { return strings.Repeat("x ", 32<<10-5) + Key },
}

func quote(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// query is the secret half of a signed URL.
func query(signed string) string {
	_, q, _ := strings.Cut(signed, "?")
	return q
}

// testSecrets has the vendor repeat everything secret in every form.
func testSecrets(t *testing.T, h Harness) {
	for _, c := range h.calls(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			signed := f.SignedURL(VendorID)
			for name, echo := range echoes {
				for _, status := range []int{200, 400, 500} {
					if status == 200 && c.op == OpUpload {
						continue
					}
					f.On(c.op, Do(func(x *Exchange) {
						x.Read()
						x.Reply(Reply{Status: status, Body: echo(x, signed)})
					}))
					err := c.do(t.Context(), p, f)
					if err == nil {
						t.Errorf("%d with %s: no error", status, name)
						continue
					}
					NoSecret(t, fmt.Sprint(status, " with ", name), err, needles()...)
				}
			}
			// Errors that the HTTP client makes itself, of what it was sent.
			for _, location := range []string{signed + "%zz", "ftp://" + Key + "/", ":" + signed, "http://127.0.0.1:1/" + url.PathEscape(Key) + "?" + signed} {
				f.On(c.op, Redirect(http.StatusFound, location))
				if err := c.do(t.Context(), p, f); err != nil {
					NoSecret(t, "redirect", err, needles()...)
				}
			}
			f.On(c.op, DropAfter())
			NoSecret(t, "drop", c.do(t.Context(), p, f), needles()...)
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
			for _, needle := range needles() {
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
		texts = append(texts, err.Error(), fmt.Sprintf("%+v", err))
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
