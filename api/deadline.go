package api

import (
	"io"
	"net/http"
	"time"
)

// readLimits bound how slowly a body may arrive.
type readLimits struct {
	// silence is how long the sender may pause, and how long a slow sender has before its
	// rate counts.
	silence time.Duration
	// rate is the least average number of bytes a second: a byte now and then would hold a
	// connection forever.
	rate int64
}

var defaultReadLimits = readLimits{silence: 30 * time.Second, rate: 2 << 10}

const (
	// receiveWithin bounds the time to receive a document.
	receiveWithin = 30 * time.Minute
	// answerWithin bounds the time to write an answer that is not held.
	answerWithin = time.Minute
)

// pacedBody reads a request's body as long as it keeps arriving: a large document may take
// its time on a slow line, a sender that stops may not.
type pacedBody struct {
	readLimits

	r     io.Reader
	ctl   *http.ResponseController
	began time.Time
	read  int64
	err   error // The error that ended the body.
}

func newPacedBody(w http.ResponseWriter, r *http.Request, p readLimits) *pacedBody {
	return &pacedBody{readLimits: p, r: r.Body, ctl: http.NewResponseController(w), began: time.Now()}
}

func (p *pacedBody) Read(b []byte) (int, error) {
	if p.err != nil {
		// The body has ended, and the server now watches for the end of the connection: a
		// read deadline would look like that, to this request and to all later ones on the
		// connection.
		return 0, p.err
	}
	_ = p.ctl.SetReadDeadline(p.until(time.Now())) // Some connections have no deadlines.
	n, err := p.r.Read(b)
	p.read += int64(n)
	p.err = err
	return n, err
}

// until is when the next bytes must have arrived.
func (p *pacedBody) until(now time.Time) time.Time {
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

// answerIn gives an answer time to be held for d and written.
func answerIn(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d + answerWithin)) // Some connections have no deadlines.
}
