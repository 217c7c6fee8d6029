package store

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
)

// Listing is how an account's ready lists are read: what the workers have decided for
// all of them.
type Listing struct {
	// Every is how often; zero is not at all.
	Every time.Duration
	// Trusted reports that polls are planned as what stands behind the lists.
	Trusted bool
	// On is when that began.
	On time.Time
	// Until is when a listing that is no longer worth it ends: those extractions are
	// found by then whose polls were planned far away because of it.
	Until time.Time
	// Refused reports that the vendor does not let the key read them.
	Refused bool
	// At is when the lists were read last, and Requests how many requests that took.
	At       time.Time
	Requests float64
	// Now is the account's time.
	Now time.Time
}

// Alive reports that the lists are really read: a worker may have decided it, and
// all workers have ended since, or the vendor does not show them, or the account's
// pause or rate forbids to ask.
func (l Listing) Alive() bool {
	last := l.At
	if l.On.After(last) {
		last = l.On
	}
	most := 2*l.Every + 10*time.Second
	return l.Every > 0 && l.Now.Sub(last).Abs() < most // Before it, where the clock has gone back.
}

// OnTrial reports that the lists are read now and then only, to see whether they show
// what has finished.
func (l Listing) OnTrial() bool { return l.Every > 0 && !l.Trusted && l.Until.IsZero() }

// Listing returns how an account's ready lists are read.
func (s *Records) Listing(ctx context.Context, account string) (Listing, error) {
	now, err := s.now(ctx, account)
	if err != nil {
		return Listing{}, err
	}
	fields, err := s.rdb.HGetAll(ctx, accountKeys(account).listing()).Result()
	if err != nil {
		return Listing{}, fmt.Errorf("read listing of %s: %w", account, err)
	}
	l := decodeListing(fields)
	l.Now = now
	return l, nil
}

func decodeListing(fields map[string]string) Listing {
	l := Listing{
		Every:   time.Duration(number(fields["every"])) * time.Millisecond,
		Trusted: fields["trusted"] == "1",
		On:      extraction.FromMillis(number(fields["on"])).Time,
		Until:   extraction.FromMillis(number(fields["until"])).Time,
		Refused: fields["refused"] != "",
		At:      extraction.FromMillis(number(fields["read"])).Time,
	}
	l.Requests, _ = strconv.ParseFloat(fields["requests"], 64)
	return l
}

// SetListing changes how an account's ready lists are read. What the readings note
// stays as it is.
func (s *Records) SetListing(ctx context.Context, account string, l Listing) error {
	err := s.rdb.HSet(ctx, accountKeys(account).listing(), "every", l.Every.Milliseconds(), "trusted", l.Trusted,
		"on", extraction.Time{Time: l.On}.Millis(), "until", extraction.Time{Time: l.Until}.Millis()).Err()
	if err != nil {
		return fmt.Errorf("set listing of %s: %w", account, err)
	}
	return nil
}

//go:embed listed.lua
var listedLua string

var listedScript = redis.NewScript(listedLua)

// ClaimListing reports whether the caller is to read the account's ready lists now:
// not if another process has done so less than a gap ago.
func (s *Records) ClaimListing(ctx context.Context, account string, gap time.Duration) (bool, error) {
	got, err := listedScript.Run(ctx, s.rdb, []string{accountKeys(account).listing()}, NewToken(), gap.Milliseconds()).Bool()
	if err != nil && !isNil(err) {
		return false, fmt.Errorf("claim listing of %s: %w", account, err)
	}
	return got, nil
}

// RefuseListing notes that the vendor does not let the key read the ready lists, until
// they are read, and reports whether that is new.
func (s *Records) RefuseListing(ctx context.Context, account string) (bool, error) {
	added, err := s.rdb.HSet(ctx, accountKeys(account).listing(), "refused", "1").Result()
	if err != nil {
		return false, fmt.Errorf("note listing of %s: %w", account, err)
	}
	return added == 1, nil
}

// ListingRead notes that the ready lists were read at some time of Redis's clock.
func (s *Records) ListingRead(ctx context.Context, account string, at time.Time) error {
	k := accountKeys(account)
	_, err := s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, k.listing(), "read", extraction.Time{Time: at}.Millis())
		p.HDel(ctx, k.listing(), "refused")
		return nil
	})
	if err != nil {
		return fmt.Errorf("note listing of %s: %w", account, err)
	}
	return nil
}

// ListingTook notes how many requests a reading of the ready lists took.
func (s *Records) ListingTook(ctx context.Context, account string, requests float64) error {
	text := strconv.FormatFloat(requests, 'f', 2, 64)
	if err := s.rdb.HSet(ctx, accountKeys(account).listing(), "requests", text).Err(); err != nil {
		return fmt.Errorf("note listing of %s: %w", account, err)
	}
	return nil
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
