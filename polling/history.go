package polling

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/store"
)

//go:embed observe.lua
var observeLua string

var observeScript = redis.NewScript(observeLua)

const (
	// memory is how many extractions a history remembers: one submitted so many later
	// weighs e times as much.
	memory = 1000
	// historyKept is how long an unused document type is remembered.
	historyKept = 90 * 24 * time.Hour
	// listEnds is the averaging window, in completions, of the share that ready lists
	// miss; probationEnds is the shorter one while the lists are on probation.
	listEnds, probationEnds = 30, 6
	// mostWeight bounds the weight of a submission long after the latest known end.
	mostWeight = 100
	// mostLearned is above every number that is learned. What is greater is damage, and
	// would be infinite after a few operations.
	mostLearned = 1e100
)

// History is what was seen of the time a vendor takes, for an account or one of its
// document types.
type History struct {
	// Bins are weights by the bin's number in package plan; together about the number of
	// extractions seen, but at most 1,000: older ones are forgotten.
	Bins map[int]float64
	// Latest is the sequence number of the latest submission among them, which weighs 1.
	Latest int64
	// HookMissed and ListMissed are the shares of the latest thirty ends without a webhook,
	// and without an entry in a ready list, where one was expected; 1 where none was seen
	// yet. Only an account's History has them.
	HookMissed, ListMissed float64
	// ListEnds is how many ends ListMissed was learned from.
	ListEnds int
}

// Observation is what one finished extraction showed.
type Observation struct {
	// Bins are weights by the bin's number, one together.
	Bins map[int]float64
	// Seq is the submission's sequence number. An observation's age is its submission
	// order, not when it completed: otherwise the slowest of a burst would dominate.
	Seq store.SubmitSeq
	// Hook says whether a webhook reported the end, List whether a ready list did.
	Hook, List Notified
	// Probation marks a List that was learned while no poll relies on the lists. There are
	// few of those, and they are to outweigh what was believed before.
	Probation bool
}

// Notified says whether a webhook or a ready list told us of the end of an extraction.
type Notified string

// The values of Notified. NotifiedUnknown is also where none was expected.
const (
	NotifiedUnknown Notified = ""
	NotifiedNo      Notified = "0"
	NotifiedYes     Notified = "1"
)

// Histories returns what was learned of an account and of one of its document types.
func (s *Store) Histories(ctx context.Context, account, label string) (all, own History, err error) {
	var got [2]*redis.MapStringStringCmd
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		got[0], got[1] = p.HGetAll(ctx, historyKey(account, "")), p.HGetAll(ctx, historyKey(account, label))
		return nil
	})
	if err != nil {
		return History{}, History{}, fmt.Errorf("read latency of %s: %w", account, err)
	}
	return decodeHistory(got[0].Val()), decodeHistory(got[1].Val()), nil
}

func decodeHistory(fields map[string]string) History {
	number := func(name string) float64 {
		f, err := strconv.ParseFloat(fields[name], 64)
		if err != nil || !(f >= 0 && f <= mostLearned) { // NaN is neither.
			return 0
		}
		return f
	}
	latest, base := number("latest"), number("base")
	scale := math.Exp((latest - base) / memory)
	h := History{Bins: map[int]float64{}, Latest: int64(latest), HookMissed: 1, ListMissed: 1}
	if fields["hook"] != "" {
		h.HookMissed = number("hook")
	}
	if fields["list"] != "" {
		h.ListMissed = number("list")
	}
	h.ListEnds = int(number("list.n"))
	for name := range fields {
		if bin, err := strconv.Atoi(name); err == nil {
			if w := number(name) / scale; w <= mostLearned { // The scale may be 0.
				h.Bins[bin] = w
			}
		}
	}
	return h
}

// TakeSeqs takes n sequence numbers for submissions that are about to be made, and returns
// the first. Those that are not made after all leave a gap, which changes little.
func (s *Store) TakeSeqs(ctx context.Context, account, label string, n int64) (store.SubmitSeq, error) {
	var last [2]*redis.IntCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range []string{historyKey(account, ""), historyKey(account, label)} {
			last[i] = p.HIncrBy(ctx, key, "n", n)
			p.Expire(ctx, key, historyKept)
		}
		return nil
	})
	if err != nil {
		return store.SubmitSeq{}, fmt.Errorf("count submission to %s: %w", account, err)
	}
	return store.SubmitSeq{Account: last[0].Val() - n + 1, Type: last[1].Val() - n + 1}, nil
}

// weightOf is what the submission with that sequence number weighs beside those in Bins.
func (h History) weightOf(seq int64) float64 {
	if seq == 0 {
		return 1 // It was not counted.
	}
	return min(math.Exp(float64(seq-h.Latest)/memory), mostWeight)
}
