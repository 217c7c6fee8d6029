package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/store"
)

func form(t *testing.T, document string, fields ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("document", `C:\docs\1040.pdf`)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte(document))
	for i := 0; i+1 < len(fields); i += 2 { // Behind the document.
		_ = w.WriteField(fields[i], fields[i+1])
	}
	_ = w.Close()
	return b.String(), w.FormDataContentType()
}

// A document comes in by each way with its fields.
func TestSubmitForms(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const query = "account=acme&type=t&name=1040.pdf&batch=b1&customer=c1&metadata.po=7&options.x=y&priority=bulk"
	formBody, formType := form(t, pdf, "account", "acme", "type", "t", "batch", "b1", "customer", "c1",
		"metadata.po", "7", "options.x", "y", "priority", "bulk")
	jsonBody := `{"batch":"b1","document_base64":"` + strings.ReplaceAll(base64.StdEncoding.EncodeToString([]byte(pdf)), "/", `\/`) +
		`","account":"acme","type":"t","customer":"c1","name":"1040.pdf","metadata":{"po":"7"},"options":{"x":"y"},"priority":"bulk"}`
	for what, a := range map[string]answer{
		"raw":       r.do("POST", "/v1/extractions?"+query, pdf, "Content-Type", "application/pdf"),
		"untyped":   r.do("POST", "/v1/extractions?"+query, pdf),
		"octets":    r.do("POST", "/v1/extractions?"+query, pdf, "Content-Type", "application/octet-stream"),
		"multipart": r.do("POST", "/v1/extractions", formBody, "Content-Type", formType),
		"json":      r.do("POST", "/v1/extractions", jsonBody, "Content-Type", "application/json; charset=utf-8"),
	} {
		a.want(t, what, http.StatusAccepted)
		rec := r.record(a.id())
		d := rec.Document
		if rec.Account != "acme" || rec.Type != "t" || rec.Batch != "b1" || rec.Customer != "c1" || rec.Metadata["po"] != "7" ||
			rec.Options["x"] != "y" || rec.Priority != extraction.PriorityBulk {
			t.Errorf("%s: accepted as %+v", what, rec.Input)
		}
		if d.Name != "1040.pdf" || d.ContentType != "application/pdf" || *d.Bytes != int64(len(pdf)) {
			t.Errorf("%s: the document is %+v", what, d)
		}
		if a.header.Get("Location") != "/v1/extractions/"+a.id() || a.header.Get("Retry-After") == "" || a.json["status"] != "QUEUED" {
			t.Errorf("%s: answered %v %s", what, a.header, a.body)
		}
		got := r.do("GET", "/v1/extractions/"+a.id()+"/document", "").want(t, what, http.StatusOK)
		if string(got.body) != pdf || got.header.Get("Content-Disposition") != "attachment" {
			t.Errorf("%s: the document is %q with %v", what, got.body, got.header)
		}
	}
	if rec := r.record(r.do("POST", "/v1/extractions", `{"account":"acme","type":"t","document_url":"https://x.test/a.pdf"}`, "Content-Type", "application/json").id()); rec.Document.URL != "https://x.test/a.pdf" {
		t.Errorf("by URL: %+v", rec.Document)
	}
	adopted := r.do("POST", "/v1/extractions", `{"account":"acme","type":"t","vendor_id":"v1"}`, "Content-Type", "application/json")
	r.do("GET", "/v1/extractions/"+adopted.id()+"/document", "").wantProblem(t, "the document of an adopted one", 404, codeDocumentGone)
	if rec := r.record(adopted.want(t, "adopt", 202).id()); rec.VendorID != "v1" || rec.Status != extraction.StatusInProgress {
		t.Errorf("adopted: %+v", rec)
	}
}

// A document is known by its bytes, also where they are spelt in base64 as some
// encoders do, or its type as some programs do.
func TestSubmitSpellings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const ok = "/v1/extractions?account=acme&type=t"
	for declared, tt := range map[string]struct{ bytes, want string }{
		"image/tiff":        {"II*\x00\x08\x00", "image/tiff"},
		"image/tif":         {"MM\x00*\x00\x08", "image/tiff"},
		"":                  {"II*\x00\x08\x00", "image/tiff"},
		"image/jpg":         {"\xff\xd8\xff\xe0", "image/jpeg"},
		"application/x-pdf": {pdf, "application/pdf"},
		"application/pdf":   {"\ufeff\r\n" + pdf, "application/pdf"},
	} {
		a := r.do("POST", ok, tt.bytes, "Content-Type", declared).want(t, declared, http.StatusAccepted)
		if got := r.record(a.id()).Document.ContentType; got != tt.want {
			t.Errorf("as %q: %q, want %q", declared, got, tt.want)
		}
	}
	r.do("POST", ok, "II*\x00", "Content-Type", "image/jpg").wantProblem(t, "a TIFF as image/jpg", 422, codeMismatch)

	document := pdf + "\xfb\xff"
	encoded := base64.StdEncoding.EncodeToString([]byte(document))
	for what, spelt := range map[string]string{
		"escaped": strings.NewReplacer("+", `\u002B`, "/", `\u002f`, "=", `\u003d`).Replace(encoded),
		"wrapped": encoded[:8] + `\n` + encoded[8:12] + `\r\n` + encoded[12:] + `\n`,
	} {
		a := r.do("POST", "/v1/extractions", `{"account":"acme","type":"t","document_base64":"`+spelt+`","batch":"b1"}`, "Content-Type", "application/json")
		got := r.do("GET", "/v1/extractions/"+a.want(t, what, http.StatusAccepted).id()+"/document", "").want(t, what, http.StatusOK)
		if string(got.body) != document {
			t.Errorf("%s: the document is %q, want %q", what, got.body, document)
		}
	}
}

func TestSubmitRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const ok = "/v1/extractions?account=acme&type=t"
	json := func(body string) answer {
		return r.do("POST", "/v1/extractions", body, "Content-Type", "application/json")
	}
	formBody, formType := form(t, pdf, "account", "acme", "type", "t", "color", "red")
	goodBody, goodType := form(t, pdf, "account", "acme", "type", "t")
	broken, brokenType := form(t, pdf)
	for what, tt := range map[string]struct {
		a      answer
		status int
		code   protocol.ProblemCode
	}{
		"no type":           {r.do("POST", "/v1/extractions?account=acme", pdf), 422, codeInvalid},
		"no account":        {r.do("POST", "/v1/extractions?type=t", pdf), 422, codeUnknownAccount},
		"unknown account":   {r.do("POST", "/v1/extractions?type=t&account=nobody", pdf), 422, codeUnknownAccount},
		"unknown field":     {r.do("POST", ok+"&colour=red", pdf), 422, codeInvalid},
		"twice":             {r.do("POST", ok+"&account=other", pdf), 422, codeInvalid},
		"empty":             {r.do("POST", ok, ""), 422, codeInvalid},
		"an empty PDF":      {r.do("POST", ok, "", "Content-Type", "application/pdf"), 422, codeInvalid},
		"too large":         {r.do("POST", ok, strings.Repeat("x", 1<<20+1)), 413, codeTooLarge},
		"no PDF":            {r.do("POST", ok, "hello", "Content-Type", "application/pdf"), 422, codeMismatch},
		"a PDF as PNG":      {r.do("POST", ok, pdf, "Content-Type", "image/png"), 422, codeMismatch},
		"not taken":         {r.do("POST", ok, "BM\x00\x00", "Content-Type", "image/bmp"), 415, codeUnsupported},
		"bad media type":    {r.do("POST", ok, pdf, "Content-Type", "a/b/c;;"), 415, codeUnsupported},
		"bad wait":          {r.do("POST", ok+"&wait=5m", pdf), 422, codeInvalid},
		"bad priority":      {r.do("POST", ok+"&priority=urgent", pdf), 422, codeInvalid},
		"internal callback": {r.do("POST", ok+"&callback_url=http://internal/", pdf), 422, codeURLRefused},
		"internal document": {json(`{"account":"acme","type":"t","document_url":"http://internal/a"}`), 422, codeURLRefused},
		"URL not fetched":   {json(`{"account":"other","type":"t","document_url":"http://x.test/a"}`), 422, codeInvalid},
		"nothing":           {json(`{"account":"acme","type":"t"}`), 422, codeInvalid},
		"two things":        {json(`{"account":"acme","type":"t","vendor_id":"v","document_url":"http://x.test/"}`), 422, codeInvalid},
		"no JSON":           {json(`{"account":`), 400, codeInvalid},
		"a list":            {json(`[]`), 422, codeInvalid},
		"two values":        {json(`{} {}`), 400, codeInvalid},
		"unknown member":    {json(`{"colour":"red"}`), 422, codeInvalid},
		"wrong type":        {json(`{"account":7}`), 422, codeInvalid},
		"bad base64":        {json(`{"account":"acme","type":"t","document_base64":"?!"}`), 422, codeInvalid},
		"no escape":         {json(`{"account":"acme","type":"t","document_base64":"QUJ\u012f"}`), 422, codeInvalid},
		"cut base64":        {json(`{"account":"acme","type":"t","document_base64":"QUJ`), 400, codeInvalid},
		"two documents":     {json(`{"document_base64":"QUJD","document_base64":"QUJD"}`), 422, codeInvalid},
		"large fields":      {json(`{"name":"` + strings.Repeat("x", maxFields) + `"}`), 422, codeInvalid},
		"large base64":      {json(`{"type":"t","account":"acme","document_base64":"` + strings.Repeat("QUJD", 400_000) + `"}`), 413, codeTooLarge},
		"form field":        {r.do("POST", "/v1/extractions", formBody, "Content-Type", formType), 422, codeInvalid},
		"form and query":    {r.do("POST", "/v1/extractions?batch=b", goodBody, "Content-Type", goodType), 422, codeInvalid},
		"cut form":          {r.do("POST", "/v1/extractions", broken[:len(broken)-20], "Content-Type", brokenType), 400, codeInvalid},
		"no boundary":       {r.do("POST", "/v1/extractions", "", "Content-Type", "multipart/form-data"), 400, codeInvalid},
		"a long key":        {r.do("POST", ok, pdf, "Idempotency-Key", strings.Repeat("k", 256)), 422, codeInvalid},
		"an empty key":      {r.do("POST", ok, pdf, "Idempotency-Key", `""`), 422, codeInvalid},
	} {
		tt.a.wantProblem(t, what, tt.status, tt.code)
		if strings.Contains(string(tt.a.body), "urgent") || strings.Contains(string(tt.a.body), "colour") {
			t.Errorf("%s: the answer repeats what was sent: %s", what, tt.a.body)
		}
	}
	if got := r.do("GET", "/v1/extractions", "").json["extractions"].([]any); len(got) != 0 {
		t.Errorf("%d extractions were accepted", len(got))
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const path = "/v1/extractions?account=acme&type=t"
	first := r.do("POST", path, pdf, "Idempotency-Key", "k1").want(t, "first", 202)
	for _, key := range []string{"k1", `"k1"`} {
		again := r.do("POST", path, pdf, "Idempotency-Key", key).want(t, "again", 202)
		if again.id() != first.id() || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("repeated as %s %v, want %s", again.id(), again.header, first.id())
		}
	}
	r.do("POST", path, pdf+"!", "Idempotency-Key", "k1").wantProblem(t, "other bytes", 422, codeKeyReused)
	r.do("POST", path+"&batch=b", pdf, "Idempotency-Key", "k1").wantProblem(t, "other fields", 422, codeKeyReused)
	r.do("POST", "/v1/extractions?account=other&type=t", pdf, "Idempotency-Key", "k1").wantProblem(t, "other account", 422, codeKeyReused)
	r.finish(first.id(), extraction.StatusSuccess)
	if final := r.do("POST", path, pdf, "Idempotency-Key", "k1").want(t, "when final", 200); final.json["status"] != "SUCCESS" {
		t.Errorf("repeated as %v", final.json["status"])
	}
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 2 {
		r.submit("account=other&type=t")
	}
	a := r.do("POST", "/v1/extractions?account=other&type=t", pdf)
	a.wantProblem(t, "above max_backlog", http.StatusTooManyRequests, codeBacklog)
	if a.header.Get("Retry-After") == "" {
		t.Error("without Retry-After")
	}
	r.submit("account=acme&type=t")
}

// wait holds the answer until the extraction is final.
// Who got no answer to a submission learns of it, however full the account is since.
func TestRepeatedAboveBacklog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	headers := []string{"Content-Type", "application/pdf", "Idempotency-Key", "k"}
	first := r.do("POST", "/v1/extractions?account=other&type=t", pdf, headers...).want(t, "the first", http.StatusAccepted)
	r.submit("account=other&type=t")
	again := r.do("POST", "/v1/extractions?account=other&type=t", pdf, headers...).want(t, "again", http.StatusAccepted)
	if again.id() != first.id() || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %s, want the first one", again.body)
	}
	headers[3] = "another"
	r.do("POST", "/v1/extractions?account=other&type=t", pdf, headers...).
		wantProblem(t, "another key", http.StatusTooManyRequests, codeBacklog)
}

// A part of a form that has no file name gives the document none.
func TestFormWithoutFileName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	form := "--x\r\nContent-Disposition: form-data; name=\"document\"\r\n\r\n" + pdf +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nt" +
		"\r\n--x\r\nContent-Disposition: form-data; name=\"account\"\r\n\r\nacme\r\n--x--\r\n"
	a := r.do("POST", "/v1/extractions", form, "Content-Type", "multipart/form-data; boundary=x").want(t, "form", http.StatusAccepted)
	if name := r.record(a.id()).Document.Name; name != "" {
		t.Errorf("the document is called %q", name)
	}
}

// What is wrong with a JSON body is said in the words of its sender.
func TestJSONProblems(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for body, want := range map[string]string{
		`[]`:                                "the body is not a JSON object",
		`{"metadata":7}`:                    "metadata is not a JSON object",
		`{"options":{"a":1e999}}`:           "options is not a JSON number",
		`{"document_url":["http://x.org"]}`: "document_url is not a JSON string",
	} {
		a := r.do("POST", "/v1/extractions", body, "Content-Type", "application/json")
		a.wantProblem(t, body, http.StatusUnprocessableEntity, codeInvalid)
		if a.json["detail"] != want {
			t.Errorf("%s: %q, want %q", body, a.json["detail"], want)
		}
	}
}

func TestSubmitWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := make(chan answer, 1)
	go func() { got <- r.do("POST", "/v1/extractions?account=acme&type=t&wait=30s", pdf) }()
	var id string
	deadline := time.Now().Add(20 * time.Second)
	for id == "" && time.Now().Before(deadline) {
		if all, _ := r.do("GET", "/v1/extractions", "").json["extractions"].([]any); len(all) == 1 {
			id, _ = all[0].(map[string]any)["id"].(string)
		}
	}
	r.finish(id, extraction.StatusSuccess)
	select {
	case a := <-got:
		if a.want(t, "submit with wait", 200); a.json["status"] != "SUCCESS" || a.json["result"].(map[string]any)["raw"] == nil {
			t.Errorf("answered %s", a.body)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the answer did not come with the end")
	}
	if a := r.do("GET", "/v1/extractions/"+r.submit("account=acme&type=t")+"?wait=1", ""); a.status != 200 || a.json["status"] != "QUEUED" {
		t.Errorf("a wait that is over: %d %s", a.status, a.body)
	}
}

// Without the Redis or the document store that it was started with, nothing is accepted, and
// what is in the store does not count as gone. When it is back all goes on.
func TestSubmitWithoutItsStores(t *testing.T) {
	t.Parallel()
	for what, lose := range map[string]func(r *rig) error{
		"Redis lost its data": func(r *rig) error { return r.rdb.FlushDB(t.Context()).Err() },
		"the store is gone":   func(r *rig) error { return os.Rename(r.dir, r.dir+"-away") },
		"an empty one is there": func(r *rig) error {
			return errors.Join(os.Rename(r.dir, r.dir+"-away"), os.Mkdir(r.dir, 0o700))
		},
	} {
		r := newRig(t)
		if err := store.Pair(t.Context(), r.records, r.cfg.Blobs, store.Terms{}); err != nil {
			t.Fatal(err)
		}
		if err := r.cfg.Blobs.Hold(t.Context(), r.records); err != nil {
			t.Fatal(err)
		}
		id := r.submit("account=acme&type=t")
		if err := lose(r); err != nil {
			t.Fatal(err)
		}
		for path, body := range map[string]string{
			"?account=acme&type=t": pdf,
			"":                     `{"account":"acme","type":"t","document_url":"https://example.com/a.pdf"}`,
		} {
			kind := "application/pdf"
			if path == "" {
				kind = "application/json"
			}
			a := r.do("POST", "/v1/extractions"+path, body, "Content-Type", kind)
			a.wantProblem(t, what, http.StatusServiceUnavailable, codeUnavailable)
			if a.header.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", what)
			}
		}
		r.do("GET", "/readyz", "").want(t, what, http.StatusServiceUnavailable)
		if _, err := os.Stat(r.dir + "-away"); err != nil {
			continue
		}
		r.do("GET", "/v1/extractions/"+id+"/document", "").wantProblem(t, what, http.StatusServiceUnavailable, codeUnavailable)
		r.do("DELETE", "/v1/extractions/"+id, "").wantProblem(t, what, http.StatusServiceUnavailable, codeUnavailable)
		if left, err := os.ReadDir(r.dir); err == nil && len(left) > 0 {
			t.Errorf("%s: it was written beside: %v", what, left)
		}
		_ = os.Remove(r.dir)
		if err := os.Rename(r.dir+"-away", r.dir); err != nil {
			t.Fatal(err)
		}
		r.do("POST", "/v1/extractions?account=acme&type=t", pdf).want(t, what+" no more", http.StatusAccepted)
		r.do("GET", "/readyz", "").want(t, what+" no more", http.StatusOK)
		r.do("GET", "/v1/extractions/"+id+"/document", "").want(t, what+" no more", http.StatusOK)
	}
}

// That the store refuses every request is logged once a minute, and not for each.
func TestStoreTroubleIsSaidOnce(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &Server{cfg: Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
	for range 3 {
		_ = s.explain(fmt.Errorf("store document: %w", store.ErrStoreGone))
		_ = s.explain(fmt.Errorf("write: %w", syscall.ENOSPC))
	}
	_ = s.explain(errors.New("another"))
	if n := strings.Count(log.String(), "request failed"); n != 2 {
		t.Errorf("%d lines, want one for the store and one for another: %s", n, log.String())
	}
}
