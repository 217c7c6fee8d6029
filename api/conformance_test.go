package api

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/httpauth"
	"github.com/extractq/extractq/store"
)

// description is the API's own, and what of it has been seen.
type description struct {
	t        *testing.T
	compiler *jsonschema.Compiler
	// operations are "GET /v1/x", each with its description.
	operations map[string]map[string]any

	mu   sync.Mutex
	seen map[string]bool
}

// readDescription reads the description from a live server. A member of an answer
// that it does not name is an error here, although clients must bear it.
func readDescription(t *testing.T, r *rig) *description {
	t.Helper()
	text := r.do("GET", "/openapi.json", "").want(t, "description", 200).body
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d := &description{t: t, compiler: jsonschema.NewCompiler(), operations: map[string]map[string]any{}, seen: map[string]bool{}}
	for path, item := range object(parsed, "paths") {
		for method := range object(item) {
			d.operations[strings.ToUpper(method)+" "+path] = object(item, method)
		}
	}
	for _, s := range object(parsed, "components", "schemas") {
		if schema := object(s); schema["properties"] != nil && schema["additionalProperties"] == nil {
			schema["additionalProperties"] = false
		}
	}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("openapi.json", parsed); err != nil {
		t.Fatal(err)
	}
	return d
}

// object is a part of a JSON object that is one too; nil where there is none.
func object(v any, names ...string) map[string]any {
	m, _ := v.(map[string]any)
	for _, name := range names {
		m, _ = m[name].(map[string]any)
	}
	return m
}

// fits reports what is wrong with a JSON text by the schema at a place in an
// operation's description.
func (d *description) fits(op string, body []byte, place ...string) error {
	method, path, _ := strings.Cut(op, " ")
	var at strings.Builder
	at.WriteString("openapi.json#")
	for _, name := range append([]string{"paths", path, strings.ToLower(method)}, append(place, "schema")...) {
		at.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "*", "%2A").Replace(name))
	}
	schema, err := d.compiler.Compile(at.String())
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

// judge says what is wrong with an answer by the description.
func (d *description) judge(op string, a answer) (wrong []string) {
	status := strconv.Itoa(a.status)
	described := object(d.operations[op], "responses", status)
	if described == nil {
		return []string{"its status is not documented"}
	}
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	content := object(described, "content")
	switch {
	case content == nil && (len(a.body) > 0 || media != ""):
		wrong = append(wrong, "it has a body, and none is documented")
	case content != nil && content[media] == nil && content["*/*"] == nil:
		wrong = append(wrong, "its Content-Type "+media+" is not documented")
	case content[media] != nil && strings.HasSuffix(media, "json"):
		if err := d.fits(op, a.body, "responses", status, "content", media); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	for name, h := range object(described, "headers") {
		value, sent := "", len(a.header.Values(name)) > 0
		if sent {
			value = a.header.Get(name)
		} else if object(h)["required"] == true {
			wrong = append(wrong, "its header "+name+" is missing")
		}
		if kind := object(h, "schema")["type"]; sent && kind != "string" && !json.Valid([]byte(value)) {
			wrong = append(wrong, fmt.Sprintf("its header %s is %q, and no %v", name, value, kind))
		}
	}
	if a.status >= 400 && (a.json["detail"] == "" || fmt.Sprint(a.json["status"]) != status) {
		wrong = append(wrong, "it has no detail, or another status")
	}
	return wrong
}

// judgeRequest says what in a request that was taken is not in the description.
func (d *description) judgeRequest(x exchange, r *http.Request) (wrong []string) {
	known := map[string]bool{}
	parameters, _ := d.operations[x.op]["parameters"].([]any)
	for _, p := range parameters {
		if name, ok := object(p)["name"].(string); ok && object(p)["in"] == "query" {
			known[name] = true
		}
	}
	for name := range r.URL.Query() {
		if !known[name] && !strings.HasPrefix(name, "metadata.") && !strings.HasPrefix(name, "options.") {
			wrong = append(wrong, "its parameter "+name+" is not documented")
		}
	}
	if x.body != "" && r.Header.Get("Content-Type") == "application/json" {
		if err := d.fits(x.op, []byte(x.body), "requestBody", "content", "application/json"); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	return wrong
}

// exchange is one request and what must come of it.
type exchange struct {
	rig     *rig
	op      string // As the description names it.
	path    string // With values; empty for a path without any.
	body    string
	headers []string
	status  int
	// send makes the request in its own way.
	send func(*http.Request) (*http.Response, error)
}

// check makes a request, and judges the answer by the description; a request that
// is taken must be one of the description, too.
func (d *description) check(x exchange) answer {
	d.t.Helper()
	method, path, _ := strings.Cut(x.op, " ")
	if x.path != "" {
		path = x.path
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, x.rig.url+path, strings.NewReader(x.body))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i+1 < len(x.headers); i += 2 {
		req.Header.Add(x.headers[i], x.headers[i+1])
	}
	if x.send == nil {
		x.send = http.DefaultClient.Do
	}
	res, err := x.send(req)
	if err != nil {
		d.t.Errorf("%s (want %d): %v", x.op, x.status, err)
		return answer{}
	}
	defer func() { _ = res.Body.Close() }()
	a := answer{status: res.StatusCode, header: res.Header}
	if res.Header.Get("Content-Type") == "text/event-stream" {
		line, _ := bufio.NewReader(res.Body).ReadString('\n')
		a.body = []byte(line)
	} else if a.body, err = io.ReadAll(res.Body); err != nil {
		d.t.Errorf("%s: %v", x.op, err)
	}
	_ = json.Unmarshal(a.body, &a.json) // Not every answer is an object.
	what := x.op + " " + fmt.Sprint(res.StatusCode)
	if res.StatusCode != x.status {
		d.t.Errorf("%s: %s, want %d", what, a.body, x.status)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[what] = true
	for name := range res.Header {
		d.seen[what+" "+name] = true
	}
	for _, wrong := range d.judge(x.op, a) {
		d.t.Errorf("%s: %s\n%v\n%s", what, wrong, a.header, a.body)
	}
	if a.status < 300 {
		for _, wrong := range d.judgeRequest(x, req) {
			d.t.Errorf("%s: the request was taken, but %s", what, wrong)
		}
	}
	return a
}

// complete fails the test unless everything documented has been seen.
func (d *description) complete() {
	d.t.Helper()
	for op, described := range d.operations {
		for status, answer := range object(described, "responses") {
			what := op + " " + status
			if !d.seen[what] {
				d.t.Errorf("%s is documented, but no request of this test has it", what)
				continue
			}
			for name := range object(answer, "headers") {
				if !d.seen[what+" "+http.CanonicalHeaderKey(name)] {
					d.t.Errorf("%s: its header %s is documented, but never came", what, name)
				}
			}
		}
	}
}

// The server answers what its description says, all of it and nothing else: each
// status of each route, with its headers and its body.
func TestConformance(t *testing.T) {
	t.Parallel()
	keys := func(c *Config) {
		withHooks(c)
		c.Keys = []Key{
			{Name: "all", Digest: httpauth.Digest("all"), Operator: true},
			{Name: "c1", Digest: httpauth.Digest("c1"), Customer: "c1"},
		}
	}
	open := newRig(t, keys)
	open.headers = []string{"Authorization", "Bearer all"}
	d := readDescription(t, open)
	d.refusedAlike(open, newRig(t, withHooks))
	d.submissions(open)
	d.single(open)
	d.many(open)
	d.hook(open)
	d.slow(open)
	d.complete()
}

// sample is a request for each operation that nothing is wrong with, but that there
// may be no such thing.
func (d *description) sample(op string) exchange {
	x := exchange{op: op}
	_, path, _ := strings.Cut(op, " ")
	x.path = strings.NewReplacer("{id}", "01JD0Z3M9V7Q8W2R5T6Y4X1C0B", "{account}", "acme", "{batch}", "b", "{token}", hookToken).Replace(path)
	if d.operations[op]["requestBody"] != nil {
		x.headers, x.body = []string{"Content-Type", "application/json"}, `{"ids":["01JD0Z3M9V7Q8W2R5T6Y4X1C0B"]}`
	}
	switch op {
	case "POST /v1/hooks/{account}/{token}":
		x.body = `{"id":"v-1"}`
	case "POST /v1/extractions":
		x.body = `{"account":"acme","type":"t","vendor_id":"v0"}`
	}
	return x
}

// refusedAlike has what every operation answers for the same reason: no key, another
// site, no Redis, a query that is none; where there is a body, one that is none.
func (d *description) refusedAlike(open, local *rig) {
	broken := newRig(d.t, withHooks, func(c *Config) { c.States = &fakeAccounts{away: errors.New("no Redis")} })
	broken.redis.Kill()
	var all sync.WaitGroup
	defer all.Wait()
	for _, op := range slices.Sorted(maps.Keys(d.operations)) {
		away := d.sample(op)
		away.rig, away.status = broken, http.StatusServiceUnavailable
		all.Go(func() { d.check(away) }) // The client tries for a while.
		x := d.sample(op)
		x.rig, x.status, x.body = local, http.StatusBadRequest, "{"
		if d.operations[op]["requestBody"] != nil {
			d.check(x)
		}
		if d.operations[op]["security"] != nil {
			continue // It is for vendors, and has ways of its own.
		}
		x = d.sample(op)
		x.rig, x.status = open, http.StatusUnauthorized
		d.check(x)
		x = d.sample(op)
		x.rig, x.status, x.headers = local, http.StatusForbidden, append(x.headers, "Origin", "https://evil.test")
		d.check(x)
		x = d.sample(op)
		x.rig, x.status, x.path = local, http.StatusUnprocessableEntity, x.path+"?a;b=%zz"
		d.check(x)
		if x.body == "" {
			continue
		}
		x = d.sample(op)
		x.rig, x.status, x.headers = local, http.StatusUnsupportedMediaType, []string{"Content-Type", "application/x-none;;"}
		d.check(x)
		x = d.sample(op)
		x.rig, x.status = local, http.StatusRequestEntityTooLarge
		x.body = `{"document_base64":"` + strings.Repeat("QUJD", 400_000) + `"}`
		d.check(x)
	}
}

// slow has the bodies that do not come to their end in time, all at once.
func (d *description) slow(r *rig) {
	var all sync.WaitGroup
	for _, op := range slices.Sorted(maps.Keys(d.operations)) {
		x := d.sample(op)
		if x.body == "" {
			continue
		}
		x.rig, x.status, x.headers = r, http.StatusRequestTimeout, append(x.headers, r.headers...)
		x.send = func(req *http.Request) (*http.Response, error) {
			body, rest := io.Pipe()
			defer func() { _ = rest.Close() }()
			go func() { _, _ = rest.Write([]byte(`{"ids":`)) }()
			req.Body, req.ContentLength = body, 1000
			return http.DefaultClient.Do(req)
		}
		all.Go(func() { d.check(x) })
	}
	all.Wait()
}

// submissions has what POST /v1/extractions answers.
func (d *description) submissions(r *rig) {
	post := func(status int, query, body string, headers ...string) answer {
		return d.check(exchange{
			rig: r, op: "POST /v1/extractions", path: "/v1/extractions?" + query, body: body, status: status,
			headers: append(headers, r.headers...),
		})
	}
	const query = "account=acme&type=t"
	first := post(202, query, pdf, "Content-Type", "application/pdf", "Idempotency-Key", "k1")
	post(202, query, pdf, "Content-Type", "application/pdf", "Idempotency-Key", "k1")
	r.finish(first.id(), extraction.StatusSuccess)
	post(200, query, pdf, "Content-Type", "application/pdf", "Idempotency-Key", "k1")
	post(422, query, pdf+"!", "Idempotency-Key", "k1")
	formBody, formType := form(d.t, pdf+" in a form", "account", "acme", "type", "t", "metadata.a", "b")
	post(202, "", formBody, "Content-Type", formType)
	post(202, "", `{"account":"acme","types":["t"],"options":{"a":[1,null]},"document_url":"https://x.test/a.pdf","callback_url":"https://x.test/"}`,
		"Content-Type", "application/json")
	post(202, "", `{"account":"acme","type":"t","vendor_id":"v1"}`, "Content-Type", "application/json")
	post(409, "", `{"account":"acme","type":"t","vendor_id":"v1"}`, "Content-Type", "application/json")
	// Another request with the key is under way.
	sum := sha256.Sum256([]byte("all\nk2"))
	done, ok, err := r.records.Receive(d.t.Context(), "acme", hex.EncodeToString(sum[:]))
	if !ok || err != nil {
		d.t.Fatal(ok, err)
	}
	if a := post(409, query, pdf, "Idempotency-Key", "k2"); a.header.Get("Retry-After") != "1" {
		d.t.Errorf("while the first is received: %v", a.header)
	}
	done()
	for range 2 {
		post(202, "account=other&type=t", pdf)
	}
	post(429, "account=other&type=t", pdf)
	post(415, query, "BM\x00\x00", "Content-Type", "image/bmp")
}

// single has what the routes of one thing answer.
func (d *description) single(r *rig) {
	const unknown = "01JD0Z3M9V7Q8W2R5T6Y4X1C0B"
	call := func(status int, op, id string) {
		path := strings.NewReplacer("{id}", id, "{account}", id, "{batch}", id).Replace(op)
		_, path, _ = strings.Cut(path, " ")
		op, _, _ = strings.Cut(op, "?")
		d.check(exchange{rig: r, op: op, path: path, status: status, headers: r.headers})
	}
	done := r.submit("account=acme&type=t&batch=b&customer=c1&callback_url=https://x.test/", r.headers...)
	r.finish(done, extraction.StatusSuccess)
	failed := r.submit("account=acme&type=t&batch=b", r.headers...)
	r.finish(failed, extraction.StatusError)
	running := r.submit("account=acme&type=t&batch=b", r.headers...)
	for _, id := range []string{done, failed, running} {
		call(200, "GET /v1/extractions/{id}?wait=0", id)
	}
	call(200, "GET /v1/extractions/{id}/result", done)
	call(200, "GET /v1/extractions/{id}/document", done)
	damaged := r.submit("account=acme&type=t", r.headers...)
	r.finishWith(damaged, extraction.StatusSuccess, new(store.Change).Vendor("v-"+damaged))
	r.loseResult(damaged)
	call(404, "GET /v1/extractions/{id}/result", damaged)
	call(200, "POST /v1/extractions/{id}/retry", damaged)
	call(202, "POST /v1/extractions/{id}/retry?resubmit=true", failed)
	call(409, "POST /v1/extractions/{id}/retry", failed)
	call(409, "POST /v1/extractions/{id}/cancel", done)
	call(200, "POST /v1/extractions/{id}/cancel", running)
	call(204, "DELETE /v1/extractions/{id}", running)
	call(204, "DELETE /v1/extractions/{id}", running)
	call(200, "GET /v1/batches", "")
	call(200, "GET /v1/batches/{batch}", "b")
	call(200, "GET /v1/accounts", "")
	for _, op := range []string{"GET /v1/accounts/{account}", "POST /v1/accounts/{account}/pause", "POST /v1/accounts/{account}/resume"} {
		call(200, op, "acme")
		call(404, op, "nobody")
	}
	for _, op := range []string{
		"GET /v1/extractions/{id}", "GET /v1/extractions/{id}/result", "GET /v1/extractions/{id}/document",
		"POST /v1/extractions/{id}/retry", "POST /v1/extractions/{id}/cancel", "DELETE /v1/extractions/{id}", "GET /v1/batches/{batch}",
		"GET /v1/events?extraction={id}",
	} {
		call(404, op, unknown)
	}
	call(200, "GET /v1/events", "")
	var last string
	events, _ := r.listen(d.t.Context(), "extraction="+done, "", r.headers...)
	for e := range events {
		last = e.id
	}
	d.check(exchange{
		rig: r, op: "GET /v1/events", path: "/v1/events?extraction=" + done, status: 204, headers: append(r.headers, "Last-Event-ID", last),
	})
}

// hook has what the way in for vendors answers.
func (d *description) hook(r *rig) {
	const op = "POST /v1/hooks/{account}/{token}"
	x := d.sample(op)
	x.rig, x.status = r, http.StatusNoContent
	d.check(x)
	x.status, x.path = http.StatusNotFound, "/v1/hooks/acme/wrong"
	d.check(x)
	x = d.sample(op)
	x.rig, x.status, x.body = r, http.StatusRequestEntityTooLarge, strings.Repeat(" ", maxHook+1)
	d.check(x)
	x = d.sample(op)
	x.rig, x.status, x.headers = r, http.StatusUnsupportedMediaType, append(x.headers, "Content-Encoding", "gzip")
	d.check(x)
}

// many has what the routes of many things answer.
func (d *description) many(r *rig) {
	for _, path := range []string{
		"?limit=2&account=acme&account=other&status=SUCCESS&status=QUEUED&since=2020-01-01T00:00:00Z", "?error=vendor_failed",
	} {
		d.check(exchange{rig: r, op: "GET /v1/extractions", path: "/v1/extractions" + path, status: 200, headers: r.headers})
	}
	d.check(exchange{rig: r, op: "GET /v1/ready", path: "/v1/ready?limit=1", status: 200, headers: r.headers})
	for _, op := range slices.Sorted(maps.Keys(d.operations)) {
		x := d.sample(op)
		if x.rig, x.status = r, 200; x.body == "" || op == "POST /v1/extractions" || strings.Contains(op, "{") {
			continue
		}
		x.headers = append(x.headers, r.headers...)
		d.check(x)
		if op == "POST /v1/ready/ack" {
			continue
		}
		x.body = `{"filter":{"batch":"b","status":["ERROR"],"since":"2020-01-01T00:00:00Z"},"dry_run":true}`
		d.check(x)
	}
}

// What is asked of a sender's pace: silence ends it, and a byte now and then does.
func TestPatience(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for _, tt := range []struct {
		read int64
		now  time.Duration
		want time.Duration
	}{
		{0, 0, 30 * time.Second},
		{0, 20 * time.Second, 30 * time.Second},
		{100, 20 * time.Second, 30 * time.Second},
		{20 * 2048, 20 * time.Second, 50 * time.Second},
		{100 << 20, 20 * time.Second, 50 * time.Second},
		{100 << 20, receiveWithin - time.Second, receiveWithin},
	} {
		p := &pacedBody{readLimits: defaultReadLimits, began: began, read: tt.read}
		if got := p.until(began.Add(tt.now)).Sub(began); got != tt.want {
			t.Errorf("after %v with %d bytes: until %v, want %v", tt.now, tt.read, got, tt.want)
		}
	}
}
