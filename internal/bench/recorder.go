package bench

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// Recorder notes the calls that a sandbox answers.
type Recorder struct {
	next http.Handler

	mu    sync.Mutex
	calls []call
}

// NewRecorder notes the calls that next answers.
func NewRecorder(next http.Handler) *Recorder { return &Recorder{next: next} }

// call is one that was answered.
type call struct {
	at     time.Time
	op     op
	status int
}

// op is what a call is for.
type op string

const (
	opSubmit op = "submit"
	opUpload op = "upload"
	opPoll   op = "poll"
	opSweep  op = "sweep"
	opOther  op = "other"
)

// opOf tells it by the dialects' paths.
func opOf(method, path string) op {
	for _, p := range []struct {
		method, part string
		op           op
	}{
		{http.MethodPost, "/generate_upload_url", opSubmit},
		{http.MethodPost, "/extract_from_url", opSubmit},
		{http.MethodPost, "/extract-data-async", opSubmit},
		{http.MethodGet, "/documents/", opPoll},
		{http.MethodGet, "/get-extraction-data", opPoll},
		{http.MethodGet, "/extractions", opSweep},
		{http.MethodGet, "/awaiting-poll", opSweep},
		{http.MethodPut, "", opUpload},
	} {
		if method == p.method && strings.Contains(path, p.part) {
			return p.op
		}
	}
	return opOther
}

// ServeHTTP answers and notes.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	c := call{at: time.Now(), op: opOf(req.Method, req.URL.Path)}
	s := &status{ResponseWriter: w, code: http.StatusOK}
	r.next.ServeHTTP(s, req)
	c.status = s.code
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

// Reset forgets what was noted.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = nil
}

// Count puts what was noted into the outcome; rate is what the vendor allows.
func (r *Recorder) Count(o *Outcome, rate float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var first, last time.Time // Of the submissions that were taken.
	submits := 0
	for _, c := range r.calls {
		switch c.op {
		case opSubmit:
			o.Requests.Submit++
		case opUpload:
			o.Requests.Upload++
		case opPoll:
			o.Requests.Poll++
		case opSweep:
			o.Requests.Sweep++
		case opOther:
		}
		if c.status == http.StatusTooManyRequests {
			o.Refused++
			continue
		}
		if c.op == opSubmit {
			if first.IsZero() || c.at.Before(first) {
				first = c.at
			}
			if c.at.After(last) {
				last = c.at
			}
			submits++
		}
	}
	others := 0
	for _, c := range r.calls {
		if (c.op == opPoll || c.op == opSweep) && c.status != http.StatusTooManyRequests && c.at.Before(last) {
			others++
		}
	}
	o.Submits(last.Sub(first), submits, others, rate)
}

// status keeps the status of an answer.
type status struct {
	http.ResponseWriter

	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController find the original.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }
