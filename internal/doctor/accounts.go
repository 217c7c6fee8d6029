package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/wait"
	"github.com/extractq/extractq/limiter"
	"github.com/extractq/extractq/store"
)

// vendorTimeout is how long a vendor may take for the one free call.
const vendorTimeout = 15 * time.Second

// probesAtOnce is the number of concurrent calls: there may be a thousand accounts.
const probesAtOnce = 8

// accounts makes one free call for each account, and adds the findings in the order of the
// accounts.
func (d *checks) accounts(ctx context.Context, cfg app.Process) {
	found := make([]Finding, len(cfg.Accounts))
	slots := make(chan struct{}, probesAtOnce)
	var wg sync.WaitGroup
	for i, a := range cfg.Accounts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			found[i] = d.account(ctx, cfg, a)
		})
	}
	wg.Wait()
	d.findings = append(d.findings, found...)
}

// account makes the free call, within the rate that all workers share if Redis can be
// reached.
func (d *checks) account(ctx context.Context, cfg app.Process, a config.Account) Finding {
	f := Finding{Check: "account " + a.Name}
	if a.Provider == app.SandboxProvider && a.BaseURL == "" {
		f.State, f.Message = Note, "run and up bring a sandbox of their own; for workers set accounts."+a.Name+".base_url to a sandbox that is running"
		return f
	}
	p, err := cfg.NewProvider(a)
	if err != nil {
		f.State, f.Message = Fix, err.Error()
		return f
	}
	ctx, cancel := context.WithTimeoutCause(ctx, vendorTimeout, errTooSlow)
	defer cancel()
	limits, err := d.limits()
	if err != nil {
		f.State, f.Message = Fix, err.Error()
		return f
	}
	if limits != nil {
		admission, err := limits.Admit(ctx, a.Name, limiter.OpProbe, float64(a.Rate), limiter.OpProbe.Patience())
		switch {
		case err != nil: // The line about Redis says why; the call is made all the same.
		case admission.Verdict != limiter.Go:
			f.State = Note
			f.Message = fmt.Sprintf("not asked: the rate of this account, or the vendor, allows no call for %v", admission.Wait.Round(time.Second))
			return f
		default:
			if err := wait.For(ctx, admission.Wait); err != nil {
				f.State, f.Message = Away, err.Error()
				return f
			}
		}
	}
	err = p.Probe(ctx)
	f.State, f.Message = judge(a, err)
	if (err == nil || extraction.KindOf(err) == extraction.KindForbidden) && limits != nil {
		d.pause(ctx, limits, a, &f)
	}
	return f
}

// limits returns the limiter of all accounts; nil without Redis.
func (d *checks) limits() (*limiter.Limiter, error) {
	if d.rdb == nil {
		return nil, nil
	}
	records, err := store.NewRecords(d.rdb)
	return limiter.New(d.rdb, records), err
}

// pause says that an account is paused although its vendor responds.
func (d *checks) pause(ctx context.Context, limits *limiter.Limiter, a config.Account, f *Finding) {
	state, err := limits.State(ctx, a.Name)
	if err != nil || state.Reason == limiter.Active { // The line about Redis says the first.
		return
	}
	f.State = Note
	ends := "the workers' next probe ends that, or"
	switch state.Reason {
	case limiter.Quota:
		f.State = Fix
		ends = "the plan is used up, and submissions stand still: renew it; the workers try once an hour, or at once after"
	case limiter.Operator:
		ends = "it goes on after"
	case limiter.Active, limiter.Unauthorized, limiter.Unavailable:
	}
	why := ""
	if state.Message != "" {
		why = " because of " + state.Message
	}
	f.Message += fmt.Sprintf("; paused (%s) since %s%s: %s extractq accounts resume %s",
		state.Reason, state.Since.UTC().Format(time.DateTime), why, ends, a.Name)
}

// judge says what the vendor's answer to the free call means.
func judge(a config.Account, err error) (State, string) {
	where := a.Provider
	if a.BaseURL != "" {
		where += " at " + app.ShownURL(a.BaseURL)
	}
	if err == nil && app.InClear(a) {
		return Note, where + " answers and takes the key, which goes there without encryption: use https"
	}
	if err == nil {
		return OK, where + " answers and takes the key"
	}
	cause := err
	e, ok := errors.AsType[*extraction.Error](err)
	if ok {
		cause = e.Err
		if said := extraction.Said(e.Vendor); said != "" {
			cause = fmt.Errorf("%w: %s", cause, said)
		}
	}
	switch extraction.KindOf(err) {
	case extraction.KindUnauthorized:
		return Fix, fmt.Sprintf("%s refuses the key (%v): set %s", where, cause, keySetting(a))
	case extraction.KindForbidden:
		return Note, fmt.Sprintf("%s answers and does not let the key list what has finished (%v): documents are asked for one by one, "+
			"and a submission whose answer is lost is not found again; where submissions are refused too, set %s", where, cause, keySetting(a))
	case extraction.KindQuota:
		return Fix, fmt.Sprintf("%s says that the plan is used up (%v): submissions stand still until it is renewed", where, cause)
	case extraction.KindRateLimited:
		if e.RetryAfter == 0 {
			return Note, where + " answers, and takes no more calls now; it does not say until when"
		}
		return Note, fmt.Sprintf("%s answers, and wants no more calls for %v", where, e.RetryAfter.Round(time.Second))
	case extraction.KindNotFound, extraction.KindRejected, extraction.KindUploadGone, extraction.KindTooLarge, extraction.KindTransient:
	}
	if ok && (e.Status == http.StatusNotFound || e.Status == http.StatusBadRequest || e.Status == http.StatusMethodNotAllowed) {
		return Fix, fmt.Sprintf("%s answers, but not as its API does (%v): check accounts.%s.base_url", where, cause, a.Name)
	}
	return Away, fmt.Sprintf("%s does not answer as it should: %v", where, cause)
}

// keySetting is where the key of an account can be set.
func keySetting(a config.Account) string {
	setting := "accounts." + a.Name + ".api_key"
	if env := keyEnv(a); env != "" && a.Name == a.Provider {
		setting += ", or " + env + ","
	}
	return setting + " to one that works"
}
