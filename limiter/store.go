package limiter

import (
	"context"
	"fmt"
	"time"
)

// While the document store fails, what the vendor answers would be thrown away: no worker
// makes a call for the account, and one of them tries the store now and then. That is no
// pause with a reason: it says nothing about the account, and one that is paused as well
// stays so when it is over.

// storeCode is the code of an account's trouble with its document store.
const storeCode = "store_unavailable"

// StoreWait is how long the probes of a document store wait: First, doubling to Most.
type StoreWait struct{ First, Most time.Duration }

// StoreFails stops an account's calls because its document store fails. began reports that
// it did not before; wait is how long until the next probe. token is the caller's, and
// message must hold no secret.
func (l *Limiter) StoreFails(ctx context.Context, account, token string, every StoreWait, message string) (began bool, wait time.Duration, err error) {
	got, err := l.clock.Call(ctx, storeFailsScript, account, []string{accountKeys(account).state()},
		token, every.First.Milliseconds(), every.Most.Milliseconds(), storeCode, cut(message)).Int64Slice()
	if err != nil {
		return false, 0, fmt.Errorf("note that the document store of %s fails: %w", account, err)
	}
	return got[0] == 1, time.Duration(got[1]) * time.Millisecond, nil
}

// ProbeStore reports whether the caller is to try the document store now: of all workers
// one does each time.
func (l *Limiter) ProbeStore(ctx context.Context, account, token string, every StoreWait) (bool, error) {
	n, err := l.clock.Call(ctx, storeProbeScript, account, []string{accountKeys(account).state()},
		token, every.First.Milliseconds(), every.Most.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("claim probe of the document store of %s: %w", account, err)
	}
	return n == 1, nil
}

// StoreWorks lets an account's calls go on. ended reports that they had been stopped, for
// as long as lasted.
func (l *Limiter) StoreWorks(ctx context.Context, account, token string) (lasted time.Duration, ended bool, err error) {
	ms, err := l.clock.Call(ctx, storeWorksScript, account, []string{accountKeys(account).state()}, token, storeCode).Int64()
	if err != nil {
		return 0, false, fmt.Errorf("note that the document store of %s works: %w", account, err)
	}
	return time.Duration(ms) * time.Millisecond, ms >= 0, nil
}
