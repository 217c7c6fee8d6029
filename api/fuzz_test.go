package api

import (
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// Whatever a form is, it is refused or its fields are within their limit.
func FuzzMultipart(f *testing.F) {
	f.Add("--b\r\nContent-Disposition: form-data; name=\"document\"; filename=\"a.pdf\"\r\n\r\n%PDF-1.7\r\n--b\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nt\r\n--b--\r\n")
	f.Add("--b--")
	f.Add("--b\n\n\n--b--")
	f.Add("--b\r\nContent-Disposition: form-data; name*=utf-8''%64ocument\r\n\r\n\r\n--b--\r\n")
	f.Fuzz(func(t *testing.T, body string) {
		fields, doc, _, _, err := readMultipart(multipart.NewReader(strings.NewReader(body), "b"), 1<<10)
		defer doc.Close()
		if err != nil && doc != nil {
			t.Error("a refused form's document is kept")
		}
		size := 0
		for name, values := range fields {
			for _, v := range values {
				size += len(name) + len(v)
			}
		}
		if size > maxFields {
			t.Errorf("fields of %d bytes were taken", size)
		}
	})
}

// Whatever a query is, its fields are taken or refused without being repeated.
func FuzzQueryFields(f *testing.F) {
	for _, s := range []string{"account=acme&type=t", "types=a&types=b", "metadata.k=v&metadata.k=w", "options.=x", "metadata.=", "a=%00&b=%ff", "type=t&type=t", "wait=30s&=&&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		var r request
		err = r.take(q)
		if err == nil {
			return
		}
		text := plain(err)
		for name, values := range q {
			for _, v := range append(values, name) {
				// A short one, or a name of ours, occurs in the text anyway.
				if len(v) > 12 && strings.Contains(text, v) && fieldName(v) == "a field" {
					t.Errorf("%q repeats %q", text, v)
				}
			}
		}
	})
}

// Whatever a cursor is, it is refused, or it is the one that its place has.
func FuzzCursor(f *testing.F) {
	list := digestOf("extractions", extraction.Filter{Batch: "b"})
	f.Add(*list.cursor(positionOf(store.Cursor{CreatedAt: time.UnixMilli(1_700_000_000_000), ID: "01JD0Z3M9V7Q8W2R5T6Y4X1C0B"})))
	f.Add(*list.cursor("-1.x"))
	f.Add(*list.cursor("9."))
	f.Add(*list.cursor("99999999999999999999.a"))
	f.Add("")
	f.Add("====")
	f.Fuzz(func(t *testing.T, text string) {
		at, err := list.after(text)
		if err != nil || text == "" {
			return
		}
		again, err := list.after(*list.cursor(positionOf(at)))
		if err != nil || !again.CreatedAt.Equal(at.CreatedAt) || again.ID != at.ID {
			t.Errorf("%q is %+v, and that is %+v, %v", text, at, again, err)
		}
		if _, err := digestOf("ready", extraction.Filter{Batch: "b"}).after(text); err == nil {
			t.Errorf("%q is taken for another list", text)
		}
	})
}

// Whatever a Last-Event-ID is, it is refused, or says the places that it is made of.
func FuzzEventID(f *testing.F) {
	f.Add(formatEventID(map[string]string{"acme": "1-0", "other": "1700000000000-12"}))
	f.Add("e30")
	f.Add("bnVsbA")
	f.Add("eyJhIjoiKyJ9")
	f.Fuzz(func(t *testing.T, text string) {
		after, err := parseEventID(text)
		if err != nil || text == "" {
			return
		}
		again, err := parseEventID(formatEventID(after))
		if diff := cmp.Diff(after, again); diff != "" || err != nil {
			t.Errorf("%q is not what it says: %v\n%s", text, err, diff)
		}
	})
}

// Whatever an Idempotency-Key is, quoted and bare are the same, and its length is
// within the limits.
func FuzzIdempotencyKey(f *testing.F) {
	for _, s := range []string{"k1", `"k1"`, `""`, `"`, " ", `" "`, strings.Repeat("k", 256), "ключ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read := func(value string) (string, error) {
			return idempotencyKey(&http.Request{Header: http.Header{"Idempotency-Key": {value}}})
		}
		key, err := read(text)
		if err != nil {
			return
		}
		if key == "" || len(key) > 255 {
			t.Errorf("%q is a key of %d bytes", text, len(key))
		}
		if quoted, err := read(`"` + key + `"`); err != nil || quoted != key {
			t.Errorf("%q is %q, and quoted %q, %v", text, key, quoted, err)
		}
	})
}

// Whatever is submitted, through everything down to Redis, is accepted or the
// sender's fault, and what was accepted can be read and listed.
func FuzzSubmit(f *testing.F) {
	for _, s := range [][3]string{
		{"account=acme&type=t", "application/pdf", pdf},
		{"", "application/json", `{"account":"acme","type":"t","vendor_id":"v","options":{"a":[[[1e3]]],"b":null},"metadata":{"k":"\u0000\ud800"}}`},
		{"", "application/json", `{"account":"acme","types":["t",""],"document_base64":"QUJD","name":"\\..\/x"}`},
		{"", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nt\r\n--b\r\nContent-Disposition: form-data; name=\"account\"\r\n\r\nacme\r\n--b--\r\n"},
		{"account=acme&type=%ff%00&metadata.%00=%ff&options.a=%c3&name=%2e%2e%2f", "", "x"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	r := newRig(f)
	f.Fuzz(func(t *testing.T, query, contentType, body string) {
		call := func(method, path, contentType, body string) *httptest.ResponseRecorder {
			req := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
			if contentType != "" {
				req.Header["Content-Type"] = []string{contentType}
			}
			w := httptest.NewRecorder()
			r.server.Handler().ServeHTTP(w, req)
			return w
		}
		if strings.ContainsAny(query, " \r\n\t#\x00") || strings.Contains(query, "wait") || strings.Contains(body, "wait") {
			return // No request line has these, and the test must not wait.
		}
		if _, err := url.ParseRequestURI("/v1/extractions?" + query); err != nil {
			return
		}
		w := call("POST", "/v1/extractions?"+query, contentType, body)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Code >= 400 {
			if w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			return
		}
		path := w.Header().Get("Location")
		for _, read := range []string{path, "/v1/extractions?limit=1"} {
			if w := call("GET", read, "", ""); w.Code != http.StatusOK {
				t.Errorf("%s: %d %s", read, w.Code, w.Body)
			}
		}
		if w := call("DELETE", path, "", ""); w.Code != http.StatusNoContent {
			t.Errorf("delete: %d %s", w.Code, w.Body)
		}
	})
}

// Whatever a filter is, a list is answered or refused.
func FuzzFilter(f *testing.F) {
	f.Add("status=SUCCESS&account=acme&customer=c&since=2026-01-01T00:00:00Z&limit=1")
	f.Add("batch=%ff&type=%00&error=" + string(extraction.CodeInternal))
	f.Add("until=0000-01-01T00:00:00%2B23:59&since=9999-12-31T23:59:59.999999999-23:59")
	f.Add("cursor=AAAAAAAAAAAA")
	r := newRig(f)
	r.submit("account=acme&type=t")
	f.Fuzz(func(t *testing.T, query string) {
		if u, err := url.ParseRequestURI("/v1/extractions?" + query); err != nil || strings.ContainsAny(query, " #") || u.RawQuery != query {
			return
		}
		for _, path := range []string{"/v1/extractions?", "/v1/ready?", "/v1/batches?"} {
			if path != "/v1/extractions?" && strings.Contains(query, "wait") {
				continue
			}
			w := httptest.NewRecorder()
			r.server.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "http://127.0.0.1"+path+query, nil))
			if w.Code >= 500 {
				t.Errorf("%s%s: %d %s", path, query, w.Code, w.Body)
			}
		}
	})
}
