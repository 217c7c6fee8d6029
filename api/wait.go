package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/extractq/extractq/store"
)

// maxWait is the longest time that an answer is held.
const maxWait = time.Minute

func parseWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if n, numErr := strconv.Atoi(text); numErr == nil && n <= int(maxWait/time.Second) {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 || d > maxWait {
		return 0, problem(http.StatusUnprocessableEntity, codeInvalid, "wait is a duration such as 30s, at most 60s")
	}
	return d, nil
}

// awaitFinal returns a record once it is settled, or its state after wait. If the caller's
// key is revoked meanwhile, the error is errRevoked, beside the last state that the key
// could see.
func (s *Server) awaitFinal(ctx context.Context, account, id string, wait time.Duration) (store.Record, error) {
	ctx, release := s.hold(ctx)
	defer release()
	changed, done := s.hub.watch(id)
	defer done()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	r, err := s.cfg.Records.Get(context.WithoutCancel(ctx), account, id)
	for {
		if errors.Is(context.Cause(ctx), errRevoked) {
			return r, errRevoked
		}
		if err != nil || r.Settled() || wait == 0 {
			return r, err
		}
		select {
		case <-changed:
			if last := r; ctx.Err() == nil {
				if r, err = s.cfg.Records.Get(ctx, account, id); ctx.Err() != nil {
					r, err = last, nil
				}
			}
		case <-timer.C:
			return r, nil
		case <-s.stopping.Done():
			return r, nil
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errRevoked) {
				return r, errRevoked
			}
			return r, nil
		}
	}
}
