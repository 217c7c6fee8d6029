package store

import (
	"context"
	"fmt"
	"slices"
)

// A run of the command line that keeps its own journal may share its Redis with other
// producers. What it has in flight there is noted under a name of its own, so that it is
// found, and not paid for again, where the journal was lost.

// NoteRun notes an extraction of a run before it is created.
func (s *Records) NoteRun(ctx context.Context, account, run, id string) error {
	if err := s.rdb.SAdd(ctx, accountKeys(account).run(run), id).Err(); err != nil {
		return fmt.Errorf("note the run: %w", err)
	}
	return nil
}

// ForgetRun removes what NoteRun has noted, once the run has it in its own folder.
func (s *Records) ForgetRun(ctx context.Context, account, run, id string) error {
	if err := s.rdb.SRem(ctx, accountKeys(account).run(run), id).Err(); err != nil {
		return fmt.Errorf("forget the run: %w", err)
	}
	return nil
}

// OfRun returns the ids that are noted for a run, the latest first.
func (s *Records) OfRun(ctx context.Context, account, run string) ([]string, error) {
	ids, err := s.rdb.SMembers(ctx, accountKeys(account).run(run)).Result()
	if err != nil {
		return nil, fmt.Errorf("read the run: %w", err)
	}
	slices.Sort(ids) // A ULID begins with its time.
	slices.Reverse(ids)
	return ids, nil
}
