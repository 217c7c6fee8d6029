package store

import "context"

// Join is Pair and Hold for a process that only hands documents in: it writes no identity.
// A Redis that has none yet belongs to no store, and an empty one beside a store that
// holds extractions is ErrEmptyRedis. Joining again has no effect.
func (b *Blobs) Join(ctx context.Context, s *Records) error {
	if b.pair.Load() != nil {
		return nil
	}
	if err := s.CheckVersion(ctx); err != nil {
		return err
	}
	here, err := s.identity(ctx)
	if err != nil {
		return err
	}
	if here.Store == "" {
		held, err := b.holdsExtractions(ctx)
		if err == nil && held {
			err = ErrEmptyRedis
		}
		return err
	}
	there, err := b.identity(ctx)
	if err != nil {
		return err
	}
	if err := here.match(there); err != nil {
		return err
	}
	if err := b.Hold(ctx, s); err != nil {
		return err
	}
	b.pair.Store(&here)
	return nil
}
