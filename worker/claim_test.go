package worker

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/s3test"
	"github.com/extractq/extractq/store"
	_ "github.com/extractq/extractq/store/cloud"
)

// silentOnce is an object store that writes the first claim of a submission and does not answer
// for a while, nor anything else about claims.
type silentOnce struct {
	http.Handler

	mu    sync.Mutex
	until time.Time
}

func (h *silentOnce) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/sent") || r.Method == http.MethodHead || r.Method == http.MethodGet && h.silence() == 0 {
		h.Handler.ServeHTTP(w, r)
		return
	}
	h.mu.Lock()
	if h.until.IsZero() && r.Method == http.MethodPut {
		h.until = time.Now().Add(saveTimeout + time.Second/2)
		h.Handler.ServeHTTP(&discarded{header: http.Header{}}, r)
	}
	h.mu.Unlock()
	if wait := h.silence(); wait > 0 {
		time.Sleep(wait)
		panic(http.ErrAbortHandler)
	}
	h.Handler.ServeHTTP(w, r)
}

func (h *silentOnce) silence() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(0, time.Until(h.until))
}

// discarded is an answer that nothing hears of.
type discarded struct{ header http.Header }

func (d *discarded) Header() http.Header         { return d.header }
func (d *discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d *discarded) WriteHeader(int)             {}

// TestClaimWithoutAnswer submits a document again whose claim was written by an attempt that got
// no answer to that, and so did not let its last byte go: it is not taken for one that may have
// been sent.
func TestClaimWithoutAnswer(t *testing.T) {
	t.Parallel()
	v := newVendor()
	r := newRig(t, v)
	front := &silentOnce{}
	var err error
	r.blobs, err = store.OpenBlobs(t.Context(), s3test.Behind(t, func(h http.Handler) http.Handler { front.Handler = h; return front }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.blobs.Close() })
	r.cfg.Blobs = r.blobs
	if r.client, err = intake.New(intake.Parts{
		Redis: r.rdb, Blobs: r.blobs, Kept: store.Kept{Record: 168 * time.Hour, Document: 24 * time.Hour},
	}); err != nil {
		t.Fatal(err)
	}
	r.cfg.Lease, r.cfg.UncertainWindow = time.Minute, time.Hour
	id := r.submit("x")
	r.start()
	r.awaitFor(90*time.Second, id+" to be at the vendor", func() bool {
		if got := r.get(id); got.Phase == store.PhaseUncertain {
			t.Fatalf("it is searched for, and was never sent: %+v", got.Trouble)
		}
		r.overdue(id)
		return r.get(id).Status == extraction.StatusInProgress || r.get(id).Status.Final()
	})
	if len(v.bodies) != 1 { // The first attempt has called the vendor and sent nothing.
		t.Errorf("the vendor has taken %d documents, want 1", len(v.bodies))
	}
}
