// Package engine is what happens to a document at a vendor: it is registered,
// received, processed for a while, and then done, failed or, later, expired.
//
// It knows neither HTTP nor any vendor's JSON; what a vendor remembers about an
// extraction travels through it as the type parameter M. No time passes in here:
// when a document is received its end is drawn, and every state is computed from
// the clock on each request. So nothing runs in the background, and a test
// turns hours into one assignment.
package engine

import (
	"crypto/sha256"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/extractq/extractq/sandbox/internal/reader"
)

// Config are the rules an engine goes by.
type Config struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Latency draws the processing time of one document.
	Latency func(*rand.Rand) time.Duration
	// Times are the processing times of some documents, by their SHA-256, whatever is
	// drawn.
	Times map[[sha256.Size]byte]time.Duration
	// FailureRate is the share of documents that fail although they can be read,
	// ExpireRate that of results that are gone as soon as they are there.
	FailureRate, ExpireRate float64
	// Seed makes the draws repeatable: the nth reception of the same bytes
	// takes the same time and ends the same way in every run with the same seed.
	Seed uint64
	// Expiry is how long after its end a result can be fetched; 0 means for
	// ever.
	Expiry time.Duration
	// Abandon is the age at which an extraction that never got its document may
	// be forgotten.
	Abandon time.Duration
	// MaxRecords and MaxBytes bound what is remembered; beyond, the oldest that
	// are over are forgotten.
	MaxRecords int
	MaxBytes   int64
	// Limits bound the reading of one document.
	Limits reader.Limits
	// Taken, if set, is called for every document that is taken, before it is answered.
	Taken func(id string, sum [sha256.Size]byte)
}

// maxPickup is how long a received document still counts as waiting: vendors
// notice an upload a moment after it is complete.
const maxPickup = 300 * time.Millisecond

// Engine holds the extractions of one vendor. Its methods may be called by many
// goroutines at once.
type Engine[M any] struct {
	cfg Config
	// reading keeps at most one document per processor in the PDF library: what
	// that takes is memory, many times the size of the document.
	reading *semaphore.Weighted

	mu      sync.Mutex
	byID    map[string]*record[M]
	order   []*record[M] // by seq, oldest first
	nextSeq uint64
	texts   map[[sha256.Size]byte]*text
	bytes   int64 // of all texts
	// crowded is the number of records up to which it is not worth looking for
	// some to forget again.
	crowded int
}

// text is a document that was read. Records of the same bytes share one, so that
// a load test with one file needs the memory of one file.
type text struct {
	sum   [sha256.Size]byte
	doc   *reader.Document
	err   error
	ready chan struct{} // closed when doc or err is set; the rest is under mu
	refs  int
	draws uint64
}

// record is one extraction.
type record[M any] struct {
	seq      uint64
	id       string
	meta     M
	created  time.Time
	received time.Time // zero until the document is here
	started  time.Time
	finish   time.Time
	text     *text
	failure  string
	lost     bool // expires at its end
	hidden   bool
}

// New returns an engine without extractions.
func New[M any](cfg Config) *Engine[M] {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Engine[M]{
		cfg:     cfg,
		reading: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0))),
		byID:    map[string]*record[M]{},
		texts:   map[[sha256.Size]byte]*text{},
	}
}

// Now is the engine's clock.
func (e *Engine[M]) Now() time.Time { return e.cfg.Now() }

// Open registers an extraction that waits for its document.
func (e *Engine[M]) Open(id string, meta M) Extraction[M] {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cfg.Now()
	e.nextSeq++
	// Both vendors tell times in milliseconds: a filter by a time that was told
	// has to find the extraction.
	r := &record[M]{seq: e.nextSeq, id: id, meta: meta, created: now.Truncate(time.Millisecond)}
	e.byID[id] = r
	e.order = append(e.order, r)
	e.forget(now)
	return e.view(r, now)
}
