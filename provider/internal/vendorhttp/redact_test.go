package vendorhttp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const key = "sk_L1ve/7Qz+w&x=Y9"

func TestText(t *testing.T) {
	t.Parallel()
	r := NewRedactor(key, "Token "+key)
	for name, tt := range map[string]struct{ in, want string }{
		"clean":             {"Specified document type does not exist", "Specified document type does not exist"},
		"key":               {"the key " + key + " is bad", "the key [redacted] is bad"},
		"key with scheme":   {"got Token " + key + "!", "got [redacted]!"},
		"key in a query":    {"k=" + url.QueryEscape(key), "k=[redacted]"},
		"key in json":       {`{"k":"sk_L1ve/7Qz+w\u0026x=Y9"`, `{"k":"[redacted]"`},
		"another's token":   {"Bearer abcdefghijklmnop123 is bad", "Bearer [redacted] is bad"},
		"authorization":     {"Authorization: Basic abc", "Authorization: [redacted]"},
		"header list":       {`"authorization": ["Basic abc"]`, `"authorization": ["[redacted]"]`},
		"url":               {"GET https://h.example/p?a=b#c: refused", "GET https://h.example/p?[redacted] refused"},
		"url with user":     {"https://me:pw@h.example/p", "https://h.example/p"},
		"url escaped":       {`"https:\/\/h.example\/p?a=b"`, `"https:\/\/h.example\/p?[redacted]"`},
		"parameter":         {"X-Amz-Signature=abc&a=b", "X-Amz-Signature=[redacted]"},
		"parameter encoded": {"a%3Db%26X-Amz-Signature%3Dabc", "a%3D[redacted]"},
		"upload url":        {`{"upload_url": "anything at`, `{"upload_url": "[redacted] at`},
		"signed xml":        {"<SignatureProvided>abc</SignatureProvided>", "<SignatureProvided>[redacted]</SignatureProvided>"},
		"document":          {"file " + strings.Repeat("JVBE", 64) + " end", "file [redacted] end"},
		"long word":         {strings.Repeat("a", 255), strings.Repeat("a", 255)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := r.Text(tt.in)
			if got != tt.want {
				t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if again := r.Text(got); again != got {
				t.Errorf("a second pass changed %q to %q", got, again)
			}
		})
	}
}

func TestVendor(t *testing.T) {
	t.Parallel()
	r := NewRedactor(key)
	for name, tt := range map[string]struct {
		body string
		cut  bool
		want any
	}{
		"nothing": {" \n", false, nil},
		"text":    {"Unauthorized\n", false, "Unauthorized"},
		"object": {
			`{"message":"bad ` + "sk_L1ve/7Qz+w\\u0026x=Y9" + `","n":1,"file":"JVBERi0=","upload_url":"https://h/p?x=1","l":[true,null]}`, false,
			map[string]any{
				"message": "bad [redacted]", "n": json.Number("1"), "file": Redacted, "upload_url": Redacted,
				"l": []any{true, nil},
			},
		},
		"two values": {`{} {}`, false, "{} {}"},
		"store": {
			`<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message>` +
				`<StringToSign>AWS4</StringToSign><RequestId>r1</RequestId></Error>`, false,
			map[string]any{"code": "SignatureDoesNotMatch", "message": "No.", "request_id": "r1"},
		},
		"store, cut": {
			`<Error><Code>AccessDenied</Code><StringToSignBytes>41 57 53</StringToSignBytes><Message>No`, true,
			map[string]any{"code": "AccessDenied", "message": "", "request_id": ""},
		},
		"page":    {"<html>oops</html>", false, "<html>oops</html>"},
		"cut":     {`{"message":"half of sk_L1ve/7Q`, true, `{"message":"half of `},
		"not cut": {`half of sk_L1`, false, `half of sk_L1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, r.Vendor([]byte(tt.body), tt.cut)); diff != "" {
				t.Errorf("Vendor(%q) (-want +got):\n%s", tt.body, diff)
			}
		})
	}
}

// TestWithURL: the parameters of a signed URL may have any names.
func TestWithURL(t *testing.T) {
	t.Parallel()
	signed := "https://store.example/doc?v=1&h=abc%2Fdef0123456789&e=1783370000"
	r := NewRedactor(key).WithURL(signed)
	for _, said := range []string{
		"v=1&h=abc%2Fdef0123456789&e=1783370000", "bad hash abc%2Fdef0123456789", "bad hash abc/def0123456789", key,
	} {
		if got := r.Text(said); strings.Contains(got, "def0123456789") || strings.Contains(got, key) {
			t.Errorf("Text(%q) = %q", said, got)
		}
	}
	if got := r.Text("version 1 of https://store.example/doc"); got != "version 1 of https://store.example/doc" {
		t.Errorf("a harmless text became %q", got)
	}
}

func TestNumericKeyInJSON(t *testing.T) {
	t.Parallel()
	got := NewRedactor("1234567890").Vendor([]byte(`{"n":1234567890}`), false)
	if diff := cmp.Diff(map[string]any{"n": Redacted}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type plainError struct{ text string }

func (e plainError) Error() string { return e.text }

func TestErr(t *testing.T) {
	t.Parallel()
	r := NewRedactor(key)
	clean := plainError{"connection reset"}
	signed := "https://h.example/p?X-Amz-Signature=abc"
	for name, tt := range map[string]struct {
		err  error
		is   error
		text string
	}{
		"clean":       {fmt.Errorf("dial: %w", clean), clean, "dial: connection reset"},
		"url error":   {&url.Error{Op: "Put", URL: signed, Err: clean}, clean, "connection reset"},
		"wrapped":     {fmt.Errorf("put: %w", &url.Error{Op: "Put", URL: signed, Err: io.ErrUnexpectedEOF}), io.ErrUnexpectedEOF, ""},
		"text":        {fmt.Errorf("parse %q: %w", signed, context.Canceled), context.Canceled, ""},
		"inner":       {errors.Join(clean, plainError{"key " + key}), nil, "connection reset\nkey [redacted]"},
		"deep secret": {hiding{plainError{key}}, nil, "hidden"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := r.Err(tt.err)
			if tt.is != nil && !errors.Is(got, tt.is) {
				t.Errorf("%v is not %v", got, tt.is)
			}
			if tt.text != "" && got.Error() != tt.text {
				t.Errorf("text %q, want %q", got, tt.text)
			}
			for e := got; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), "abc") || strings.Contains(e.Error(), key) {
					t.Errorf("%q shows a secret", e)
				}
			}
		})
	}
	if r.Err(nil) != nil {
		t.Errorf("Err(nil) is an error")
	}
}

// hiding does not show the text of what it wraps.
type hiding struct{ inner error }

func (hiding) Error() string   { return "hidden" }
func (h hiding) Unwrap() error { return h.inner }

func FuzzVendor(f *testing.F) {
	f.Add([]byte(`{"a":"`+key+`"}`), false)
	f.Add([]byte("text "+key), true)
	f.Add([]byte(`<Error><Code>a</Code><Message>`+key+`</Message></Error>`), false)
	f.Add([]byte(`["https://h/p?X-Amz-Signature=`+key+`", 1e9]`), false)
	r := NewRedactor(key)
	f.Fuzz(func(t *testing.T, body []byte, cut bool) {
		b, err := json.Marshal(r.Vendor(body, cut))
		if err != nil {
			t.Fatalf("no JSON value: %v", err)
		}
		if len(b) > maxVendor {
			t.Errorf("%d bytes", len(b))
		}
		var back any
		if json.Unmarshal(b, &back) == nil && strings.Contains(fmt.Sprint(back), key) {
			t.Errorf("%s shows the key", b)
		}
	})
}
