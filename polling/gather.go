package polling

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/extractq/extractq/store"
)

// At a busy account many extractions end each second, and each shows a little. What they
// show is gathered and written together; a process that dies loses what it has gathered,
// which changes little. For the same reason submissions take their numbers by the dozen.

const (
	// gatherFor is how long observations are gathered.
	gatherFor = time.Second
	// writeTimeout bounds the write.
	writeTimeout = 5 * time.Second
)

// gathered are observations that are to be written, by document type.
type gathered struct {
	mu      sync.Mutex
	byLabel map[string][]Observation
	timer   *time.Timer // Writes them; nil where there are none.
}

// gather keeps an observation for the next write.
func (p *Planner) gather(ctx context.Context, label string, o Observation) {
	g := &p.gathered
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byLabel == nil {
		g.byLabel = map[string][]Observation{}
		g.timer = time.AfterFunc(gatherFor, func() { p.Flush(context.WithoutCancel(ctx)) })
	}
	g.byLabel[label] = append(g.byLabel[label], o)
}

// Flush writes what has been observed and is not written yet, as when the process stops.
// Where Redis does not take it, it is dropped.
func (p *Planner) Flush(ctx context.Context) {
	g := &p.gathered
	g.mu.Lock()
	batch := g.byLabel
	g.byLabel = nil
	if batch != nil {
		g.timer.Stop()
	}
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for label, observations := range batch {
		if err := p.store.Record(ctx, p.cfg.Account, label, observations...); err != nil {
			p.cfg.Logger.WarnContext(ctx, "latencies not learned", slog.String("account", p.cfg.Account), slog.Any("error", err))
			return
		}
	}
}

// Record adds observations to the account's history and to that of one of its document
// types. It is not repeated where it fails: one observation more or less changes little.
func (s *Store) Record(ctx context.Context, account, label string, observations ...Observation) error {
	for _, same := range alike(observations) {
		over := listEnds
		if same[0].Probation {
			over = probationEnds
		}
		var hooks, lists strings.Builder
		for _, o := range same {
			hooks.WriteString(string(o.Hook))
			lists.WriteString(string(o.List))
		}
		args := []any{store.NewToken(), memory, int(historyKept.Seconds()), hooks.String(), lists.String(), over}
		args = append(args, sum(same, func(o Observation) int64 { return o.Seq.Account })...)
		args = append(args, sum(same, func(o Observation) int64 { return o.Seq.Type })...)
		if err := observeScript.Run(ctx, s.rdb, []string{historyKey(account, ""), historyKey(account, label)}, args...).Err(); err != nil {
			return fmt.Errorf("record latency of %s: %w", account, err)
		}
	}
	return nil
}

// alike parts observations into those that one script can add: on probation or not, with
// the places of their submissions known or not.
func alike(observations []Observation) [][]Observation {
	type kind struct{ probation, account, own bool }
	at := map[kind]int{}
	var out [][]Observation
	for _, o := range observations {
		k := kind{o.Probation, o.Seq.Account > 0, o.Seq.Type > 0}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k], out = i, append(out, nil)
		}
		out[i] = append(out[i], o)
	}
	return out
}

// sum are the script's arguments for one of its keys: the place of the latest submission,
// and what all show together, weighed as that one.
func sum(observations []Observation, place func(Observation) int64) []any {
	latest := int64(0)
	for _, o := range observations {
		latest = max(latest, place(o))
	}
	bins := map[int]float64{}
	for _, o := range observations {
		for bin, w := range o.Bins {
			bins[bin] += w * math.Exp(float64(place(o)-latest)/memory)
		}
	}
	args := []any{latest, len(bins)}
	for bin, w := range bins {
		args = append(args, bin, w)
	}
	return args
}

// numbers are sequence numbers that this process has taken for one document type.
type numbers struct {
	mu sync.Mutex // Held by the step that takes more.
	// next is the first that no submission has yet, left how many there are, and size how
	// many were taken together at a time.
	next       store.SubmitSeq
	left, size int64
	at         time.Time
}

// mostNumbers bounds how many are taken at once. A process that ends, or falls silent,
// leaves a gap as large, and what came before it weighs that much less.
const mostNumbers = 64

// NextSeq returns the sequence number of a submission that is about to be made. Where many
// are made it takes more than one at a time. Those of an earlier second are not used: they
// would make a submission older than it is.
func (p *Planner) NextSeq(ctx context.Context, label string) (store.SubmitSeq, error) {
	n := p.cached(label).numbers
	n.mu.Lock()
	defer n.mu.Unlock()
	fresh := time.Since(n.at) < gatherFor
	if n.left == 0 || !fresh {
		size := max(n.size-n.left, 1)
		if n.left == 0 && fresh {
			size = min(2*n.size, mostNumbers)
		}
		first, err := p.store.TakeSeqs(ctx, p.cfg.Account, label, size)
		if err != nil {
			return store.SubmitSeq{}, err
		}
		n.next, n.left, n.size, n.at = first, size, size, time.Now()
	}
	got := n.next
	n.next, n.left = store.SubmitSeq{Account: got.Account + 1, Type: got.Type + 1}, n.left-1
	return got, nil
}
