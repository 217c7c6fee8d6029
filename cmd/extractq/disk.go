package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/extractq/extractq/internal/errkind"
)

// diskEvery is how often a run makes sure that --out can be written to. Redis's
// own file is there, too, and a Redis that cannot write it only goes away.
const diskEvery = time.Second

// watchDisk ends the run where nothing can be written to --out any more.
func (b *backfill) watchDisk(ctx context.Context) {
	ticker := time.NewTicker(diskEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			b.storeFailed(b.journal.probe())
		}
	}
}

// probe writes a little beside the journal.
func (j *journal) probe() error {
	name := filepath.Join(j.dir, "probe")
	err := os.WriteFile(name, make([]byte, 16<<10), 0o600)
	_ = os.Remove(name) // The next one writes over it.
	return err
}

// storeFailed ends the run where nothing can be written any more. Other trouble
// with the disk may pass, and the worker tries again.
func (b *backfill) storeFailed(err error) {
	for _, lasting := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if !errors.Is(err, lasting) {
			continue
		}
		select {
		case b.storeFails <- errkind.MarkUnavailable(fmt.Errorf("results cannot be written: %w; the same command again goes on", lasting)):
		default: // Said already.
		}
	}
}
