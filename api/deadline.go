package api

import (
	"io"
	"net/http"
	"time"
)

const (
	// readWithin is how long a sender may be silent in the middle of a document.
	readWithin = 30 * time.Second
	// receiveWithin is how long a document may take in all.
	receiveWithin = 30 * time.Minute
	// answerWithin is how long an answer may take that is not held.
	answerWithin = time.Minute
)

// patient reads a request's body for as long as it keeps coming: a large document
// over a slow line takes its time, a sender that stops does not.
type patient struct {
	r   io.Reader
	ctl *http.ResponseController
	end time.Time
}

func newPatient(w http.ResponseWriter, r *http.Request) *patient {
	return &patient{r: r.Body, ctl: http.NewResponseController(w), end: time.Now().Add(receiveWithin)}
}

func (p *patient) Read(b []byte) (int, error) {
	until := time.Now().Add(readWithin)
	if until.After(p.end) {
		until = p.end
	}
	_ = p.ctl.SetReadDeadline(until) // Not every connection has one.
	return p.r.Read(b)
}

// answerIn gives an answer the time to be held for d and written.
func answerIn(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d + answerWithin)) // Not every connection has one.
}
