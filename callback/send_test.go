package callback

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
)

// What a producer sees: one POST with everything on it.
func TestRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	s := newSender(t, func(c *Config) { c.PublicURL, c.UserAgent = "https://q.example", "extractq/1" })
	r := send(t, s, deliveryTo(p.URL+"/hook?token=x"))
	if r.Outcome != OutcomeDelivered || r.Status != 202 || r.Problem != "" || r.Took <= 0 {
		t.Errorf("%+v", r)
	}
	if got.Method != http.MethodPost || got.URL.String() != "/hook?token=x" {
		t.Errorf("%s %s", got.Method, got.URL)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/cloudevents+json", "User-Agent": "extractq/1", "Webhook-Id": "01JD8Z3V5K7M9N0P2Q4R6S8T0W-d1",
		"Content-Length": fmt.Sprint(len(body)),
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if want, err := encodeEvent("https://q.example", deliveryTo("")); err != nil || string(body) != string(want) {
		t.Errorf("body %s, want %s, %v", body, want, err)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 6, 20, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		status int
		header []string // Name, value.
		want   Outcome
		wait   time.Duration
	}{
		{200, nil, OutcomeDelivered, 0},
		{204, nil, OutcomeDelivered, 0},
		{299, []string{"Retry-After", "5"}, OutcomeDelivered, 0},
		{300, nil, OutcomeRetry, 0},
		{304, nil, OutcomeRetry, 0},
		{400, nil, OutcomeRetry, 0},
		{401, nil, OutcomeRetry, 0},
		{404, nil, OutcomeRetry, 0},
		{410, []string{"Retry-After", "5"}, OutcomeGone, 0},
		{429, []string{"Retry-After", "120"}, OutcomeRetry, 2 * time.Minute},
		{429, []string{"Retry-After", "soon"}, OutcomeRetry, 10 * time.Second},
		{500, nil, OutcomeRetry, 0},
		{503, []string{"Retry-After", "Mon, 06 Jul 2026 20:01:30 GMT", "Date", "Mon, 06 Jul 2026 20:00:00 GMT"}, OutcomeRetry, 90 * time.Second},
		{503, []string{"Retry-After", "99999999999"}, OutcomeRetry, 24 * time.Hour},
		{599, nil, OutcomeRetry, 0},
		{999, nil, OutcomeRetry, 0},
	} {
		t.Run(fmt.Sprint(tt.status, tt.header), func(t *testing.T) {
			t.Parallel()
			p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for i := 0; i < len(tt.header); i += 2 {
					w.Header().Set(tt.header[i], tt.header[i+1])
				}
				w.WriteHeader(tt.status)
			})
			r := send(t, newSender(t, func(c *Config) { c.Now = func() time.Time { return now } }), deliveryTo(p.URL+"/?token=geheim"))
			if r.Outcome != tt.want || r.Status != tt.status || r.RetryAfter != tt.wait {
				t.Errorf("%+v, want %s after %s", r, tt.want, tt.wait)
			}
			if (r.Problem == "") != (tt.want == OutcomeDelivered) || strings.Contains(r.Problem, "geheim") {
				t.Errorf("problem %q", r.Problem)
			}
		})
	}
}

// Nonsense in place of an answer is an attempt to repeat, unless the status was
// there already. Nothing waits for it and nothing is read to its end.
func TestNonsense(t *testing.T) {
	t.Parallel()
	ok := "HTTP/1.1 200 OK\r\n"
	for name, tt := range map[string]struct {
		answer  string
		forever string // Repeated until the reader stops.
		hang    bool   // Keep the connection open afterwards.
		want    Outcome
		problem string
	}{
		"closed":          {"", "", false, OutcomeRetry, "the connection broke"},
		"half a line":     {"HTTP/1.1 20", "", false, OutcomeRetry, "the connection broke"},
		"not HTTP":        {"SSH-2.0-x\r\n", "", false, OutcomeRetry, "the connection broke"},
		"no status":       {"HTTP/1.1 abc OK\r\n\r\n", "", false, OutcomeRetry, "the connection broke"},
		"endless header":  {ok, "X: " + strings.Repeat("x", 1000) + "\r\n", false, OutcomeRetry, "the connection broke"},
		"endless 1xx":     {"", "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", false, OutcomeRetry, ""},
		"never":           {"", "", true, OutcomeRetry, "no answer within"},
		"half a header":   {ok + "X: y", "", true, OutcomeRetry, "no answer within"},
		"truncated body":  {ok + "Content-Length: 100\r\n\r\nabc", "", false, OutcomeDelivered, ""},
		"body that hangs": {ok + "Content-Length: 100\r\n\r\nabc", "", true, OutcomeDelivered, ""},
		"bad chunks":      {ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "", false, OutcomeDelivered, ""},
		"endless body":    {ok + "Transfer-Encoding: chunked\r\n\r\n", "3e8\r\n" + strings.Repeat("x", 1000) + "\r\n", false, OutcomeDelivered, ""},
		"upgrade":         {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "", true, OutcomeRetry, "101"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			written := make(chan int, 1)
			p := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = c.Close() }()
				n, _ := io.WriteString(c, tt.answer)
				for err == nil && tt.forever != "" {
					var more int
					more, err = io.WriteString(c, tt.forever)
					n += more
				}
				if tt.hang {
					_, _ = c.Read(make([]byte, 1)) // Until the other side gives up.
				}
				written <- n
			})
			s := newSender(t, func(c *Config) { c.Timeout = 3 * time.Second })
			begun := time.Now()
			r := send(t, s, deliveryTo(p.URL))
			if r.Outcome != tt.want || !strings.Contains(r.Problem, tt.problem) {
				t.Errorf("%+v, want %s and %q", r, tt.want, tt.problem)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			select {
			case n := <-written:
				// What is more than the limits is in the buffers of the kernel.
				if n > 16<<20 {
					t.Errorf("%d bytes were taken", n)
				}
			case <-time.After(20 * time.Second):
				t.Error("the connection is still open")
			}
		})
	}
}

// An answer's status is enough: a body that never ends costs a second, not the
// rest of the timeout.
func TestHangingBody(t *testing.T) {
	t.Parallel()
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "x")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	begun := time.Now()
	r := send(t, newSender(t, func(c *Config) { c.Timeout = time.Minute }), deliveryTo(p.URL))
	if took := time.Since(begun); r.Outcome != OutcomeDelivered || took < drainTime || took > 30*time.Second {
		t.Errorf("%+v after %s", r, took)
	}
}

// A producer that never answers is given up at the timeout, and a worker that
// stops does not wait even for that: what came of it is not known then.
func TestCancel(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	p := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	why := errors.New("stopping")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-arrived
		cancel(why)
	}()
	s := newSender(t, nil)
	if r, err := s.Send(ctx, noCustomer(p.URL)); !errors.Is(err, why) || r != (Result{}) {
		t.Errorf("Send = %+v, %v, want %v", r, err, why)
	}
	// The slot is free again.
	if n := inFlight(s, "host/127.0.0.1"); n != 0 {
		t.Errorf("%d attempts are in flight", n)
	}
}

func inFlight(s *Sender, name string) int {
	s.hosts.mu.Lock()
	defer s.hosts.mu.Unlock()
	return s.hosts.byID[name].inFlight
}

func TestTLS(t *testing.T) {
	t.Parallel()
	p := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X", r.Proto) }))
	p.EnableHTTP2 = true
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(p.Close)
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	trusting := func(c *Config) { c.TLS = &tls.Config{RootCAs: roots} }
	dns := &names{answers: map[string][]string{"hook.test.": {"127.0.0.1"}, "example.com.": {"127.0.0.1"}}}
	for name, tt := range map[string]struct {
		url     string
		change  func(*Config)
		want    Outcome
		problem string
	}{
		"by address":        {p.URL, trusting, OutcomeDelivered, ""},
		"by name":           {strings.Replace(p.URL, "127.0.0.1", "example.com", 1), trusting, OutcomeDelivered, ""},
		"another name":      {strings.Replace(p.URL, "127.0.0.1", "hook.test", 1), trusting, OutcomeRetry, "for another name"},
		"unknown authority": {p.URL, func(*Config) {}, OutcomeRetry, "unknown authority"},
		"expired": {p.URL, func(c *Config) {
			c.TLS = &tls.Config{RootCAs: roots, Time: func() time.Time { return time.Now().AddDate(200, 0, 0) }}
		}, OutcomeRetry, "expired"},
		"plain HTTP": {strings.Replace(p.URL, "https", "http", 1), trusting, OutcomeRetry, "400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSender(t, func(c *Config) {
				c.Resolver = dns.resolver()
				tt.change(c)
			})
			if r := send(t, s, deliveryTo(tt.url)); r.Outcome != tt.want || !strings.Contains(r.Problem, tt.problem) {
				t.Errorf("%+v, want %s and %q", r, tt.want, tt.problem)
			}
		})
	}
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	if r := send(t, newSender(t, nil), deliveryTo(strings.Replace(plain.URL, "http", "https", 1))); r.Outcome != OutcomeRetry || r.Status != 0 {
		t.Errorf("TLS to a host without: %+v", r)
	}
}

// A refused connection, or an unknown name: to be repeated, in words of our own.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It is closed at once.
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	s := newSender(t, func(c *Config) { c.Resolver = (&names{}).resolver() })
	for url, want := range map[string]string{
		"http://" + l.Addr().String() + "/?geheim": "the host cannot be connected to",
		"https://nobody.test/?geheim":              "the host's name cannot be resolved",
	} {
		if r := send(t, s, deliveryTo(url)); r.Outcome != OutcomeRetry || r.Problem != want || r.Status != 0 {
			t.Errorf("%s: %+v, want %q", url, r, want)
		}
	}
}

// Invalid deliveries are the caller's mistake, and are not sent.
func TestSenseless(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	p := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	s := newSender(t, nil)
	for name, change := range map[string]func(*Delivery){
		"no id":         func(d *Delivery) { d.EventID = "" },
		"a dotted id":   func(d *Delivery) { d.EventID = "a.b" },
		"an evil id":    func(d *Delivery) { d.EventID = "a\r\nX: y" },
		"no extraction": func(d *Delivery) { d.Extraction = nil },
		"not final":     func(d *Delivery) { d.Extraction.Status = "IN_PROGRESS" },
		"no JSON":       func(d *Delivery) { d.Extraction.Result.Raw = []byte("{") },
	} {
		d := deliveryTo(p.URL)
		change(&d)
		if r, err := s.Send(t.Context(), d); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if hits.Load() > 0 {
		t.Errorf("%d requests arrived", hits.Load())
	}
}

// One connection serves a host's deliveries one after the other, whatever the
// size of the answers within reason.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	p := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strings.Repeat("x", 3000))
	}))
	p.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	p.Start()
	t.Cleanup(p.Close)
	s := newSender(t, nil)
	for range 20 {
		send(t, s, deliveryTo(p.URL))
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for 20 deliveries, want 1", n)
	}
}

// A host that does not answer takes its own slots; the others' deliveries go on,
// and what is too much for it comes back at once.
func TestSlowHostLeavesSlots(t *testing.T) {
	t.Parallel()
	var most, now atomic.Int32
	release := make(chan struct{})
	let := sync.OnceFunc(func() { close(release) })
	full := make(chan struct{})
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
			if n == 3 {
				close(full)
			}
		}
		<-release
		now.Add(-1)
	})
	t.Cleanup(let) // Before the server is closed, which waits for its handlers.
	quick := serve(t, func(http.ResponseWriter, *http.Request) {})
	s := newSender(t, func(c *Config) {
		c.PerHost, c.AllowHosts = 3, []string{"127.0.0.1", "slow.test"}
		c.Resolver = (&names{answers: map[string][]string{"slow.test.": {"127.0.0.1"}}}).resolver()
	})
	url := strings.Replace(slow.URL, "127.0.0.1", "slow.test", 1)
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if r := send(t, s, noCustomer(url)); r.Outcome != OutcomeDelivered {
				t.Errorf("%+v", r)
			}
		})
	}
	select {
	case <-full:
	case <-time.After(30 * time.Second):
		t.Fatal("three attempts do not get through together")
	}
	var latest time.Duration
	for range 50 {
		r := send(t, s, noCustomer(strings.Replace(url, "slow.test", "SLOW.test.", 1)))
		if r.Outcome != OutcomeBusy || r.RetryAfter < time.Second || r.RetryAfter > maxDelay {
			t.Fatalf("%+v, want busy", r)
		}
		latest = max(latest, r.RetryAfter)
		if r := send(t, s, noCustomer(quick.URL)); r.Outcome != OutcomeDelivered {
			t.Fatalf("another host's: %+v", r)
		}
	}
	if latest < 10*time.Second {
		t.Errorf("fifty that were sent away all come back within %s", latest)
	}
	let()
	wait.Wait()
	if most.Load() != 3 {
		t.Errorf("%d attempts at once, want 3", most.Load())
	}
	if r := send(t, s, noCustomer(url)); r.Outcome != OutcomeDelivered {
		t.Errorf("after it is free again: %+v", r)
	}
}

// One customer's slow hosts, or a host that customers share, leave slots to others.
func TestSlowCustomerLeavesSlots(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	let := sync.OnceFunc(func() { close(release) })
	began := make(chan struct{}, 8)
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path != "/quick" {
			began <- struct{}{}
			<-release
		}
	})
	t.Cleanup(let)
	answers := map[string][]string{}
	for _, name := range []string{"a.test.", "b.test.", "c.test."} {
		answers[name] = []string{"127.0.0.1"}
	}
	s := newSender(t, func(c *Config) {
		c.PerHost, c.AllowHosts, c.Resolver = 3, []string{"127.0.0.1", "*.test"}, (&names{answers: answers}).resolver()
	})
	of := func(customer, host, path string) Delivery {
		d := deliveryTo(strings.Replace(slow.URL, "127.0.0.1", host, 1) + path)
		d.Extraction.Customer = extraction.Null(customer)
		return d
	}
	var wait sync.WaitGroup
	for _, host := range []string{"a.test", "b.test", "c.test"} {
		wait.Go(func() { send(t, s, of("slow", host, "")) })
	}
	for range 3 {
		<-began
	}
	if r := send(t, s, of("slow", "127.0.0.1", "")); r.Outcome != OutcomeBusy {
		t.Errorf("a fourth of the same customer: %+v, want busy", r)
	}
	for _, host := range []string{"a.test", "127.0.0.1"} {
		if r := send(t, s, of("other", host, "/quick")); r.Outcome != OutcomeDelivered {
			t.Errorf("another customer's at %s: %+v", host, r)
		}
	}
	let()
	wait.Wait()
}

// noCustomer is deliveryTo for an extraction without a customer.
func noCustomer(url string) Delivery {
	d := deliveryTo(url)
	d.Extraction.Customer = ""
	return d
}
