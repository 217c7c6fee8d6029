package config

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
)

// Account is one set of credentials at one provider, with its limits.
type Account struct {
	// Name is 1 to 40 characters a-z, 0-9 and -: it is part of queue names and
	// of Redis keys. deliver and system are queues of extractq's own.
	Name string
	// Provider is the name of the adapter.
	Provider string
	// APIKey is the vendor's key.
	APIKey Secret
	// BaseURL is where the vendor's API is; empty means the provider's default.
	BaseURL string
	// Rate is the number of calls per second to the vendor's API, shared by all
	// workers. Default 10/s; from 1/h to 10000/s.
	Rate Rate
	// MaxInFlight is how many extractions the vendor has at once. Default 500;
	// at most 1,000,000.
	MaxInFlight int
	// MaxBacklog is how many unfinished extractions are accepted. Default
	// 100,000; at most 10,000,000, some 16 GB in Redis.
	MaxBacklog int
	// Deadline is how long the vendor may take, from submitted_at. Default 1h;
	// from 1s to a year.
	Deadline time.Duration
	// PollPrice is the delay that one request is worth: the higher, the fewer
	// polls and the later the result. Default 1s; from 1ms to 1h.
	PollPrice time.Duration
	// Sweep says whether the vendor's ready lists are asked. Default auto.
	Sweep Sweep
	// OnUncertain says what happens when it is unknown whether a submission
	// arrived. Default fail. With resubmit it may be paid for twice.
	OnUncertain OnUncertain
	// UncertainWindow is the longest that the vendor's list is searched for a submission
	// whose answer was lost; 0 goes by the account's latencies. At most a year.
	UncertainWindow time.Duration
	// SubmitAttempts is how often one document is sent that draws a 5xx while
	// others of the account succeed. Default 5; from 1 to 100.
	SubmitAttempts int
	// MaxResult is the largest answer with a result in bytes. Default 256 MiB.
	MaxResult int64
	// HookToken is the secret part of the URL for the vendor's webhooks; empty
	// means none are taken.
	HookToken Secret
}

// Sweep says whether ready lists are asked.
type Sweep string

// The values of sweep.
const (
	SweepAuto Sweep = "auto"
	SweepOff  Sweep = "off"
)

// OnUncertain says what to do about an uncertain submission.
type OnUncertain string

// The values of on_uncertain.
const (
	UncertainFail     OnUncertain = "fail"
	UncertainResubmit OnUncertain = "resubmit"
)

func defaultAccount(name, provider string) Account {
	return Account{
		Name:           name,
		Provider:       provider,
		Rate:           10,
		MaxInFlight:    500,
		MaxBacklog:     100_000,
		Deadline:       time.Hour,
		PollPrice:      time.Second,
		Sweep:          SweepAuto,
		OnUncertain:    UncertainFail,
		SubmitAttempts: 5,
		MaxResult:      256 << 20,
	}
}

func readAccounts(s section, providers []Provider) []Account {
	var accounts []Account
	for name, sub := range s.children() {
		if !extraction.ValidAccount(name) {
			s.report(name, errors.New("want a name of 1 to 40 characters a-z, 0-9 and -, and neither deliver nor system"))
		}
		accounts = append(accounts, readAccount(name, sub, providers))
	}
	slices.SortFunc(accounts, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	return accounts
}

func readAccount(name string, s section, providers []Provider) Account {
	a := defaultAccount(name, "")
	if !read(&s, "provider", &a.Provider, oneOf(names(providers)...)) {
		s.missing("provider", "is missing: want "+orList(names(providers)))
	}
	i := slices.IndexFunc(providers, func(p Provider) bool { return p.Name == a.Provider })
	read(&s, "api_key", &a.APIKey, header)
	if a.APIKey.IsZero() && i >= 0 && !providers[i].Keyless {
		s.missing("api_key", `the secret is missing: write api_key: "${NAME}" and set that variable`)
	}
	read(&s, "base_url", &a.BaseURL, webURL)
	read(&s, "rate", &a.Rate, ParseRate)
	read(&s, "max_in_flight", &a.MaxInFlight, whole(1, 1_000_000))
	read(&s, "max_backlog", &a.MaxBacklog, whole(1, 10_000_000))
	read(&s, "deadline", &a.Deadline, duration(time.Second, year))
	read(&s, "poll_price", &a.PollPrice, duration(time.Millisecond, time.Hour))
	read(&s, "sweep", &a.Sweep, oneOf(SweepAuto, SweepOff))
	read(&s, "on_uncertain", &a.OnUncertain, oneOf(UncertainFail, UncertainResubmit))
	read(&s, "uncertain_window", &a.UncertainWindow, duration(0, year))
	read(&s, "submit_attempts", &a.SubmitAttempts, whole(1, 100))
	read(&s, "max_result", &a.MaxResult, ParseBytes)
	read(&s, "hook_token", &a.HookToken, hookToken)
	s.close()
	return a
}

// environmentAccounts are the accounts of the providers whose key is in the
// environment.
func environmentAccounts(f *file, o Options) []Account {
	var accounts []Account
	for _, name := range names(o.Providers) {
		i := slices.IndexFunc(o.Providers, func(p Provider) bool { return p.Name == name })
		variable := o.Providers[i].KeyEnv
		if variable == "" {
			continue
		}
		value, _ := o.LookupEnv(variable)
		key, err := header(value)
		if err != nil {
			f.problems = append(f.problems, &Problem{Key: variable, Err: err})
		}
		if key.IsZero() {
			continue
		}
		a := defaultAccount(name, name)
		a.APIKey = key
		accounts = append(accounts, a)
	}
	return accounts
}
