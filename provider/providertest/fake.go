// Package providertest has what tests of a provider need: a scripted fake
// vendor that speaks over real HTTP, and a conformance suite that every
// provider passes.
//
// The fake knows no vendor. A Dialect tells it how one words its answers, and a
// script says what happens: pending three times, then done; a connection that
// breaks before the request was read; an answer that stops in the middle. Real
// requests travel over real sockets, because most of what goes wrong with a
// vendor goes wrong there.
package providertest

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
)

// Op is one of the calls a vendor's API has.
type Op string

// The calls. Upload goes to a host of its own; a probe is a Ready.
const (
	OpSubmit Op = "submit"
	OpOpen   Op = "open"
	OpUpload Op = "upload"
	OpPoll   Op = "poll"
	OpReady  Op = "ready"
)

// Dialect says how one vendor words its calls and answers.
type Dialect struct {
	// Op says which call of the API a request is and, for a poll, which
	// extraction it is about.
	Op func(r *http.Request) (op Op, id string)
	// Document finds the document in the body of a submission or an upload.
	Document func(body []byte) ([]byte, error)

	// Submitted answers a submission in one step.
	Submitted func(id string) Reply
	// Opened answers the first of two steps; nil where there are none.
	Opened func(id, uploadURL string) Reply
	// Pending are the answers to a poll in every state that is not final.
	Pending func(id string) []Reply
	// Unknown answers a poll with an unknown state.
	Unknown func(id string) Reply
	// Done, Failed and Expired answer a poll with a final state. Expired is nil
	// where the vendor has no such state.
	Done    func(id string) Reply
	Failed  func(id, reason string) Reply
	Expired func(id string) Reply
	// Ready answers a list of what is finished.
	Ready func(ids ...string) Reply
}

// Reply is one answer.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// JSON is a 200 with a JSON body.
func JSON(body string) Reply {
	return Reply{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// Request is what the fake saw of a request.
type Request struct {
	Op     Op
	ID     string
	Method string
	Host   string
	// Path and Query are as they came over the wire.
	Path  string
	Query string
	// Header is everything but Host.
	Header http.Header
	// Chunked reports a body without an announced length.
	Chunked bool
	// Body is as much of the body as arrived, SHA256 its digest in hex.
	Body   []byte
	Size   int64
	SHA256 string
	// Complete reports that the body arrived to its end.
	Complete bool
}

// Fake is a vendor: an API, and next to it a store on another port that takes
// uploads and serves large answers.
type Fake struct {
	// URL is the API's base URL.
	URL string
	// StoreURL is the base URL of the other host.
	StoreURL string

	dialect Dialect
	closing chan struct{}
	arrived chan Op

	mu      sync.Mutex
	scripts map[Op][]Step
	seen    []Request
}

// NewFake starts a vendor that does everything right until it is told
// otherwise, and stops it when the test ends.
func NewFake(t testing.TB, d Dialect) *Fake {
	t.Helper()
	f := &Fake{
		dialect: d, closing: make(chan struct{}), arrived: make(chan Op, 1024),
		scripts: map[Op][]Step{},
	}
	f.URL = serve(t, http.HandlerFunc(f.api))
	f.StoreURL = serve(t, http.HandlerFunc(f.store))
	// Runs before the servers close: they wait for their handlers.
	t.Cleanup(func() { close(f.closing) })
	return f
}

func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL
}

// On sets the script of one call. The last step repeats.
func (f *Fake) On(op Op, steps ...Step) *Fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts[op] = slices.Clone(steps)
	return f
}

// Requests are the requests of one call so far.
func (f *Fake) Requests(op Op) []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Request
	for _, r := range f.seen {
		if r.Op == op {
			out = append(out, r)
		}
	}
	return out
}

// Arrived delivers the call of every request as it comes in.
func (f *Fake) Arrived() <-chan Op { return f.arrived }

// The parts of a signed URL that no error may show.
const (
	SignedSecret     = "5ecre7516na7ure0123456789abcdef"
	SignedCredential = "AKIAFAKE%2F20260706%2Fus-west-2%2Fs3%2Faws4_request"
	SignedToken      = "IQoJb3JpZ2luX2VjEFake%2F%2F%2F%2FToken%3D%3D"
)

// SignedURL is an upload URL of the store, in the form of S3.
func (f *Fake) SignedURL(id string) string {
	return f.StoreURL + "/EXTRACTION_UPLOAD/" + url.PathEscape(id) +
		"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&X-Amz-Credential=" + SignedCredential +
		"&X-Amz-Date=20260706T201944Z&X-Amz-Expires=900&X-Amz-Security-Token=" + SignedToken +
		"&X-Amz-Signature=" + SignedSecret + "&X-Amz-SignedHeaders=host" +
		"&x-amz-checksum-crc32=AAAAAA%3D%3D&x-id=PutObject"
}

// api handles the requests to the API.
func (f *Fake) api(w http.ResponseWriter, r *http.Request) {
	op, id := f.dialect.Op(r)
	f.serve(w, r, op, id)
}

// store handles the requests to the other host.
func (f *Fake) store(w http.ResponseWriter, r *http.Request) {
	f.serve(w, r, OpUpload, "")
}

func (f *Fake) serve(w http.ResponseWriter, r *http.Request, op Op, id string) {
	x := &Exchange{Fake: f, W: w, R: r, Op: op, ID: id}
	select {
	case f.arrived <- op:
	default:
	}
	f.next(op).do(x)
	x.record()
}

// next takes the next step of a script.
func (f *Fake) next(op Op) Step {
	f.mu.Lock()
	defer f.mu.Unlock()
	script := f.scripts[op]
	if len(script) == 0 {
		return Fine()
	}
	step := script[0]
	switch {
	case step.times > 1:
		script[0].times--
	case len(script) > 1:
		f.scripts[op] = script[1:]
	}
	return step
}

// maxKept bounds what is kept of a request's body.
const maxKept = 16 << 20

// Exchange is one request and its answer, as a Step sees it.
type Exchange struct {
	Fake *Fake
	W    http.ResponseWriter
	R    *http.Request
	Op   Op
	ID   string

	once sync.Once
}

// Read reads the request's body to its end and records the request.
func (x *Exchange) Read() {
	x.once.Do(func() {
		body, err := io.ReadAll(io.LimitReader(x.R.Body, maxKept))
		x.keep(body, err == nil && (x.R.ContentLength < 0 || int64(len(body)) == x.R.ContentLength))
	})
}

// record records a request whose body no step wanted.
func (x *Exchange) record() { x.once.Do(func() { x.keep(nil, false) }) }

func (x *Exchange) keep(body []byte, complete bool) {
	sum := sha256.Sum256(body)
	req := Request{
		Op: x.Op, ID: x.ID, Method: x.R.Method, Host: x.R.Host,
		Path: x.R.URL.EscapedPath(), Query: x.R.URL.RawQuery, Header: x.R.Header.Clone(),
		Chunked: len(x.R.TransferEncoding) > 0, Body: body, Size: int64(len(body)),
		SHA256: hex.EncodeToString(sum[:]), Complete: complete,
	}
	x.Fake.mu.Lock()
	defer x.Fake.mu.Unlock()
	x.Fake.seen = append(x.Fake.seen, req)
}

// Reply sends an answer.
func (x *Exchange) Reply(r Reply) {
	maps.Copy(x.W.Header(), r.Header)
	x.W.WriteHeader(max(r.Status, http.StatusOK))
	_, _ = io.WriteString(x.W, r.Body)
}
