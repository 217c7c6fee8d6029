package providertest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// want is what an HTTP status must mean.
type want struct {
	kind extraction.Kind
	code extraction.Code
	sent bool
}

// statuses are all that matter: every class of the contract, and some that a
// vendor never documented.
var statuses = []int{
	301, 303, 307, 400, 401, 402, 403, 404, 405, 407, 408, 409, 410, 411, 413, 415, 422, 425, 429, 431, 451,
	500, 501, 502, 503, 504, 507, 520, 524, 599,
}

// meaning is the rule for each call and status.
func meaning(c call, status int) want {
	// After the whole body only 501 and 503 say that the submission was not taken.
	sent := c.submits && (status >= 500 && status != 501 && status != 503 || status == 408 || status == 303)
	transient := want{kind: extraction.KindTransient, sent: sent}
	if c.op == OpUpload {
		switch status {
		case 401, 403, 404, 410:
			return want{kind: extraction.KindUploadGone}
		case 413:
			return want{kind: extraction.KindRejected, code: extraction.CodeDocumentTooLarge}
		case 415:
			return want{kind: extraction.KindRejected, code: extraction.CodeUnsupportedDocument}
		}
		return transient
	}
	switch {
	case status == 403 && c.op == OpReady:
		return want{kind: extraction.KindForbidden}
	case status == 401, status == 403:
		return want{kind: extraction.KindUnauthorized}
	case status == 402:
		return want{kind: extraction.KindQuota}
	case status == 429:
		return want{kind: extraction.KindRateLimited}
	case (status == 404 || status == 410) && c.op == OpPoll:
		return want{kind: extraction.KindNotFound}
	case status == 413 && !c.reading:
		return want{kind: extraction.KindRejected, code: extraction.CodeDocumentTooLarge}
	case status == 415 && !c.reading:
		return want{kind: extraction.KindRejected, code: extraction.CodeUnsupportedDocument}
	case status >= 400 && status < 500 && status != 407 && status != 408 && status != 425 && !c.reading:
		return want{kind: extraction.KindRejected, code: extraction.CodeVendorRejected}
	}
	return transient
}

// testStatuses answers every call with every status.
func testStatuses(t *testing.T, h Harness) {
	for _, c := range h.calls(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			for _, status := range statuses {
				f.On(c.op, Status(status, `{"code":"some_code","message":"some message"}`))
				e := asError(t, c.do(t.Context(), p, f), c.errorOp)
				w := meaning(c, status)
				if e.Kind == extraction.KindRejected && e.Code == "" {
					e.Code = extraction.CodeVendorRejected
				}
				if e.Kind != w.kind || e.Code != w.code || e.Sent != w.sent || e.Status != status {
					t.Errorf("%d: %s %q, sent %t, status %d; want %s %q, sent %t",
						status, e.Kind, e.Code, e.Sent, e.Status, w.kind, w.code, w.sent)
				}
				if e.RetryAfter != 0 {
					t.Errorf("%d: RetryAfter = %s, want none", status, e.RetryAfter)
				}
				if said, ok := e.Vendor.(map[string]any); !ok || said["message"] != "some message" {
					t.Errorf("%d: Vendor = %#v, want what the vendor said", status, e.Vendor)
				}
			}
			if n := len(f.Requests(c.op)); n != len(statuses) {
				t.Errorf("%d requests for %d calls: a provider must not retry", n, len(statuses))
			}
		})
	}
}

// testPlan tells a rate from a plan, and a proxy's page from the vendor's verdict.
func testPlan(t *testing.T, h Harness) {
	for _, c := range h.calls(t) {
		if c.op == OpUpload {
			continue // That host knows no plan.
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			tooLarge := extraction.KindRejected
			if c.reading {
				tooLarge = extraction.KindTransient
			}
			for _, tt := range []struct {
				status int
				body   string
				want   extraction.Kind
			}{
				{429, `{"message":"Too Many Requests"}`, extraction.KindRateLimited},
				{429, `{"message":"slow down, planet"}`, extraction.KindRateLimited},
				{429, `{"message":"Your plan's limit is reached"}`, extraction.KindQuota},
				{429, `{"error":"Monthly quota exceeded"}`, extraction.KindQuota},
				{429, "limit of 500 documents per month", extraction.KindQuota},
				{413, `{"message":"too large"}`, tooLarge},
				{413, "<html><h1>413 Request Entity Too Large</h1></html>", extraction.KindTransient},
			} {
				f.On(c.op, Status(tt.status, tt.body))
				if e := asError(t, c.do(t.Context(), p, f), c.errorOp); e.Kind != tt.want || e.Sent {
					t.Errorf("%d %s: %s, sent %t, want %s", tt.status, tt.body, e.Kind, e.Sent, tt.want)
				}
			}
		})
	}
}

// testRetryAfter reads Retry-After in both its forms.
func testRetryAfter(t *testing.T, h Harness) {
	date := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for _, c := range h.calls(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			for _, tt := range []struct {
				name, header string
				min, max     time.Duration
			}{
				{"seconds", "7", 7 * time.Second, 7 * time.Second},
				{"date", date(90 * time.Second), 60 * time.Second, 91 * time.Second},
				{"zero", "0", time.Nanosecond, time.Minute},
				{"past date", date(-time.Hour), time.Nanosecond, time.Minute},
				{"not readable", "soon", time.Nanosecond, time.Minute},
			} {
				for _, status := range []int{429, 503} {
					f.On(c.op, Status(status, "slow down", "Retry-After", tt.header))
					e := asError(t, c.do(t.Context(), p, f), c.errorOp)
					kind := extraction.KindTransient
					if status == 429 && c.op != OpUpload {
						kind = extraction.KindRateLimited
					}
					if e.Kind != kind || e.RetryAfter < tt.min || e.RetryAfter > tt.max || e.Sent {
						t.Errorf("%d with %s: %s after %s, sent %t; want %s after %s to %s",
							status, tt.name, e.Kind, e.RetryAfter, e.Sent, kind, tt.min, tt.max)
					}
				}
			}
		})
	}
}

// testNonsense gives answers that say 200 and cannot be used.
func testNonsense(t *testing.T, h Harness) {
	bodies := map[string]string{
		"empty":       "",
		"null":        "null",
		"text":        "OK",
		"html":        "<html><body>Please log in</body></html>",
		"empty json":  "{}",
		"other json":  `{"message":"welcome"}`,
		"number":      "42",
		"cut json":    `{"id":"14d82783","status":"COMPL`,
		"two values":  `{} {}`,
		"wrong types": `{"id":{},"status":[],"extraction_id":null,"extractions":"x","extraction_ids":{}}`,
	}
	for _, c := range h.calls(t) {
		if c.op == OpUpload {
			continue // the store says nothing on success
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			check := func(name string, e *extraction.Error) {
				if e.Kind != extraction.KindTransient || e.Sent != c.submits {
					t.Errorf("%s: %s, sent %t; want transient, sent %t", name, e.Kind, e.Sent, c.submits)
				}
			}
			for name, body := range bodies {
				f.On(c.op, Status(http.StatusOK, body))
				check(name, asError(t, c.do(t.Context(), p, f), c.errorOp))
			}
			good := map[Op]Reply{
				OpSubmit: h.Dialect.Submitted(VendorID), OpPoll: h.Dialect.Done(VendorID), OpReady: h.Dialect.Ready("a", "b"),
			}
			if h.Dialect.Opened != nil {
				good[OpOpen] = h.Dialect.Opened(VendorID, f.SignedURL(VendorID))
			}
			f.On(c.op, Truncate(good[c.op]))
			check("truncated", asError(t, c.do(t.Context(), p, f), c.errorOp))
		})
	}
}

// testBounds gives errors whose bodies are far too long.
func testBounds(t *testing.T, h Harness) {
	long := strings.Repeat("many words make a long text; ", 40_000)
	for name, body := range map[string]string{
		"text":    long,
		"json":    fmt.Sprintf(`{"message":%q}`, long),
		"medium":  fmt.Sprintf(`{"message":%q}`, long[:40_000]),
		"escapes": strings.Repeat("\x01\"<", 20_000),
		"binary":  strings.Repeat("\xff\xfe\x00", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			for _, c := range h.calls(t) {
				f.On(c.op, Status(http.StatusBadRequest, body))
				e := asError(t, c.do(t.Context(), p, f), c.errorOp)
				if n := len(encode(t, e.Vendor)); n > 16<<10 || n < 1000 {
					t.Errorf("%s: Vendor has %d bytes, want at most 16 KiB of what was said", c.name, n)
				}
				if len(e.Error()) > 1000 {
					t.Errorf("%s: the error's text has %d bytes", c.name, len(e.Error()))
				}
			}
		})
	}
}
