// Package polling decides when to ask a vendor for a result. It learns how long the vendor
// takes, shares that among all workers through Redis, and plans the polls of each document
// type with the schedules of package plan. It also decides whether and how often a vendor's
// ready lists are read. It makes no calls to a vendor.
package polling

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/store"
)

// Store keeps in Redis, for all workers, what was learned about the vendors' times and how
// the accounts' ready lists are read. It shares no script with the records.
type Store struct {
	rdb     redis.UniversalClient
	records *store.Records
}

// NewStore returns the store in rdb. It uses the records' clock.
func NewStore(rdb redis.UniversalClient, records *store.Records) *Store { return &Store{rdb, records} }

// historyKey holds the history of one document type; the empty label stands for the
// account.
func historyKey(account, label string) string { return store.AccountKey(account, "lat:"+label) }

// readyListKey holds how the account's ready lists are read.
func readyListKey(account string) string { return store.AccountKey(account, "listing") }

func (s *Store) now(ctx context.Context, account string) (time.Time, error) {
	return s.records.Now(ctx, account)
}

func isNil(err error) bool { return errors.Is(err, redis.Nil) }

// number parses an integer; anything else is 0.
func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
