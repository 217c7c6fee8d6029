package store

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Order is the place of a submission among all of its account, and among those of its
// type; the zero value is none.
//
// By it, and not by when its end was seen, a lesson is old: of a burst those that
// finish last would otherwise weigh most, and the burst would be remembered as slow.
type Order struct{ Account, Type int64 }

// String is the form in which the record has it.
func (o Order) String() string { return fmt.Sprintf("%d %d", o.Account, o.Type) }

func parseOrder(s string) Order {
	account, own, _ := strings.Cut(s, " ")
	return Order{number(account), number(own)}
}

// NextOrder is the place of a submission that is about to be made. One that is not made
// after all leaves a gap, which changes nothing.
func (s *Records) NextOrder(ctx context.Context, account, label string) (Order, error) {
	k := accountKeys(account)
	var n [2]*redis.IntCmd
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range []string{k.latency(""), k.latency(label)} {
			n[i] = p.HIncrBy(ctx, key, "n", 1)
			p.Expire(ctx, key, latencyKept)
		}
		return nil
	})
	if err != nil {
		return Order{}, fmt.Errorf("count submission to %s: %w", account, err)
	}
	return Order{n[0].Val(), n[1].Val()}, nil
}

// mostWeight bounds what a submission weighs that came long after the latest of which
// the end is known.
const mostWeight = 100

// Weigh is what an extraction at that place weighs beside those in Bins.
func (l Latency) Weigh(place int64) float64 {
	if place == 0 {
		return 1 // It was not counted.
	}
	return min(math.Exp(float64(place-l.Latest)/memory), mostWeight)
}
