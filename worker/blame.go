package worker

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/limiter"
)

// One refusal is no verdict about the account: a firewall may dislike one document, and a
// plan may not cover one environment. Before a refused call stops everything, the account
// is probed.

// refusedAgain is how soon a refused document is tried a second time.
const refusedAgain = 2 * time.Second

// refusal reports whether an error may be about the account or about this document.
func refusal(e *extraction.Error, op limiter.Op) bool {
	if op != limiter.OpSubmit && op != limiter.OpPoll {
		return false // The list is the probe itself.
	}
	return e.Kind == extraction.KindUnauthorized || e.Kind == extraction.KindQuota && e.Status == http.StatusPaymentRequired
}

// blame finds out what a refusal is about. It returns err as it is where that is the
// account, a rejection where it is the document, and how long to wait where the account
// cannot be probed now.
func (s *step) blame(err error, op limiter.Op) (blamed error, delay time.Duration, _ error) {
	e, ok := errors.AsType[*extraction.Error](err)
	if !ok || !refusal(e, op) {
		return err, 0, nil
	}
	verdict, delay, stateErr := s.w.probeNow(s.ctx, s.acct)
	if stateErr != nil || delay > 0 {
		return err, delay, stateErr
	}
	switch extraction.KindOf(verdict) {
	case extraction.KindUnauthorized, extraction.KindForbidden, extraction.KindQuota:
		return err, 0, nil
	case extraction.KindRejected, extraction.KindRateLimited, extraction.KindNotFound, extraction.KindTransient,
		extraction.KindUploadGone, extraction.KindTooLarge:
	}
	if verdict != nil { // The vendor says nothing about the account now.
		return err, refusedAgain, nil
	}
	if e.Kind == extraction.KindQuota { // The probe is free: it says nothing about a plan.
		others, stateErr := s.othersSucceed(s.ctx, limiter.OpSubmit)
		if stateErr != nil || s.rec.SubmitErrors > 0 && !others {
			return err, 0, stateErr
		}
	}
	mine := *e
	mine.Kind = extraction.KindTransient
	if op == limiter.OpSubmit && s.rec.SubmitErrors > 0 {
		mine.Kind, mine.Code = extraction.KindRejected, extraction.CodeVendorRejected
	}
	return &mine, 0, nil
}

// probeNow probes an account that is not paused, and returns what the vendor says; or
// how long to wait, where the rate leaves no room for a probe. Steps that are refused at
// the same time share one probe.
func (w *Worker) probeNow(ctx context.Context, a *account) (verdict error, delay time.Duration, _ error) {
	a.probed.mu.Lock()
	defer a.probed.mu.Unlock()
	if time.Since(a.probed.at) < time.Second {
		return a.probed.verdict, 0, nil
	}
	admission, err := w.limiter.Admit(ctx, a.Name, limiter.OpProbe, a.Rate, limiter.OpProbe.Patience())
	if err != nil {
		return nil, 0, err
	}
	if admission.Verdict != limiter.Go {
		return nil, max(admission.Wait, time.Second), nil
	}
	if err := wait.For(ctx, admission.Wait); err != nil {
		return nil, 0, err
	}
	call, cancel := transfer.WithTimeout(ctx, w.cfg.Stall)
	defer cancel()
	a.probed.verdict, a.probed.at = a.Provider.Probe(call), time.Now()
	return a.probed.verdict, 0, nil
}
