package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/extractq/extractq/sandbox"
)

// vendor is a sandbox with a ledger of what it has taken. It lives in this process, which
// no strike hits.
type vendor struct {
	box    *sandbox.Sandbox
	server *httptest.Server

	mu sync.Mutex
	// taken is, for each document by its SHA-256, under which ids it was taken: each is
	// one bill, whatever the sender was told.
	taken map[string][]string
}

// processing is how long the vendor takes for a document.
const processing = "lognormal:1s,0.7"

func newVendor(seed uint64, faults []string) (*vendor, error) {
	latency, err := sandbox.ParseLatency(processing)
	if err != nil {
		return nil, err
	}
	v := &vendor{taken: map[string][]string{}}
	cfg := sandbox.Config{
		ProcessingTime: latency, Seed: seed, FailureRate: failureRate(faults), Taken: v.take,
	}
	for _, text := range faults {
		f, err := sandbox.ParseFault(text)
		if err != nil {
			return nil, err
		}
		cfg.Faults = append(cfg.Faults, f)
	}
	v.box = sandbox.New(cfg)
	v.server = httptest.NewServer(v.box.Handler())
	return v, nil
}

// failureRate is the share of documents that a faulty vendor cannot process.
func failureRate(faults []string) float64 {
	if len(faults) == 0 {
		return 0
	}
	return 0.02
}

func (v *vendor) close() {
	v.server.CloseClientConnections()
	v.server.Close()
	v.box.Close()
}

func (v *vendor) take(id string, sum [sha256.Size]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	digest := hex.EncodeToString(sum[:])
	if !slices.Contains(v.taken[digest], id) {
		v.taken[digest] = append(v.taken[digest], id)
	}
}

func (v *vendor) ledger() map[string][]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string][]string{}
	for digest, ids := range v.taken {
		out[digest] = slices.Clone(ids)
	}
	return out
}

// receiver is a producer's callback endpoint. It refuses the first attempt of one event
// in eight.
type receiver struct {
	server *httptest.Server

	mu sync.Mutex
	// events are the webhook-ids that came for each extraction, each delivery once.
	events map[string][]string
	ends   map[string]string // The status that was told.
	tried  map[string]int
}

func newReceiver() *receiver {
	r := &receiver{events: map[string][]string{}, ends: map[string]string{}, tried: map[string]int{}}
	r.server = httptest.NewServer(http.HandlerFunc(r.receive))
	return r
}

func (r *receiver) receive(w http.ResponseWriter, req *http.Request) {
	var event struct {
		Subject string
		Data    struct{ Status string }
	}
	if err := decode(req.Body, &event); err != nil {
		w.WriteHeader(http.StatusBadRequest) // Its sender was killed.
		return
	}
	id := req.Header.Get("Webhook-Id")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried[id]++
	if sum := sha256.Sum256([]byte(event.Subject)); sum[0]%8 == 0 && r.tried[id] == 1 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.events[event.Subject] = append(r.events[event.Subject], id)
	r.ends[event.Subject] = event.Data.Status
}

func (r *receiver) close() {
	r.server.CloseClientConnections()
	r.server.Close()
}

// deadlines of the round's own requests.
const requestTimeout = 20 * time.Second
