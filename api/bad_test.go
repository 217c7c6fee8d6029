package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
)

// marker is in everything that is sent wrongly, and must be in no answer.
const marker = "Xq7marker"

// What is too large is a document, or no document.
func TestLargeBody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body := `{"ids":["` + strings.Repeat("x", 2<<20) + `"]}`
	r.do("POST", "/v1/extractions/cancel", body, "Content-Type", "application/json").wantProblem(t, "bulk", 413, codeBodyTooLarge)
}

// Whatever is sent, the answer is a problem that says what to do, is no fault of the
// server, and has nothing of what was sent in it.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t, withHooks)
	const (
		ok      = "/v1/extractions?account=acme&type=t"
		unknown = "01JD0Z3M9V7Q8W2R5T6Y4X1C0B"
	)
	type request struct {
		method, path, body string
		headers            []string
	}
	isJSON := []string{"Content-Type", "application/json"}
	deep := func(n int) string { return strings.Repeat("[", n) + `"` + marker + `"` + strings.Repeat("]", n) }
	bad := map[string]request{
		"unknown route":         {"GET", "/v1/" + marker, "", nil},
		"route with dots":       {"GET", "/v1/../" + marker, "", nil},
		"wrong method":          {"PATCH", "/v1/extractions", marker, nil},
		"method of one's own":   {"BREW", "/v1/extractions", "", nil},
		"unknown id":            {"GET", "/v1/extractions/" + unknown, "", nil},
		"no id":                 {"GET", "/v1/extractions/" + marker, "", nil},
		"a long id":             {"GET", "/v1/extractions/" + strings.Repeat(marker, 10), "", nil},
		"id with a NUL":         {"GET", "/v1/extractions/" + marker + "%00", "", nil},
		"id that is a path":     {"GET", "/v1/extractions/..%2f..%2f" + marker + "/document", "", nil},
		"id with braces":        {"DELETE", "/v1/extractions/%7B" + marker + "%7D", "", nil},
		"unknown batch":         {"GET", "/v1/batches/" + marker, "", nil},
		"batch of bytes":        {"GET", "/v1/batches/" + marker + "%ff%00", "", nil},
		"unknown account":       {"GET", "/v1/accounts/" + marker, "", nil},
		"pause of nothing":      {"POST", "/v1/accounts/" + marker + "/pause", "", nil},
		"unknown filter":        {"GET", "/v1/extractions?" + marker + "=1", "", nil},
		"bad status":            {"GET", "/v1/extractions?status=" + marker, "", nil},
		"bad limit":             {"GET", "/v1/extractions?limit=" + marker, "", nil},
		"large limit":           {"GET", "/v1/extractions?limit=99999999999999999999", "", nil},
		"bad cursor":            {"GET", "/v1/extractions?cursor=" + marker, "", nil},
		"long cursor":           {"GET", "/v1/extractions?cursor=" + strings.Repeat(marker, 100), "", nil},
		"forged cursor":         {"GET", "/v1/extractions?cursor=" + base64.RawURLEncoding.EncodeToString([]byte("9."+marker)), "", nil},
		"bad since":             {"GET", "/v1/extractions?since=" + marker, "", nil},
		"bad wait":              {"GET", "/v1/extractions/" + unknown + "?wait=" + marker, "", nil},
		"long wait":             {"GET", "/v1/ready?wait=2562047h47m16s", "", nil},
		"bad resubmit":          {"POST", "/v1/extractions/" + unknown + "/retry?resubmit=" + marker, "", nil},
		"broken query":          {"GET", "/v1/extractions?batch=" + marker + "%zz", "", nil},
		"semicolons":            {"POST", ok + ";batch=" + marker, pdf, nil},
		"events of nothing":     {"GET", "/v1/events?extraction=" + marker, "", nil},
		"unknown event filter":  {"GET", "/v1/events?" + marker + "=1", "", nil},
		"bad Last-Event-ID":     {"GET", "/v1/events", "", []string{"Last-Event-ID", marker}},
		"a far event id":        {"GET", "/v1/events", "", []string{"Last-Event-ID", formatEventID(map[string]string{"acme": "99999999999999999999-0"})}},
		"the last event id":     {"GET", "/v1/events", "", []string{"Last-Event-ID", formatEventID(map[string]string{"acme": "18446744073709551615-18446744073709551615"})}},
		"overflowing wait":      {"GET", "/v1/ready?wait=18446744074", "", nil},
		"no media type":         {"POST", ok, marker, []string{"Content-Type", marker}},
		"a list as event id":    {"GET", "/v1/events", "", []string{"Last-Event-ID", base64.RawURLEncoding.EncodeToString([]byte(`["` + marker + `"]`))}},
		"bulk: no JSON":         {"POST", "/v1/extractions/cancel", "{" + marker, isJSON},
		"bulk: a string":        {"POST", "/v1/extractions/cancel", `"` + marker + `"`, isJSON},
		"bulk: nothing":         {"POST", "/v1/extractions/cancel", "", isJSON},
		"bulk: null":            {"POST", "/v1/extractions/cancel", "null", isJSON},
		"bulk: wrong types":     {"POST", "/v1/extractions/cancel", `{"ids":"` + marker + `","dry_run":"` + marker + `"}`, isJSON},
		"bulk: null ids":        {"POST", "/v1/extractions/cancel", `{"ids":[null]}`, isJSON},
		"bulk: unknown member":  {"POST", "/v1/extractions/cancel", `{"` + marker + `":1,"ids":["a"]}`, isJSON},
		"bulk: unknown filter":  {"POST", "/v1/extractions/cancel", `{"filter":{"` + marker + `":1}}`, isJSON},
		"bulk: bad since":       {"POST", "/v1/extractions/cancel", `{"filter":{"since":"` + marker + `"}}`, isJSON},
		"bulk: bad status":      {"POST", "/v1/extractions/cancel", `{"filter":{"status":["` + marker + `"]}}`, isJSON},
		"bulk: other type":      {"POST", "/v1/extractions/cancel", marker, []string{"Content-Type", "application/" + marker}},
		"bulk: deep":            {"POST", "/v1/extractions/cancel", deep(100_000), isJSON},
		"bulk: too many ids":    {"POST", "/v1/extractions/cancel", `{"ids":["` + strings.Repeat(marker+`","`, 20_000) + `"]}`, isJSON},
		"bulk: many members":    {"POST", "/v1/extractions/cancel", "{" + strings.Repeat(`"`+marker+`":1,`, 50_000) + `"x":1}`, isJSON},
		"bulk: huge":            {"POST", "/v1/extractions/cancel", `{"ids":["` + strings.Repeat(marker, 200_000) + `"]}`, isJSON},
		"ack: wrong type":       {"POST", "/v1/ready/ack", `{"ids":{"` + marker + `":1}}`, isJSON},
		"submit: no JSON":       {"POST", "/v1/extractions", "{" + marker, isJSON},
		"submit: wrong types":   {"POST", "/v1/extractions", `{"account":"acme","type":["` + marker + `"]}`, isJSON},
		"submit: bad metadata":  {"POST", "/v1/extractions", `{"account":"acme","type":"t","vendor_id":"v","metadata":{"` + marker + `":7}}`, isJSON},
		"submit: large number":  {"POST", "/v1/extractions", `{"account":"acme","type":"t","vendor_id":"v","options":{"` + marker + `":1e999}}`, isJSON},
		"submit: deep options":  {"POST", "/v1/extractions", `{"account":"acme","type":"t","vendor_id":"v","options":{"a":` + deep(20_000) + `}}`, isJSON},
		"submit: unknown":       {"POST", "/v1/extractions", `{"` + marker + `":1}`, isJSON},
		"submit: bad base64":    {"POST", "/v1/extractions", `{"account":"acme","type":"t","document_base64":"` + marker + `*"}`, isJSON},
		"submit: bad URL":       {"POST", "/v1/extractions", `{"account":"acme","type":"t","document_url":"http://internal/` + marker + `"}`, isJSON},
		"submit: account":       {"POST", "/v1/extractions?type=t&account=" + marker, pdf, nil},
		"submit: priority":      {"POST", ok + "&priority=" + marker, pdf, nil},
		"submit: batch":         {"POST", ok + "&batch=" + marker + "%00", pdf, nil},
		"submit: long customer": {"POST", ok + "&customer=" + strings.Repeat(marker, 20), pdf, nil},
		"submit: twice":         {"POST", ok + "&type=" + marker, pdf, nil},
		"submit: unknown field": {"POST", ok + "&" + marker + "=1", pdf, nil},
		"submit: no option":     {"POST", ok + "&options.=" + marker, pdf, nil},
		"submit: many options":  {"POST", "/v1/extractions", manyOptions(), isJSON},
		"submit: callback":      {"POST", ok + "&callback_url=" + url.QueryEscape("http://internal/"+marker), pdf, nil},
		"submit: not a PDF":     {"POST", ok, marker, []string{"Content-Type", "application/pdf"}},
		"submit: media type":    {"POST", ok, pdf, []string{"Content-Type", marker + "/;;"}},
		"submit: nothing":       {"POST", ok, "", nil},
		"submit: long key":      {"POST", ok, pdf, []string{"Idempotency-Key", strings.Repeat(marker, 40)}},
		"submit: two keys":      {"POST", ok, pdf, []string{"Idempotency-Key", marker, "Idempotency-Key", "b"}},
		"hook: unknown":         {"POST", "/v1/hooks/" + marker + "/" + hookToken, "{}", isJSON},
		"hook: forged":          {"POST", "/v1/hooks/acme/" + marker, "{}", isJSON},
		"hook: no JSON":         {"POST", "/v1/hooks/acme/" + hookToken, marker, isJSON},
	}
	for what, body := range badForms(t) {
		bad["form: "+what] = request{"POST", "/v1/extractions", body, []string{"Content-Type", "multipart/form-data; boundary=b"}}
	}
	for what, x := range bad {
		a := r.do(x.method, x.path, x.body, x.headers...)
		detail, _ := a.json["detail"].(string)
		if a.status < 400 || a.status >= 500 || a.header.Get("Content-Type") != "application/problem+json" || len(detail) < 10 || len(a.body) > 8<<10 {
			t.Errorf("%s: %d %v with %d bytes: %.500s", what, a.status, a.header, len(a.body), a.body)
		}
		if strings.Contains(string(a.body), marker) {
			t.Errorf("%s: the answer has what was sent: %.500s", what, a.body)
		}
		if strings.Contains(detail, "what was sent") {
			t.Errorf("%s: the answer speaks of what it does not say: %s", what, detail)
		}
	}
	if got := r.do("GET", "/v1/extractions", "").want(t, "list", 200).ids(); len(got) != 0 {
		t.Errorf("%d extractions were accepted", len(got))
	}
	r.submit("account=acme&type=t") // It still serves.
}

// manyOptions is a submission with unknown options.
func manyOptions() string {
	var b strings.Builder
	b.WriteString(`{"account":"acme","type":"t","document_url":"https://x.test","options":{`)
	for i := range 10_000 {
		fmt.Fprintf(&b, `"%s%d":1,`, marker, i)
	}
	return b.String() + `"x":1}}`
}

// badForms are forms that are wrong, by what is wrong with them.
func badForms(t *testing.T) map[string]string {
	t.Helper()
	form := func(write func(w *multipart.Writer)) string {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if err := w.SetBoundary("b"); err != nil {
			t.Fatal(err)
		}
		write(w)
		_ = w.Close() // A buffer takes everything.
		return b.String()
	}
	part := func(w *multipart.Writer, header textproto.MIMEHeader, body string) {
		p, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = p.Write([]byte(body))
	}
	named := func(name string) textproto.MIMEHeader {
		return textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"`, name)}}
	}
	whole := form(func(w *multipart.Writer) {
		part(w, named("document"), strings.Repeat(pdf, 1000))
		_ = w.WriteField("account", "acme")
	})
	return map[string]string{
		"empty":           "",
		"no part":         "--b--\r\n",
		"another's":       strings.ReplaceAll(whole, "--b", "--c"),
		"truncated":       whole[:len(whole)/2],
		"without its end": strings.TrimSuffix(whole, "--b--\r\n"),
		"no document":     form(func(w *multipart.Writer) { _ = w.WriteField("account", "acme"); _ = w.WriteField("type", marker) }),
		"no name":         form(func(w *multipart.Writer) { part(w, textproto.MIMEHeader{"X-A": {marker}}, marker) }),
		"two documents":   form(func(w *multipart.Writer) { part(w, named("document"), pdf); part(w, named("document"), pdf) }),
		"unknown field":   form(func(w *multipart.Writer) { _ = w.WriteField(marker, "1") }),
		"10,000 parts": form(func(w *multipart.Writer) {
			for i := range 10_000 {
				_ = w.WriteField(fmt.Sprint("metadata.", marker, i), "")
			}
			part(w, named("document"), pdf)
			_ = w.WriteField("account", "acme")
			_ = w.WriteField("type", "t")
		}),
		"10,000 headers": form(func(w *multipart.Writer) {
			h := named("document")
			for i := range 20_000 {
				h.Set(fmt.Sprint("X-", marker, i), "1")
			}
			part(w, h, pdf)
		}),
		"long name":  form(func(w *multipart.Writer) { part(w, named("metadata."+strings.Repeat(marker, 1<<20/8)), "1") }),
		"long field": form(func(w *multipart.Writer) { _ = w.WriteField("type", strings.Repeat(marker, maxFields/8)) }),
		"large":      form(func(w *multipart.Writer) { part(w, named("document"), strings.Repeat("x", 1<<20+1)) }),
		"malformed":  "--b\r\nContent-Disposition: form-data; name=\"" + marker + "\r\n\r\nx\r\n--b--\r\n",
		"long media type": form(func(w *multipart.Writer) {
			h := named("document")
			h.Set("Content-Type", "a/"+strings.Repeat(marker, 1000))
			part(w, h, "x")
			_ = w.WriteField("account", "acme")
			_ = w.WriteField("type", "t")
		}),
		"odd transfers": form(func(w *multipart.Writer) {
			h := named("document")
			h.Set("Content-Transfer-Encoding", "quoted-printable")
			part(w, h, "=="+marker)
		}),
	}
}

// A body that breaks off is the sender's fault, wherever it was on its way to.
func TestCutBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t, withHooks)
	for path, contentType := range map[string]string{
		"/v1/extractions/cancel":              "application/json",
		"/v1/ready/ack":                       "application/json",
		"/v1/extractions":                     "multipart/form-data; boundary=b",
		"/v1/extractions?":                    "application/json",
		"/v1/hooks/acme/" + hookToken:         "application/json",
		"/v1/extractions?account=acme&type=t": "application/octet-stream",
	} {
		c := r.dial()
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: 1000000\r\n\r\n--b\r\n", path, c.RemoteAddr(), contentType)
		_, _ = c.Write([]byte(strings.Repeat("x", 100_000)))
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if status, body := readAnswer(t, c); status != http.StatusBadRequest || !strings.Contains(body, `"code":"invalid_request"`) {
			t.Errorf("%s as %s: %d %s", path, contentType, status, body)
		}
	}
	if got := r.do("GET", "/v1/extractions", "").want(t, "list", 200).ids(); len(got) != 0 {
		t.Errorf("%d extractions were accepted", len(got))
	}
}
