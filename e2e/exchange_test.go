package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
)

// exchange is one request that a rule of the vendor decides about. A rule calls
// serve, which lets the sandbox act, and then reply or lose; or it refuses the
// request without the sandbox.
type exchange struct {
	*vendor

	w      http.ResponseWriter
	r      *http.Request
	call   *call
	read   bool
	raw    []byte
	answer *httptest.ResponseRecorder
}

// normal is what happens without a rule.
func (x *exchange) normal() {
	x.serve()
	x.reply()
}

// receive reads the request's body. A client that gives up in the middle has
// submitted nothing, and the exchange is over.
func (x *exchange) receive() {
	if x.read {
		return
	}
	x.read = true
	raw, err := io.ReadAll(x.r.Body)
	document := raw
	if x.call.Op == opSubmit && err == nil {
		document = submittedFile(raw)
	}
	x.mu.Lock()
	x.call.Body, x.call.Broken = document, err != nil
	x.mu.Unlock()
	if err != nil {
		x.lose()
	}
	x.raw = raw
}

// submittedFile is the document in the body of a submission in one call.
func submittedFile(body []byte) []byte {
	var s struct {
		File []byte `json:"file"`
	}
	_ = json.Unmarshal(body, &s) // The sandbox refuses what is no such body.
	return s.File
}

// serve lets the sandbox act on the request, and keeps its answer.
func (x *exchange) serve() {
	x.receive()
	r := x.r.Clone(x.r.Context())
	r.Body = io.NopCloser(bytes.NewReader(x.raw))
	x.answer = httptest.NewRecorder()
	x.box.Handler().ServeHTTP(x.answer, r)
	x.learn(x.call, x.answer)
}

// reply gives the sandbox's answer to the client.
func (x *exchange) reply() {
	maps.Copy(x.w.Header(), x.answer.Header())
	x.w.WriteHeader(x.answer.Code)
	_, _ = x.w.Write(x.answer.Body.Bytes()) // The client may be gone.
}

// lose breaks the connection.
func (x *exchange) lose() { panic(http.ErrAbortHandler) }

// refuse answers in the sandbox's place.
func (x *exchange) refuse(status int, body string) {
	x.receive()
	x.w.WriteHeader(status)
	_, _ = io.WriteString(x.w, body)
}

// gate holds requests until it is opened.
type gate struct {
	opened chan struct{}
	once   sync.Once
}

func newGate() *gate { return &gate{opened: make(chan struct{})} }

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

// hold waits for a gate.
func (x *exchange) hold(g *gate) {
	select {
	case <-g.opened:
	case <-x.done:
		x.lose()
	}
}

// answerLost does what was asked, but the client never hears of it.
func answerLost(x *exchange) {
	x.serve()
	x.lose()
}

// requestLost loses the request before anything was done.
func requestLost(x *exchange) { x.lose() }
