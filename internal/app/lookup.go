package app

import (
	"context"
	"slices"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/store"
)

// Accounts returns the names of the configured accounts and of all others that have
// extractions.
func (s *Services) Accounts(ctx context.Context, configured []config.Account) ([]string, error) {
	registered, err := s.Records.Accounts(ctx)
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	all := append(AccountNames(configured), registered...)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Find returns the records of those ids that exist, whatever their account.
func (s *Services) Find(ctx context.Context, configured []config.Account, ids ...string) ([]store.Record, error) {
	accounts, err := s.Accounts(ctx, configured)
	if err != nil {
		return nil, err
	}
	found, err := s.Records.GetAll(ctx, accounts, ids...)
	if err != nil {
		return nil, errkind.MarkUnavailable(err)
	}
	return found, nil
}
