package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrStoreGone is returned where the directory of the document store is no longer the
// one that this process began with: it was unmounted or replaced. It heals
// when that one is back.
var ErrStoreGone = errors.New("the document store is gone, or another one is in its place")

// Hold makes the store refuse any directory without the identity that Redis has for
// it: from then on nothing is written beside it. Pair comes first.
func (b *Blobs) Hold(ctx context.Context, s *Records) error {
	if b.dir == "" && !b.remote {
		return nil
	}
	here, err := s.identity(ctx)
	if err != nil {
		return err
	}
	if here.Store == "" {
		return fmt.Errorf("%w: redis has no identity for it", ErrOtherStore)
	}
	b.held.Store(&here.Store)
	return b.present(ctx)
}

// present returns ErrStoreGone where the store is not the one that is held: what it does not
// have is no answer then. An object store is asked for its identity, which costs a request;
// so it is asked only where something is missing.
func (b *Blobs) present(ctx context.Context) error {
	held := b.held.Load()
	if held == nil || !b.remote {
		_, err := b.directory()
		return err
	}
	there, err := b.identity(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrStoreGone, err)
	case there.Store != *held:
		return fmt.Errorf("%w: its identity is %q, not %s", ErrStoreGone, there.Store, *held)
	}
	return nil
}

// directory is the store's directory as it is now, or ErrStoreGone where it is not the
// one that is held. It keeps nothing open, which would keep a mount busy. It is nil for
// a store that is not a directory, or that is held by no identity yet.
func (b *Blobs) directory() (os.FileInfo, error) {
	held := b.held.Load()
	if held == nil || b.remote {
		return nil, nil
	}
	info, err := os.Stat(b.dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStoreGone, err)
	}
	body, err := os.ReadFile(filepath.Join(b.dir, identityKey))
	var there identity
	if err == nil {
		err = json.Unmarshal(body, &there)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStoreGone, err)
	}
	if there.Store != *held {
		return nil, fmt.Errorf("%w: its identity is %s, not %s", ErrStoreGone, there.Store, *held)
	}
	return info, nil
}

// still returns ErrStoreGone unless the store's directory is the one that was seen
// before, on the same device.
func (b *Blobs) still(before os.FileInfo) error {
	now, err := b.directory()
	if err != nil || before == nil || now == nil {
		return err
	}
	if !os.SameFile(before, now) {
		return fmt.Errorf("%w: it changed during the write", ErrStoreGone)
	}
	return nil
}
