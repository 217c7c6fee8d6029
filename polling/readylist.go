package polling

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

//go:embed claim.lua
var claimLua string

var claimScript = redis.NewScript(claimLua)

// ReadyList is how an account's ready lists are read, as decided for all workers.
type ReadyList struct {
	// Every is the interval of readings; zero means that they are not read.
	Every time.Duration
	// Trusted reports that polls are postponed because the lists notify us of ends.
	Trusted bool
	// TrustedSince is when that began.
	TrustedSince time.Time
	// Until is when readings end that no longer pay off: by then the extractions whose
	// polls were postponed because of them are found.
	Until time.Time
	// Refused reports that the vendor does not let the key read them.
	Refused bool
	// ReadAt is when the lists were last read, Requests how many requests that took.
	ReadAt   time.Time
	Requests float64
	// Now is the account's time.
	Now time.Time
}

// Alive reports that the lists are really being read. A decision alone does not tell: all
// workers may have stopped since, the vendor may refuse, or a pause or the rate may prevent
// it.
func (l ReadyList) Alive() bool {
	last := l.ReadAt
	if l.TrustedSince.After(last) {
		last = l.TrustedSince
	}
	most := 2*l.Every + 10*time.Second
	return l.Every > 0 && l.Now.Sub(last).Abs() < most // Negative if the clock has gone back.
}

// OnProbation reports that the lists are read rarely, to learn whether they show what has
// finished.
func (l ReadyList) OnProbation() bool { return l.Every > 0 && !l.Trusted && l.Until.IsZero() }

// ReadyList returns how an account's ready lists are read.
func (s *Store) ReadyList(ctx context.Context, account string) (ReadyList, error) {
	now, err := s.now(ctx, account)
	if err != nil {
		return ReadyList{}, err
	}
	fields, err := s.rdb.HGetAll(ctx, readyListKey(account)).Result()
	if err != nil {
		return ReadyList{}, fmt.Errorf("read ready list of %s: %w", account, err)
	}
	l := decodeReadyList(fields)
	l.Now = now
	return l, nil
}

func decodeReadyList(fields map[string]string) ReadyList {
	l := ReadyList{
		Every:        time.Duration(number(fields["every"])) * time.Millisecond,
		Trusted:      fields["trusted"] == "1",
		TrustedSince: extraction.FromMillis(number(fields["on"])).Time,
		Until:        extraction.FromMillis(number(fields["until"])).Time,
		Refused:      fields["refused"] != "",
		ReadAt:       extraction.FromMillis(number(fields["read"])).Time,
	}
	l.Requests, _ = strconv.ParseFloat(fields["requests"], 64)
	return l
}

// SetReadyList changes how an account's ready lists are read. What readings have recorded
// stays.
func (s *Store) SetReadyList(ctx context.Context, account string, l ReadyList) error {
	return s.note(ctx, account, "every", l.Every.Milliseconds(), "trusted", l.Trusted,
		"on", extraction.Time{Time: l.TrustedSince}.Millis(), "until", extraction.Time{Time: l.Until}.Millis())
}

// ClaimReadyList reports whether the caller shall read the account's ready lists now: not
// if another process did so less than gap ago.
func (s *Store) ClaimReadyList(ctx context.Context, account string, gap time.Duration) (bool, error) {
	got, err := claimScript.Run(ctx, s.rdb, []string{readyListKey(account)}, store.NewToken(), gap.Milliseconds()).Bool()
	if err != nil && !isNil(err) {
		return false, fmt.Errorf("claim ready list of %s: %w", account, err)
	}
	return got, nil
}

// RefuseReadyList records that the vendor does not let the key read the ready lists, until
// they are read again, and reports whether that is new.
func (s *Store) RefuseReadyList(ctx context.Context, account string) (bool, error) {
	added, err := s.rdb.HSet(ctx, readyListKey(account), "refused", "1").Result()
	if err != nil {
		return false, fmt.Errorf("note ready list of %s: %w", account, err)
	}
	return added == 1, nil
}

// ReadyListRead records that the ready lists were read, at a time of the account's clock.
func (s *Store) ReadyListRead(ctx context.Context, account string, at time.Time) error {
	_, err := s.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, readyListKey(account), "read", extraction.Time{Time: at}.Millis())
		p.HDel(ctx, readyListKey(account), "refused")
		return nil
	})
	if err != nil {
		return fmt.Errorf("note ready list of %s: %w", account, err)
	}
	return nil
}

// ReadyListCost records how many requests a reading of the ready lists took.
func (s *Store) ReadyListCost(ctx context.Context, account string, requests float64) error {
	return s.note(ctx, account, "requests", strconv.FormatFloat(requests, 'f', 2, 64))
}

func (s *Store) note(ctx context.Context, account string, pairs ...any) error {
	if err := s.rdb.HSet(ctx, readyListKey(account), pairs...).Err(); err != nil {
		return fmt.Errorf("note ready list of %s: %w", account, err)
	}
	return nil
}
