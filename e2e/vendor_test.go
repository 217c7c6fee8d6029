package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/sandbox"
)

// op is a kind of request to a vendor.
type op string

const (
	opOpen   op = "open"   // Sensible: asks for an upload URL.
	opPut    op = "put"    // Sensible: sends the document there.
	opSubmit op = "submit" // Typless: sends the document.
	opPoll   op = "poll"   // Asks for one extraction.
	opReady  op = "ready"  // Asks which are finished.
	opOther  op = "other"
)

func opOf(r *http.Request) op {
	p := r.URL.Path
	switch {
	case r.Method == http.MethodPut:
		return opPut
	case strings.Contains(p, "/generate_upload_url"):
		return opOpen
	case strings.HasSuffix(p, "/extract-data-async"):
		return opSubmit
	case strings.Contains(p, "/documents/"), strings.HasSuffix(p, "/get-extraction-data"):
		return opPoll
	case strings.HasSuffix(p, "/awaiting-poll"), strings.HasSuffix(p, "/extractions"):
		return opReady
	}
	return opOther
}

// call is one request that arrived at the vendor.
type call struct {
	Op     op
	Method string
	URL    *url.URL
	Header http.Header
	// Length is what the request announced, Body what arrived. Of a submission
	// in one call Body is the document in it.
	Length int64
	Body   []byte
	// Broken reports that the client gave up before the end of the body.
	Broken bool
	// Status is that of the sandbox's answer, 0 where it was not asked; the
	// client need not have seen it.
	Status int
	// VendorID is the extraction that the request is about.
	VendorID string
	At       time.Time
}

// vendor is a sandbox that remembers what it was asked and does what a test
// tells it to.
type vendor struct {
	URL string

	box  *sandbox.Sandbox
	done chan struct{} // Closed at the end: nothing is held any longer.

	mu         sync.Mutex
	calls      []*call
	arrived    map[op]int
	rules      []rule
	signatures []string
}

// rule is a misbehaviour for some requests of a kind.
type rule struct {
	op   op
	when func(n int) bool
	do   func(*exchange)
}

// newVendor runs a vendor until the test ends.
func newVendor(t *testing.T, cfg sandbox.Config) *vendor {
	t.Helper()
	v := &vendor{box: sandbox.New(cfg), done: make(chan struct{}), arrived: map[op]int{}}
	server := httptest.NewUnstartedServer(v)
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if tcp, ok := c.(*net.TCPConn); ok && s == http.StateNew {
			// By default the kernel takes tens of megabytes that are not read.
			_ = tcp.SetReadBuffer(vendorBuffer)
		}
	}
	server.Start()
	t.Cleanup(func() {
		close(v.done)
		server.Close()
		v.box.Close()
	})
	v.URL = server.URL
	return v
}

// vendorBuffer bounds what a connection holds that the vendor has not read.
const vendorBuffer = 1 << 20

// on makes the vendor treat the requests of a kind in its own way when the
// number of the request, counted from 0, is one that when accepts. The last rule
// that fits counts.
func (v *vendor) on(o op, when func(n int) bool, do func(*exchange)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rules = append(v.rules, rule{o, when, do})
}

func always(int) bool { return true }

// first accepts the first n requests.
func first(n int) func(int) bool { return func(i int) bool { return i < n } }

// every accepts one of k requests, the first of them at most times.
func every(k, most int) func(int) bool { return func(i int) bool { return i%k == 0 && i/k < most } }

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Op: opOf(r), Method: r.Method, URL: r.URL, Header: r.Header.Clone(), Length: r.ContentLength, At: time.Now()}
	x := &exchange{vendor: v, w: w, r: r, call: c}
	do := (*exchange).normal
	v.mu.Lock()
	v.calls = append(v.calls, c)
	n := v.arrived[c.Op]
	v.arrived[c.Op]++
	for _, rule := range v.rules {
		if rule.op == c.Op && rule.when(n) {
			do = rule.do
		}
	}
	v.mu.Unlock()
	do(x)
}

// asked is the number of requests of a kind so far.
func (v *vendor) asked(o op) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.arrived[o]
}

// log is a copy of the requests of a kind so far.
func (v *vendor) log(o op) []call {
	v.mu.Lock()
	defer v.mu.Unlock()
	var out []call
	for _, c := range v.calls {
		if c.Op == o {
			out = append(out, *c)
		}
	}
	return out
}

// takenBy is, for each document by its digest, under which ids the vendor has
// taken it. Whatever the client was told, each id is one bill.
func (v *vendor) takenBy() map[string][]string {
	out := map[string][]string{}
	for _, c := range slices.Concat(v.log(opPut), v.log(opSubmit)) {
		if c.Status/100 != 2 {
			continue
		}
		if sum := digest(c.Body); !slices.Contains(out[sum], c.VendorID) {
			out[sum] = append(out[sum], c.VendorID)
		}
	}
	return out
}

// wantOnce fails the test unless the vendor has taken each document exactly
// once, and nothing else.
func (v *vendor) wantOnce(t *testing.T, docs []document) {
	t.Helper()
	taken := v.takenBy()
	for _, d := range docs {
		if n := len(taken[d.sha256]); n != 1 {
			t.Errorf("the vendor has taken %s %d times, want once: %v", d.name, n, taken[d.sha256])
		}
		delete(taken, d.sha256)
	}
	if len(taken) > 0 {
		t.Errorf("the vendor has taken %d documents that were never submitted", len(taken))
	}
}

// uploadSignatures are the secrets in the upload URLs that the vendor has given
// out.
func (v *vendor) uploadSignatures() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.signatures)
}

// learn notes what the sandbox's answer says about the request.
func (v *vendor) learn(c *call, answer *httptest.ResponseRecorder) {
	var said struct {
		ID           string `json:"id"`
		ExtractionID string `json:"extraction_id"`
		UploadURL    string `json:"upload_url"`
	}
	_ = json.NewDecoder(bytes.NewReader(answer.Body.Bytes())).Decode(&said) // Not every answer is JSON.
	v.mu.Lock()
	defer v.mu.Unlock()
	c.Status = answer.Code
	switch c.Op {
	case opPut:
		c.VendorID = path.Base(c.URL.Path)
	case opOpen:
		c.VendorID = said.ID
		if u, err := url.Parse(said.UploadURL); err == nil {
			v.signatures = append(v.signatures, u.Query().Get("X-Amz-Signature"))
		}
	case opSubmit:
		c.VendorID = said.ExtractionID
	case opPoll, opReady, opOther:
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
