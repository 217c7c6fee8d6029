package providertest

import (
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Step is what happens to one request, or to several in a row.
type Step struct {
	times int
	do    func(*Exchange)
}

// Do returns a step of its own making.
func Do(do func(*Exchange)) Step { return Step{times: 1, do: do} }

// Run does the step to one exchange, as a part of another step.
func (s Step) Run(x *Exchange) { s.do(x) }

// Times repeats a step.
func (s Step) Times(n int) Step {
	s.times = n
	return s
}

// Answer reads the request and gives an answer.
func Answer(r Reply) Step {
	return Do(func(x *Exchange) {
		x.Read()
		x.Reply(r)
	})
}

// Status reads the request and answers with a status and a body, whose content
// type is told from its first character.
func Status(code int, body string, header ...string) Step {
	kind := "text/plain"
	switch {
	case body == "":
	case body[0] == '{' || body[0] == '[':
		kind = "application/json"
	case body[0] == '<':
		kind = "text/html"
	}
	h := http.Header{"Content-Type": {kind}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return Answer(Reply{Status: code, Header: h, Body: body})
}

// RateLimit refuses with 429 and the seconds to wait.
func RateLimit(d time.Duration) Step {
	return Status(http.StatusTooManyRequests, `{"error":"Rate limit exceeded"}`,
		"Retry-After", strconv.Itoa(int(d.Seconds())))
}

// Fine does what the vendor does when nothing is wrong: it takes what it is
// sent, and whatever is asked for is done.
func Fine() Step {
	return Do(func(x *Exchange) {
		x.Read()
		d := x.Fake.dialect
		switch x.Op {
		case OpSubmit:
			x.Reply(d.Submitted(VendorID))
		case OpOpen:
			x.Reply(d.Opened(VendorID, x.Fake.SignedURL(VendorID)))
		case OpUpload:
			x.Reply(Reply{})
		case OpPoll:
			x.Reply(d.Done(x.ID))
		case OpReady:
			x.Reply(d.Ready())
		default:
			x.Reply(Reply{Status: http.StatusNotFound, Body: "Not found"})
		}
	})
}

// VendorID is the id that the fake gives to every submission.
const VendorID = "14d82783-0d3d-4105-92c2-768f8360b934"

// Pending answers n polls with the vendor's states that are not final, in turn.
func Pending(n int) Step {
	turn := 0
	return Do(func(x *Exchange) {
		x.Read()
		replies := x.Fake.dialect.Pending(x.ID)
		x.Fake.mu.Lock()
		reply := replies[turn%len(replies)]
		turn++
		x.Fake.mu.Unlock()
		x.Reply(reply)
	}).Times(n)
}

// Done answers a poll with a result.
func Done() Step {
	return Do(func(x *Exchange) {
		x.Read()
		x.Reply(x.Fake.dialect.Done(x.ID))
	})
}

// Fail answers a poll with the vendor's verdict.
func Fail(reason string) Step {
	return Do(func(x *Exchange) {
		x.Read()
		x.Reply(x.Fake.dialect.Failed(x.ID, reason))
	})
}

// DropBefore resets the connection without reading the request's body.
func DropBefore() Step { return Do(drop) }

// DropAfter reads the request's body and then resets the connection.
func DropAfter() Step {
	return Do(func(x *Exchange) {
		x.Read()
		drop(x)
	})
}

func drop(x *Exchange) {
	conn, _, err := x.W.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, not an orderly end
	}
	_ = conn.Close()
}

// Truncate gives half of an answer and closes the connection.
func Truncate(r Reply) Step {
	return Do(func(x *Exchange) {
		x.Read()
		maps.Copy(x.W.Header(), r.Header)
		x.W.Header().Set("Content-Length", strconv.Itoa(len(r.Body)+100))
		x.W.WriteHeader(max(r.Status, http.StatusOK))
		_, _ = io.WriteString(x.W, r.Body[:len(r.Body)/2])
	})
}

// Slow reads the request and says nothing until the client gives up.
func Slow() Step {
	return Do(func(x *Exchange) {
		x.Read()
		x.wait()
	})
}

// SlowBody begins a good answer and then says nothing more.
func SlowBody() Step {
	return Do(func(x *Exchange) {
		x.Read()
		x.W.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(x.W, `{"id":`)
		_ = http.NewResponseController(x.W).Flush()
		x.wait()
	})
}

func (x *Exchange) wait() {
	select {
	case <-x.R.Context().Done():
	case <-x.Fake.closing:
	}
}

// Redirect answers with a redirect.
func Redirect(code int, to string) Step {
	return Status(code, "", "Location", to)
}
