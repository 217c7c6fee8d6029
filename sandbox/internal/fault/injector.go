package fault

import (
	"bytes"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Dialect is what an injector must know of a vendor.
type Dialect struct {
	// Name tells vendors apart: each has its own count of calls.
	Name string
	// Op is what a request is; empty for one that is left alone.
	Op func(*http.Request) Op
	// Refuse answers with 429 (and Retry-After) or 500 as the vendor would.
	Refuse func(w http.ResponseWriter, r *http.Request, status int)
}

// Injector decides the fate of requests. It goes by the count: with the same seed
// and rules the nth call of an op has the same fate in every run, whatever it is
// about.
type Injector struct {
	rules  []Rule
	seed   uint64
	logger *slog.Logger
	closed chan struct{}
	close  sync.Once

	mu    sync.Mutex
	calls map[string]uint64
}

// New returns an injector of the faults in rules. Where several would happen to
// a call the first does.
func New(rules []Rule, seed uint64, logger *slog.Logger) *Injector {
	return &Injector{rules: rules, seed: seed, logger: logger, closed: make(chan struct{}), calls: map[string]uint64{}}
}

// Close breaks the connections whose answers are kept back.
func (i *Injector) Close() { i.close.Do(func() { close(i.closed) }) }

// Around injects faults into the calls of a vendor's handler.
func (i *Injector) Around(d Dialect, next http.Handler) http.Handler {
	if len(i.rules) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op := d.Op(r)
		if op == "" {
			next.ServeHTTP(w, r)
			return
		}
		rule, ok := i.fate(d.Name, op)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		i.logger.DebugContext(r.Context(), "fault injected",
			slog.String("op", string(op)), slog.String("fault", rule.String()), slog.String("path", r.URL.Path))
		i.inject(rule, d, w, r, next)
	})
}

// fate draws what happens to the next call of an op.
func (i *Injector) fate(name string, op Op) (Rule, bool) {
	of := name + " " + string(op)
	i.mu.Lock()
	n := i.calls[of]
	i.calls[of]++
	i.mu.Unlock()
	for k, rule := range i.rules {
		if !rule.meets(op) {
			continue
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(of + " " + strconv.Itoa(k)))
		if rand.New(rand.NewPCG(i.seed^h.Sum64(), n)).Float64() < rule.Probability {
			return rule, true
		}
	}
	return Rule{}, false
}

// page is what nginx says for an upstream that is not there.
const page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

func (i *Injector) inject(rule Rule, d Dialect, w http.ResponseWriter, r *http.Request, next http.Handler) {
	switch rule.Kind {
	case TooMany:
		d.Refuse(w, r, http.StatusTooManyRequests)
	case Internal:
		d.Refuse(w, r, http.StatusInternalServerError)
	case Gateway:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, page)
	case DropBefore:
		drop()
	case DropAfter:
		handled(next, w, r)
		drop()
	case Truncated:
		a := handled(next, w, r)
		a.body.Truncate(a.body.Len() / 2)
		a.send(w)
	case Slow:
		a := handled(next, w, r)
		i.wait(r, rule.Delay)
		a.send(w)
	}
}

// drop breaks the connection; net/http takes this panic for what it is.
func drop() { panic(http.ErrAbortHandler) }

// wait returns after d. It returns earlier when the client leaves or
// the injector is closed.
func (i *Injector) wait(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		drop()
	case <-i.closed:
		drop()
	}
}

// answer is an answer that was not sent yet.
type answer struct {
	http.ResponseWriter // for what a recorder has no answer to: see Unwrap
	header              http.Header
	status              int
	body                bytes.Buffer
}

// handled lets next handle r and keeps its answer.
func handled(next http.Handler, w http.ResponseWriter, r *http.Request) *answer {
	a := &answer{ResponseWriter: w, header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(a, r)
	return a
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// Unwrap lets http.MaxBytesReader close the connection of a body that is too
// large.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}
