package store

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed learn.lua
var learnLua string

var learnScript = redis.NewScript(learnLua)

// memory is how many extractions a histogram remembers: one submitted so many later
// weighs e times as much.
const memory = 1000

// latencyKept is how long an unused type is remembered.
const latencyKept = 90 * 24 * time.Hour

// Latency is what has been seen of the time a vendor takes, for an account or one
// of its document types.
type Latency struct {
	// Bins are weights by the bin's number; together about the number of extractions
	// seen, but at most 1,000: older ones are forgotten.
	Bins map[int]float64
	// Latest is the place of the latest submission among them, which weighs 1.
	Latest int64
	// HookMissed and ListMissed are the shares of ends that no webhook told of, and no
	// ready list, of the latest thirty for which one was to be expected; 1 where there
	// was none yet. Only an account's Latency has them.
	HookMissed, ListMissed float64
	// ListEnds is how many ends ListMissed was learned from.
	ListEnds int
}

// Lesson is what one finished extraction showed.
type Lesson struct {
	// Bins are weights by the bin's number, one together.
	Bins map[int]float64
	// Order is the extraction's place among all submissions.
	Order Order
	// Hook says whether a webhook told of the end, List whether a ready list did.
	Hook, List Told
	// Trial marks a List that was learned while no poll relies on the lists. There are few
	// of those, and they are to outweigh what was believed before.
	Trial bool
}

const (
	// listEnds is over how many ends the share is counted that no list told of, and
	// trialEnds over how many where they are seen on trial only.
	listEnds, trialEnds = 30, 6
)

// Told says whether a webhook or a list told us of the end of an extraction.
type Told string

// The values of Told. ToldUnknown is also where none was to be expected.
const (
	ToldUnknown Told = ""
	ToldNot     Told = "0"
	ToldTrue    Told = "1"
)

// TypeLabel names the histogram of what is asked for.
func (in Input) TypeLabel() string {
	if in.Type != "" {
		return in.Type
	}
	return strings.Join(in.Types, "+")
}

// Learn adds a lesson to the account's histogram and to that of one of its types. It
// is not repeated where it fails: one lesson more or less changes little.
func (s *Records) Learn(ctx context.Context, account, label string, l Lesson) error {
	k := accountKeys(account)
	over := listEnds
	if l.Trial {
		over = trialEnds
	}
	args := []any{memory, int(latencyKept.Seconds()), string(l.Hook), string(l.List), l.Order.Account, l.Order.Type, over}
	for bin, w := range l.Bins {
		args = append(args, bin, w)
	}
	if err := learnScript.Run(ctx, s.rdb, []string{k.latency(""), k.latency(label)}, args...).Err(); err != nil {
		return fmt.Errorf("learn latency of %s: %w", account, err)
	}
	return nil
}

// Latencies returns what has been learned of an account and of one of its types.
func (s *Records) Latencies(ctx context.Context, account, label string) (all, own Latency, err error) {
	k := accountKeys(account)
	var got [2]*redis.MapStringStringCmd
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		got[0], got[1] = p.HGetAll(ctx, k.latency("")), p.HGetAll(ctx, k.latency(label))
		return nil
	})
	if err != nil {
		return Latency{}, Latency{}, fmt.Errorf("read latency of %s: %w", account, err)
	}
	return decodeLatency(got[0].Val()), decodeLatency(got[1].Val()), nil
}

// mostLearned is above every number that is learned. What is greater is damage, and would
// be infinite after a few operations.
const mostLearned = 1e100

func decodeLatency(fields map[string]string) Latency {
	number := func(name string) float64 {
		f, err := strconv.ParseFloat(fields[name], 64)
		if err != nil || !(f >= 0 && f <= mostLearned) { // NaN is neither.
			return 0
		}
		return f
	}
	latest, base := number("latest"), number("base")
	scale := math.Exp((latest - base) / memory)
	l := Latency{Bins: map[int]float64{}, Latest: int64(latest), HookMissed: 1, ListMissed: 1}
	if fields["hook"] != "" {
		l.HookMissed = number("hook")
	}
	if fields["list"] != "" {
		l.ListMissed = number("list")
	}
	l.ListEnds = int(number("list.n"))
	for name := range fields {
		if bin, err := strconv.Atoi(name); err == nil {
			if w := number(name) / scale; w <= mostLearned { // The scale may be 0.
				l.Bins[bin] = w
			}
		}
	}
	return l
}

// Running is one extraction that is at the vendor.
type Running struct {
	// Label is its TypeLabel, Age the time since it took its slot.
	Label    string
	Customer string
	Age      time.Duration
	// Known is for how long after its submission it is known not to have finished: up
	// to the vendor's last answer "not yet", zero before there is one.
	Known time.Duration
	// Order is its place among all submissions.
	Order Order
}

// runningLimit is how many of the extractions in flight are looked at: a sample
// says as much as all.
const runningLimit = 500

// decodeRunning reads when it was submitted, when the vendor last said "not yet", and
// its place.
func decodeRunning(fields []any) (known time.Duration, order Order) {
	if len(fields) != 3 {
		return 0, Order{}
	}
	submitted, _ := fields[0].(string)
	notYet, _ := fields[1].(string)
	place, _ := fields[2].(string)
	if submitted != "" && notYet != "" {
		known = max(time.Duration(number(notYet)-number(submitted))*time.Millisecond, 0)
	}
	return known, parseOrder(place)
}

// Running returns the extractions at the vendor, or a sample of them, and how many
// each stands for.
func (s *Records) Running(ctx context.Context, account string) ([]Running, float64, error) {
	k := accountKeys(account)
	var ids *redis.ZSliceCmd
	var count *redis.IntCmd
	now, err := s.now(ctx, account)
	if err != nil {
		return nil, 0, err
	}
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		ids, count = p.ZRandMemberWithScores(ctx, k.inFlight(), runningLimit), p.ZCard(ctx, k.inFlight())
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read what is in flight of %s: %w", account, err)
	}
	if len(ids.Val()) == 0 {
		return nil, 1, nil
	}
	inputs := make([]*redis.StringCmd, len(ids.Val()))
	times := make([]*redis.SliceCmd, len(ids.Val()))
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, z := range ids.Val() {
			id := z.Member.(string)
			inputs[i] = p.HGet(ctx, k.detail(id), detailInput)
			times[i] = p.HMGet(ctx, k.record(id), fieldSubmittedAt, fieldNotYetAt, fieldOrder)
		}
		return nil
	})
	if err != nil && !isNil(err) { // One of them may have gone meanwhile.
		return nil, 0, fmt.Errorf("read what is in flight of %s: %w", account, err)
	}
	out := make([]Running, 0, len(inputs))
	for i, z := range ids.Val() {
		var in Input
		if json.Unmarshal([]byte(inputs[i].Val()), &in) == nil {
			age := now.Sub(time.UnixMilli(int64(z.Score)))
			known, order := decodeRunning(times[i].Val())
			out = append(out, Running{
				Label: in.TypeLabel(), Customer: in.Customer, Age: max(age, 0), Known: known, Order: order,
			})
		}
	}
	return out, max(float64(count.Val())/float64(max(len(out), 1)), 1), nil
}
