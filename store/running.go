package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// TypeLabel names the document type, or the types of a portfolio, as histories of the vendor's times do.
func (in Input) TypeLabel() string {
	if in.Type != "" {
		return in.Type
	}
	return strings.Join(in.Types, "+")
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
	// SubmitSeq is its submission's sequence number.
	SubmitSeq SubmitSeq
}

// runningLimit is how many of the extractions in flight are looked at: a sample
// says as much as all.
const runningLimit = 500

// decodeRunning reads when it was submitted, when the vendor last said "not yet", and
// its sequence number.
func decodeRunning(fields []any) (known time.Duration, seq SubmitSeq) {
	if len(fields) != 3 {
		return 0, SubmitSeq{}
	}
	submitted, _ := fields[0].(string)
	notYet, _ := fields[1].(string)
	place, _ := fields[2].(string)
	if submitted != "" && notYet != "" {
		known = max(time.Duration(number(notYet)-number(submitted))*time.Millisecond, 0)
	}
	return known, parseSubmitSeq(place)
}

// Running returns the extractions at the vendor, or a sample of them, and how many
// each stands for.
func (s *Records) Running(ctx context.Context, account string) ([]Running, float64, error) {
	k := accountKeys(account)
	var ids *redis.ZSliceCmd
	var count *redis.IntCmd
	now, err := s.Now(ctx, account)
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
			times[i] = p.HMGet(ctx, k.record(id), fieldSubmittedAt, fieldNotYetAt, fieldSubmitSeq)
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
			known, seq := decodeRunning(times[i].Val())
			out = append(out, Running{
				Label: in.TypeLabel(), Customer: in.Customer, Age: max(age, 0), Known: known, SubmitSeq: seq,
			})
		}
	}
	return out, max(float64(count.Val())/float64(max(len(out), 1)), 1), nil
}

// Listed returns the ids of the account's extractions among vendor ids, by vendor id:
// of those that are in flight.
func (s *Records) Listed(ctx context.Context, account string, vendorIDs []string) (map[string]string, error) {
	out := map[string]string{}
	if len(vendorIDs) == 0 {
		return out, nil
	}
	k := accountKeys(account)
	got, err := s.rdb.HMGet(ctx, k.vendorIDs(), vendorIDs...).Result()
	if err != nil {
		return nil, fmt.Errorf("read vendor ids: %w", err)
	}
	var ids, vids []string
	for i, v := range got {
		if id, ok := v.(string); ok {
			ids, vids = append(ids, id), append(vids, vendorIDs[i])
		}
	}
	if len(ids) == 0 {
		return out, nil
	}
	scores, err := s.rdb.ZMScore(ctx, k.inFlight(), ids...).Result()
	if err != nil {
		return nil, fmt.Errorf("read what is in flight of %s: %w", account, err)
	}
	for i, score := range scores {
		if score > 0 { // What is not there has none.
			out[vids[i]] = ids[i]
		}
	}
	return out, nil
}

// SubmitSeq is the sequence number of a submission among all of its account, and among
// those of its document type; the zero value is none.
type SubmitSeq struct{ Account, Type int64 }

// String is the form in which the record has it.
func (s SubmitSeq) String() string { return fmt.Sprintf("%d %d", s.Account, s.Type) }

func parseSubmitSeq(s string) SubmitSeq {
	account, own, _ := strings.Cut(s, " ")
	return SubmitSeq{number(account), number(own)}
}
