package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
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

// Account finds the account that a command means by --account and --provider,
// either of which may be empty: an account by its name, the only account there
// is, the only one of a provider, or the account that a keyless provider needs
// no configuration for.
func (c *Config) Account(name, provider string) (Account, error) {
	i := slices.IndexFunc(c.providers, func(p Provider) bool { return p.Name == provider })
	if provider != "" && i < 0 {
		return Account{}, fmt.Errorf("--provider: want %s", orList(names(c.providers)))
	}
	var found []Account
	for _, a := range c.Accounts {
		if (name == "" || a.Name == name) && (provider == "" || a.Provider == provider) {
			found = append(found, a)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1 && provider != "":
		return Account{}, fmt.Errorf("provider %s has several accounts: choose one with --account: %s", provider, accountList(found))
	case len(found) > 1:
		return Account{}, fmt.Errorf("there are several accounts: choose one with --account: %s", accountList(found))
	case i >= 0 && c.providers[i].Keyless && (name == "" || name == provider):
		return defaultAccount(provider, provider), nil
	case len(c.Accounts) == 0:
		return Account{}, fmt.Errorf("no account is configured: %s", c.firstAccount(provider))
	case name == "":
		return Account{}, fmt.Errorf("no account has provider %s: the accounts are %s", provider, accountList(c.Accounts))
	case provider != "":
		return Account{}, fmt.Errorf("no account %q has provider %s: the accounts are %s", name, provider, accountList(c.Accounts))
	}
	return Account{}, fmt.Errorf("no account is called %q: the accounts are %s", name, accountList(c.Accounts))
}

// firstAccount says how to get an account where there is none.
func (c *Config) firstAccount(provider string) string {
	var variables, keyless []string
	for _, p := range c.providers {
		if p.KeyEnv != "" && (provider == "" || p.Name == provider) {
			variables = append(variables, p.KeyEnv)
		}
		if p.Keyless {
			keyless = append(keyless, "--provider "+p.Name)
		}
	}
	slices.Sort(variables)
	var ways []string
	if len(variables) > 0 {
		ways = append(ways, "set "+orList(variables))
	}
	ways = append(ways, "write an accounts section into "+DefaultFile)
	if len(keyless) > 0 {
		ways = append(ways, "try it with "+orList(keyless))
	}
	return orList(ways)
}

// accountList gives "acme (sensible), beta (typless)".
func accountList(accounts []Account) string {
	all := make([]string, len(accounts))
	for i, a := range accounts {
		all[i] = a.Name
		if a.Provider != "" {
			all[i] += " (" + a.Provider + ")"
		}
	}
	return strings.Join(all, ", ")
}

func unknownAccount(accounts []Account) string {
	if len(accounts) == 0 {
		return "is no account, for there are none"
	}
	return "is no account: there are " + accountList(accounts)
}
