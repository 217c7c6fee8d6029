package backfill

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/extractq/extractq/internal/errkind"
)

// diskEvery is how often a run checks that --out can be written to. Redis's own file is there
// too, and a Redis that cannot write it only goes away.
const diskEvery = time.Second

// watchDisk ends the run if nothing can be written any more: to --out, or by the worker.
func (b *Backfill) watchDisk(ctx context.Context, end context.CancelCauseFunc) {
	ticker := time.NewTicker(diskEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-b.fatal:
			end(err)
			return
		case <-ticker.C:
			if b.journal != nil {
				b.storeFailed(b.journal.Probe())
			}
		}
	}
}

// storeFailed ends the run if err means that nothing can be written any more. Other errors of
// a disk may pass, and the worker tries again.
func (b *Backfill) storeFailed(err error) {
	for _, lasting := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if !errors.Is(err, lasting) {
			continue
		}
		select {
		case b.fatal <- errkind.MarkUnavailable(fmt.Errorf("results cannot be written: %w; the same command again goes on", lasting)):
		default: // It is ending already.
		}
	}
}
