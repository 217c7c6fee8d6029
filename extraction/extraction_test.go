package extraction

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The shape that users see of an extraction just accepted: every member is
// there, and each is null, {} or "" as promised.
func TestQueuedJSON(t *testing.T) {
	t.Parallel()
	size := int64(429087)
	e := Extraction{
		ID: "01JD0000000000000000000000", Account: "acme-sensible", Provider: "sensible", Type: "tax_forms",
		Priority: PriorityNormal, Metadata: map[string]string{}, Options: map[string]any{},
		Document:  Document{Name: "1040.pdf", ContentType: "application/pdf", Bytes: &size, SHA256: "ab"},
		Status:    StatusQueued,
		Next:      &Next{Step: StepSubmit, At: FromMillis(1_767_225_600_001), Because: BecauseScheduled},
		CreatedAt: FromMillis(1_767_225_600_000),
		Result:    &Result{},
	}
	want := `{
  "id": "01JD0000000000000000000000",
  "account": "acme-sensible",
  "provider": "sensible",
  "type": "tax_forms",
  "types": null,
  "config_name": null,
  "environment": null,
  "customer": null,
  "batch": null,
  "priority": "normal",
  "metadata": {},
  "options": {},
  "document": {
    "name": "1040.pdf",
    "content_type": "application/pdf",
    "bytes": 429087,
    "sha256": "ab",
    "url": null
  },
  "status": "QUEUED",
  "vendor": {
    "id": null,
    "status": null
  },
  "polls": 0,
  "attempts": 0,
  "next": {
    "step": "submit",
    "at": "2026-01-01T00:00:00.001Z",
    "because": "scheduled"
  },
  "last_error": null,
  "created_at": "2026-01-01T00:00:00.000Z",
  "submitted_at": null,
  "finished_at": null,
  "expires_at": null,
  "retry_of": null,
  "retried_by": null,
  "callback": null,
  "error": null,
  "result": {}
}`
	if diff := cmp.Diff(want, encode(t, e)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	e.Result = nil // As in lists.
	if got := encode(t, e); strings.Contains(got, `"result"`) {
		t.Errorf("a list's extraction has a result: %s", got)
	}
}

func TestFailureJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		f    *Failure
		want string
	}{
		{NewFailure(CodeVendorFailed, "m", nil), `{"code":"vendor_failed","message":"m","retryable":true,"details":{}}`},
		{NewFailure(CodeVendorRejected, "m", map[string]any{"a": 1}), `{"code":"vendor_rejected","message":"m","retryable":false,"details":{"vendor":{"a":1}}}`},
	} {
		got, err := json.Marshal(tt.f)
		if err != nil || string(got) != tt.want {
			t.Errorf("got %s, %v, want %s", got, err, tt.want)
		}
	}
}

func TestResultJSON(t *testing.T) {
	t.Parallel()
	half, page := 0.5, 1
	full := NewResult(json.RawMessage(`{"a":1}`))
	full.Fields["none"] = []Value{}
	full.Fields["total"] = []Value{{
		Value: json.Number("12.50"), Type: TypeNumber, Text: "$12.50", Unit: "$", Confidence: &half, Page: &page,
		Box: &Box{X: 1, Y: 2, Width: 3, Height: 4}, Alternatives: []Value{},
	}}
	full.Warnings = []Warning{{Code: "c", Message: "m"}}
	for name, tt := range map[string]struct {
		r    *Result
		want string
	}{
		"not found yet":       {&Result{}, `{}`},
		"found nothing":       {NewResult(nil), `{"fields":{},"tables":{},"documents":[],"warnings":[],"raw":null}`},
		"only the raw answer": {NewResult(json.RawMessage(`[]`)), `{"fields":{},"tables":{},"documents":[],"warnings":[],"raw":[]}`},
		"full": {full, `{"fields":{"none":[],"total":[{"value":12.50,"type":"number","text":"$12.50","unit":"$","confidence":0.5,` +
			`"page":1,"box":{"x":1,"y":2,"width":3,"height":4},"alternatives":[]}]},"tables":{},"documents":[],` +
			`"warnings":[{"field":null,"code":"c","message":"m"}],"raw":{"a":1}}`},
	} {
		got, err := json.Marshal(tt.r)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, tt.want)
		}
		var back Result
		if err := json.Unmarshal(got, &back); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		again, err := json.Marshal(back)
		if err != nil || string(again) != strings.Replace(tt.want, "12.50", "12.5", 1) {
			t.Errorf("%s: read back as %s, %v", name, again, err)
		}
	}
}

func TestNull(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		want := Null(rapid.String().Draw(rt, "text"))
		b, err := json.Marshal(want)
		if err != nil {
			rt.Fatal(err)
		}
		if (string(b) == "null") != (want == "") {
			rt.Fatalf("%q is %s", want, b)
		}
		got := Null("before")
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			rt.Fatalf("%q came back as %q, %v", want, got, err)
		}
	})
	var n Null
	for _, bad := range []string{`1`, `{}`, `[]`, `true`} {
		if err := json.Unmarshal([]byte(bad), &n); err == nil {
			t.Errorf("%s was taken for a string", bad)
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ms := rapid.Int64Range(0, 4_102_444_800_000).Draw(rt, "ms") // To the year 2100.
		want := FromMillis(ms)
		if want.Millis() != ms || want.IsZero() != (ms == 0) {
			rt.Fatalf("FromMillis(%d) = %v, and back %d", ms, want, want.Millis())
		}
		b, err := json.Marshal(want)
		if err != nil {
			rt.Fatal(err)
		}
		var got Time
		if err := json.Unmarshal(b, &got); err != nil || got.Millis() != ms {
			rt.Fatalf("%s came back as %v, %v", b, got, err)
		}
		// Whatever the zone and the resolution, UTC milliseconds are written.
		odd := Time{time.UnixMilli(ms).Add(999 * time.Microsecond).In(time.FixedZone("", 5*3600+1800))}
		if ms == 0 {
			return
		}
		if c, err := json.Marshal(odd); err != nil || string(c) != string(b) {
			rt.Fatalf("%v is written as %s, %v, want %s", odd, c, err, b)
		}
	})
	var at Time
	if err := json.Unmarshal([]byte(`"2026-01-02T03:04:05+01:00"`), &at); err != nil || at.UTC().Hour() != 2 || at.Location() != time.UTC {
		t.Errorf("read %v, %v, want it in UTC", at, err)
	}
	for _, bad := range []string{`""`, `"yesterday"`, `5`, `{}`} {
		if err := json.Unmarshal([]byte(bad), &at); err == nil {
			t.Errorf("%s was taken for a time", bad)
		}
	}
	at = FromMillis(5)
	if err := json.Unmarshal([]byte(`null`), &at); err != nil || !at.IsZero() {
		t.Errorf("null read as %v, %v", at, err)
	}
}

const someID = "01JD8Z3V5K7M9N0P2Q4R6S8T0W"

func TestTokenName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"1040.pdf":               "1040~" + someID + ".pdf",
		"":                       "~" + someID,
		"noext":                  "noext~" + someID,
		".pdf":                   "~" + someID + ".pdf",
		"a.tar.gz":               "a.tar~" + someID + ".gz",
		"backup.pdf~":            "backup.pdf~~" + someID,
		"a~b.pdf":                "a~b~" + someID + ".pdf",
		"x." + long("e", 16):     "x." + long("e", 16) + "~" + someID,
		long("n", 300) + ".pdf":  long("n", 200-4-27) + "~" + someID + ".pdf",
		"old~" + someID + ".pdf": "old~" + someID + "~" + someID + ".pdf",
		long("ä", 100) + "é.pdf": long("ä", 84) + "~" + someID + ".pdf",
		"a.pdf~" + long("Z", 26): "a.pdf~" + long("Z", 26) + "~" + someID,
		"dots...":                "dots..~" + someID + ".",
		"x.p~" + long("A", 10):   "x.p~" + long("A", 10) + "~" + someID,
		"with space and.ünicode": "with space and~" + someID + ".ünicode",
		"trailing newline.pdf\n": "trailing newline~" + someID + ".pdf\n",
	} {
		if got := TokenName(name, someID); got != want {
			t.Errorf("TokenName(%q) = %q, want %q", name, got, want)
		}
	}
}

func long(s string, n int) string { return strings.Repeat(s, n) }

// Whatever a document is called, its name at the vendor holds the id, fits, and
// keeps the extension.
func TestTokenNameFindsID(t *testing.T) {
	t.Parallel()
	names := rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[a-zA-Z0-9~. _-]{0,40}`),
		rapid.StringMatching(`[a-z~.]{0,8}\.(pdf|PDF~|~pdf|p~f|docx|)`),
		rapid.StringN(0, 300, -1),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
	)
	ids := rapid.StringMatching(`[0-9A-HJKMNP-TV-Z]{26}`)
	rapid.Check(t, func(rt *rapid.T) {
		name, id := names.Draw(rt, "name"), ids.Draw(rt, "id")
		got := TokenName(name, id)
		if TokenID(got) != id {
			rt.Fatalf("TokenID(%q) = %q, want %s", got, TokenID(got), id)
		}
		if len(got) > maxVendorName {
			rt.Fatalf("%q has %d bytes, want at most %d", got, len(got), maxVendorName)
		}
		if utf8.ValidString(name) && !utf8.ValidString(got) {
			rt.Fatalf("%q became %q", name, got)
		}
	})
}

func TestTokenID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                                 "",
		"1040.pdf":                         "",
		"~":                                "",
		"a~b.pdf":                          "",
		"a~" + someID:                      someID,
		"a~" + someID[:25]:                 "",
		"a~" + strings.ToLower(someID):     "",
		"a~" + someID[:25] + "-":           "",
		"a~" + someID + " (1).pdf":         someID,
		"prefix/a~" + someID + ".pdf.json": someID,
	} {
		if got := TokenID(name); got != want {
			t.Errorf("TokenID(%q) = %q, want %q", name, got, want)
		}
	}
}

// constants are the values of all constants of one string type of this package.
func constants(t *testing.T, typeName string) []string {
	t.Helper()
	fset := token.NewFileSet()
	var out []string
	for _, file := range []string{"status.go", "errors.go", "extraction.go"} {
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typeName {
				for _, v := range spec.Values {
					if lit, ok := v.(*ast.BasicLit); ok {
						text, _ := strconv.Unquote(lit.Value)
						out = append(out, text)
					}
				}
			}
			return true
		})
	}
	return out
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	want := map[string]bool{
		"QUEUED": false, "SUBMITTING": false, "IN_PROGRESS": false,
		"SUCCESS": true, "ERROR": true, "EXPIRED": true, "CANCELED": true,
	}
	got := map[string]bool{}
	for _, s := range constants(t, "Status") {
		got[s] = Status(s).Final()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses and whether they are final (-want +got):\n%s", diff)
	}
	for _, s := range []Status{"", "success", "NEW"} {
		if s.Final() {
			t.Errorf("%q is final", s)
		}
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	want := map[string]bool{
		"vendor_rejected": false, "unsupported_document": false, "document_too_large": false, "result_too_large": false,
		"vendor_failed": true, "vendor_quota": true, "unauthorized": true, "document_unavailable": true,
		"deadline_exceeded": true, "submit_uncertain": true, "expired": true, "canceled": true, "internal": true,
		"rate_limited": true, "result_unavailable": true, "store_unavailable": true, "no_worker": true,
	}
	got := map[string]bool{}
	for _, c := range constants(t, "Code") {
		got[c] = Code(c).Retryable()
		if f := NewFailure(Code(c), "m", nil); f.Retryable != want[c] {
			t.Errorf("a failure with %s is retryable: %v", c, f.Retryable)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("codes and whether they are retryable (-want +got):\n%s", diff)
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	cause := errors.New("502 Bad Gateway")
	e := &Error{Op: "poll", Kind: KindRejected, Err: cause}
	if e.Error() != "poll: rejected: 502 Bad Gateway" || !errors.Is(e, cause) {
		t.Errorf("got %q", e.Error())
	}
	for _, kind := range constants(t, "Kind") {
		if got := KindOf(fmt.Errorf("around: %w", &Error{Kind: Kind(kind)})); got != Kind(kind) {
			t.Errorf("KindOf a wrapped %s = %s", kind, got)
		}
	}
	if KindOf(cause) != KindTransient {
		t.Errorf("KindOf a foreign error = %s", KindOf(cause))
	}
}

// A member without a name in the contract would be an undocumented promise.
func TestMembersAreNamed(t *testing.T) {
	t.Parallel()
	for _, v := range []any{Extraction{}, Document{}, Vendor{}, Next{}, Trouble{}, Callback{}, Failure{}, Result{}, Value{}, Box{}, SubDocument{}, Warning{}} {
		for field := range reflect.TypeOf(v).Fields() {
			if tag := field.Tag.Get("json"); tag == "" || tag != strings.ToLower(tag) {
				t.Errorf("%T.%s has the JSON name %q", v, field.Name, tag)
			}
		}
	}
}

// A vendor's body that is not UTF-8 does not make a result file that no JSON
// reader takes.
func TestResultIsUTF8(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(NewResult(json.RawMessage("{\"a\":\"caf\xe9\"}")))
	if err != nil || !utf8.Valid(body) {
		t.Errorf("Marshal = %q, %v, want UTF-8", body, err)
	}
}

func TestValidAccount(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a": true, "acme-sensible-2": true, "1": true, "-": true,
		"1234567890123456789012345678901234567890":  true,
		"12345678901234567890123456789012345678901": false,
		"":        false,
		"deliver": false, "system": false, "Acme": false, "a.b": false, "a b": false, "a{b": false, "ä": false, "a:b": false,
	} {
		if got := ValidAccount(name); got != want {
			t.Errorf("ValidAccount(%q) = %v, want %v", name, got, want)
		}
	}
}
