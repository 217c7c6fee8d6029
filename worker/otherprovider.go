package worker

import (
	"cmp"
	"fmt"
	"log/slog"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// The configuration may give an account to another provider while it has work under way.
// What was accepted for one vendor is not sent to another, and its id says nothing there:
// a 404 would end it. It waits until its provider is back, or until it is canceled.

// providerDelay is how soon such a step looks again.
const providerDelay = time.Minute

// providerName is what extractions of the account are accepted for. The sandbox speaks the
// dialect of a vendor, and has a name of its own.
func (a *account) providerName() string {
	return cmp.Or(a.ProviderName, a.Provider.Traits().Provider)
}

// otherProvider reports whether the account has another provider than the extraction.
func (s *step) otherProvider() bool {
	return s.rec.Provider != "" && s.rec.Provider != s.acct.providerName()
}

// waitForProvider puts the step off and says why.
func (s *step) waitForProvider() error {
	is := s.acct.providerName()
	if _, said := s.acct.unknown.LoadOrStore("provider "+s.rec.Provider+" "+is, true); !said {
		s.w.log.ErrorContext(s.ctx, "account has another provider than its extractions, which wait",
			slog.String("account", s.acct.Name), slog.String("provider", is), slog.String("extraction_provider", s.rec.Provider))
	}
	c := s.notBegun()
	if c == nil {
		c = new(store.Change)
	}
	return s.again(s.kind, providerDelay, extraction.BecauseRetry, c.Trouble(extraction.Trouble{
		Code: extraction.CodeInternal, At: extraction.Time{Time: s.now()},
		Message: fmt.Sprintf("account %s was given to provider %s, and this was accepted for %s: it waits until the account has that again",
			s.acct.Name, is, s.rec.Provider),
	}))
}
