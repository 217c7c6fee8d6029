package callback

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/extractq/extractq/extraction"
)

const (
	secretA = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB" // 24 bytes.
	secretB = "whsec_QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
	secretC = "whsec_Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M="
)

func newSender(t *testing.T, change func(*Config)) *Sender {
	t.Helper()
	cfg := Config{AllowHosts: []string{"127.0.0.1"}, Keys: withBilling(nil)}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// withBilling are keys with that of the deliveries here among them.
func withBilling(keys map[string]KeySecret) map[string]KeySecret {
	with := map[string]KeySecret{"billing": {}}
	maps.Copy(with, keys)
	return with
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// finished is an extraction that has everything a callback shows.
func finished() *extraction.Extraction {
	size := int64(429087)
	result := extraction.NewResult(json.RawMessage(`{"note": "a <b> & c"}`))
	result.Fields["total"] = []extraction.Value{{Value: "x", Type: extraction.TypeString, Alternatives: []extraction.Value{}}}
	return &extraction.Extraction{
		ID: "01JD8Z3V5K7M9N0P2Q4R6S8T0W", Account: "acme-sensible", Provider: "sensible", Type: "tax_forms",
		Customer: "acme", Priority: extraction.PriorityNormal, Metadata: map[string]string{"order": "7"}, Options: map[string]any{},
		Document: extraction.Document{Name: "1040.pdf", ContentType: "application/pdf", Bytes: &size, SHA256: "ab"},
		Status:   extraction.StatusSuccess, Vendor: extraction.Vendor{ID: "v1", Status: "COMPLETE"}, Polls: 2, Attempts: 1,
		CreatedAt: extraction.FromMillis(1_767_225_600_000), SubmittedAt: extraction.FromMillis(1_767_225_601_000),
		FinishedAt: extraction.FromMillis(1_767_225_602_345), ExpiresAt: extraction.FromMillis(1_767_830_402_345),
		Callback: &extraction.Callback{URL: "https://producer.example/hook", State: "pending"},
		Result:   result,
	}
}

func deliveryTo(url string) Delivery {
	return Delivery{URL: url, EventID: "01JD8Z3V5K7M9N0P2Q4R6S8T0W-d1", Key: "billing", Extraction: finished()}
}

// send makes an attempt that must come to an outcome.
func send(t *testing.T, s *Sender, d Delivery) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := s.Send(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// names is a name server that says something else at every question if it is
// told to: the answers of a name are given in turn, the last one forever.
type names struct {
	mu      sync.Mutex
	answers map[string][]string
}

func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go n.serve(theirs)
		return ours, nil
	}}
}

// serve answers questions in the framing of DNS over TCP until the connection
// is closed.
func (n *names) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(question); err != nil {
			return
		}
		n.answer(&m)
		packed, err := m.Pack()
		if err != nil {
			return
		}
		binary.BigEndian.PutUint16(size[:], uint16(len(packed)))
		if _, err := c.Write(append(size[:], packed...)); err != nil {
			return
		}
	}
}

func (n *names) answer(m *dnsmessage.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	q := m.Questions[0]
	m.Response, m.Additionals = true, nil
	name := strings.ToLower(q.Name.String())
	known := n.answers[name]
	if len(known) == 0 {
		m.RCode = dnsmessage.RCodeNameError
		return
	}
	ip := netip.MustParseAddr(known[0])
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}
	switch {
	case ip.Is4() && q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: ip.As4()}}}
	case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}}}
	default:
		return
	}
	if len(known) > 1 {
		n.answers[name] = known[1:]
	}
}
