package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Registration is what the workers of an account know of it and producers without the
// configuration must keep to. It stays when they stop.
type Registration struct {
	Provider string `json:"provider"`
	// FetchesURL reports whether the vendor downloads a document by its URL.
	FetchesURL bool `json:"fetches_url,omitempty"`
	// Rate is how many calls a second the vendor allows; 0 means any number.
	Rate float64 `json:"rate,omitempty"`
	// MaxDocument is the largest document in bytes, MaxBacklog how many unfinished
	// extractions the account takes; 0 means any.
	MaxDocument int64 `json:"max_document,omitempty"`
	MaxBacklog  int   `json:"max_backlog,omitempty"`
	// FetchHosts and CallbackHosts are the internal hosts that a document's and a
	// callback's URL may name.
	FetchHosts    []string `json:"fetch_hosts,omitempty"`
	CallbackHosts []string `json:"callback_hosts,omitempty"`
	// Kept is how long what ends is kept.
	Kept Kept `json:"kept"`
}

// registration is what Register wrote last.
func (k keys) registration() string { return k.prefix + "registration" }

// Register keeps what a worker knows of an account, and the account among those that are
// known.
func (s *Records) Register(ctx context.Context, account string, r Registration) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode registration: %w", err)
	}
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, accountKeys(account).registration(), body, 0)
		p.SAdd(ctx, accountsKey, account)
		return nil
	})
	if err != nil {
		return fmt.Errorf("register account %s: %w", account, err)
	}
	return nil
}

// Registration returns what workers registered of an account; ok is false where none ever
// did.
func (s *Records) Registration(ctx context.Context, account string) (r Registration, ok bool, err error) {
	body, err := s.rdb.Get(ctx, accountKeys(account).registration()).Bytes()
	if isNil(err) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	if err != nil {
		return r, false, fmt.Errorf("read registration of %s: %w", account, err)
	}
	return r, true, nil
}
