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
	// WaitReplicas is how many replicas must have a record before it counts as accepted.
	WaitReplicas int `json:"wait_replicas,omitempty"`
	// Kept is how long what ends is kept.
	Kept Kept `json:"kept"`
}

// registration is what Register wrote last.
func (k keys) registration() string { return k.prefix + "registration" }

// visit is what a worker wrote that is there for its own documents only.
func (k keys) visit() string { return k.prefix + "visit" }

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
func (s *Records) Registration(ctx context.Context, account string) (Registration, bool, error) {
	return s.registration(ctx, accountKeys(account).registration(), account)
}

func (s *Records) registration(ctx context.Context, key, account string) (r Registration, ok bool, err error) {
	body, err := s.rdb.Get(ctx, key).Bytes()
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

// Visit is Register for a worker that is there for its own documents only, as that of run
// is: producers are not told to hand in for it. It counts while the account is served.
func (s *Records) Visit(ctx context.Context, account string, r Registration) error {
	body, err := json.Marshal(r)
	if err == nil {
		err = s.rdb.Set(ctx, accountKeys(account).visit(), body, 0).Err()
	}
	if err != nil {
		return fmt.Errorf("note visit to account %s: %w", account, err)
	}
	return nil
}

// EndVisit takes back what Visit noted.
func (s *Records) EndVisit(ctx context.Context, account string) error {
	if err := s.rdb.Del(ctx, accountKeys(account).visit()).Err(); err != nil {
		return fmt.Errorf("end visit to account %s: %w", account, err)
	}
	return nil
}

// Known returns what is known of an account that is served: what workers registered, or
// else what a visitor noted.
func (s *Records) Known(ctx context.Context, account string) (r Registration, ok bool, err error) {
	if r, ok, err = s.Registration(ctx, account); ok || err != nil {
		return r, ok, err
	}
	return s.registration(ctx, accountKeys(account).visit(), account)
}
