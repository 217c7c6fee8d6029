package api

import (
	"io"
	"net/http"
	"time"
)

// patience is how long a document may take to come.
type patience struct {
	// silence is how long a sender may say nothing, and what a slow one has before
	// its rate counts.
	silence time.Duration
	// rate is the least number of bytes a second, all in all: a byte now and then
	// would hold a connection for ever.
	rate int64
}

var usualPatience = patience{silence: 30 * time.Second, rate: 2 << 10}

const (
	// receiveWithin is how long a document may take in all.
	receiveWithin = 30 * time.Minute
	// answerWithin is how long an answer may take that is not held.
	answerWithin = time.Minute
)

// patient reads a request's body for as long as it keeps coming: a large document
// over a slow line takes its time, a sender that stops does not.
type patient struct {
	patience

	r     io.Reader
	ctl   *http.ResponseController
	began time.Time
	read  int64
	err   error // How the body ended.
}

func newPatient(w http.ResponseWriter, r *http.Request, p patience) *patient {
	return &patient{patience: p, r: r.Body, ctl: http.NewResponseController(w), began: time.Now()}
}

func (p *patient) Read(b []byte) (int, error) {
	if p.err != nil {
		// The server listens for the end of the connection now: a deadline would be that
		// end to it, for this request and all that follow on the connection.
		return 0, p.err
	}
	_ = p.ctl.SetReadDeadline(p.until(time.Now())) // Not every connection has one.
	n, err := p.r.Read(b)
	p.read += int64(n)
	p.err = err
	return n, err
}

// until is when the next bytes must have come.
func (p *patient) until(now time.Time) time.Time {
	until := now.Add(p.silence)
	slowest := p.began.Add(p.silence + min(time.Duration(p.read/p.rate)*time.Second, receiveWithin))
	if slowest.Before(until) {
		until = slowest
	}
	if end := p.began.Add(receiveWithin); end.Before(until) {
		until = end
	}
	return until
}

// answerIn gives an answer the time to be held for d and written.
func answerIn(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d + answerWithin)) // Not every connection has one.
}
