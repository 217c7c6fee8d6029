package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// year is the longest duration that anything is kept or waited for.
const year = 366 * 24 * time.Hour

func parse(path string, source []byte, o Options) (*Config, error) {
	f := &file{name: path, lookup: o.LookupEnv, anchors: anchors{}}
	c := Default()
	c.providers = o.Providers

	top := f.parse(source)
	readRedis(&c.Redis, top.child("redis"))
	readData(&c.Data, top.child("data"))
	api := top.child("api")
	readCallbacks(&c.Callbacks, top.child("callbacks"))
	fetch := top.child("fetch")
	readList(&fetch, "allow_hosts", &c.Fetch.AllowHosts, allowedHost)
	fetch.close()
	admin := top.child("admin")
	read(&admin, "listen", &c.Admin.Listen, ListenAddress)
	admin.close()
	worker := top.child("worker")
	read(&worker, "concurrency", &c.Worker.Concurrency, whole(1, 1024))
	worker.close()
	accounts := top.child("accounts")
	c.Accounts = readAccounts(accounts, o.Providers)
	top.close()

	if len(accounts.entries) == 0 {
		c.Accounts = environmentAccounts(f, o)
	}
	readAPI(&c.API, api, c.Accounts)
	if err := f.err(); err != nil {
		return nil, err
	}
	return c, nil
}

func readRedis(r *Redis, s section) {
	read(&s, "url", &r.URL, RedisURL)
	read(&s, "wait_replicas", &r.WaitReplicas, whole(0, 10))
	s.close()
}

func readData(d *Data, s section) {
	read(&s, "url", &d.URL, DataURL)
	read(&s, "retention", &d.Retention, duration(time.Minute, 10*year))
	explicit := read(&s, "document_retention", &d.DocumentRetention, duration(0, 10*year))
	switch {
	case d.DocumentRetention <= d.Retention:
	case explicit:
		s.report("document_retention", errors.New("must not be longer than data.retention, after which document and result go together"))
	default:
		d.DocumentRetention = d.Retention
	}
	s.close()
}

func readAPI(a *API, s section, accounts []Account) {
	read(&s, "listen", &a.Listen, ListenAddress)
	read(&s, "public_url", &a.PublicURL, webURL)
	read(&s, "max_document", &a.MaxDocument, ParseBytes)
	keys := s.child("keys")
	for name, k := range keys.children() {
		a.Keys = append(a.Keys, readKey(name, k))
	}
	slices.SortFunc(a.Keys, func(a, b APIKey) int { return strings.Compare(a.Name, b.Name) })
	checkKeys(keys, a.Keys, accounts)
	s.close()
}

// checkKeys reports keys that cannot be told apart, and keys that are limited
// to accounts that do not exist.
func checkKeys(s section, keys []APIKey, accounts []Account) {
	seen := map[Secret]string{}
	for _, k := range keys {
		for _, secret := range []Secret{k.Secret, k.PreviousSecret} {
			if other, ok := seen[secret]; ok && other != k.Name && !secret.IsZero() {
				s.report(k.Name, errors.New("has the same secret as "+s.name(other)))
			}
			seen[secret] = k.Name
		}
		for i, name := range k.Accounts {
			if !slices.ContainsFunc(accounts, func(a Account) bool { return a.Name == name }) {
				key := fmt.Sprintf("%s.accounts[%d]", s.name(k.Name), i)
				s.file.report(s.lineOf(k.Name), key, errors.New(unknownAccount(accounts)))
			}
		}
	}
}

func readKey(name string, s section) APIKey {
	k := APIKey{Name: name}
	if strings.TrimSpace(name) == "" || !printable(name) {
		s.file.report(s.line, s.path, errors.New("want a name with printable characters"))
	}
	if !read(&s, "secret", &k.Secret, header) || k.Secret.IsZero() {
		s.missing("secret", "the secret is missing: "+`write secret: "${NAME}" and set that variable`)
	}
	read(&s, "previous_secret", &k.PreviousSecret, header)
	readList(&s, "accounts", &k.Accounts, text)
	read(&s, "customer", &k.Customer, optional(label))
	read(&s, "operator", &k.Operator, boolean)
	read(&s, "callback_secret", &k.CallbackSecret, signingSecret)
	read(&s, "previous_callback_secret", &k.PreviousCallbackSecret, signingSecret)
	if k.CallbackSecret.IsZero() && !k.PreviousCallbackSecret.IsZero() {
		s.report("previous_callback_secret", errors.New("is the one before callback_secret, and there is none"))
	}
	s.close()
	return k
}

// missing reports a required key, unless its value was already blamed.
func (s *section) missing(key, advice string) {
	for _, p := range s.file.problems {
		if p.Key == s.name(key) {
			return
		}
	}
	s.report(key, errors.New(advice))
}

// optional lets the empty string through.
func optional(parse func(string) (string, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if s == "" {
			return "", nil
		}
		return parse(s)
	}
}

func readCallbacks(c *Callbacks, s section) {
	read(&s, "secret", &c.Secret, signingSecret)
	read(&s, "previous_secret", &c.PreviousSecret, signingSecret)
	readList(&s, "allow_hosts", &c.AllowHosts, allowedHost)
	s.close()
}

var accountName = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)

func readAccounts(s section, providers []Provider) []Account {
	var accounts []Account
	for name, sub := range s.children() {
		if !accountName.MatchString(name) {
			s.report(name, errors.New("want a name of 1 to 40 characters a-z, 0-9 and -"))
		} else if name == "deliver" || name == "system" {
			s.report(name, errors.New("this name is taken by a queue of extractq's own"))
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

func names(providers []Provider) []string {
	all := make([]string, len(providers))
	for i, p := range providers {
		all[i] = p.Name
	}
	slices.Sort(all)
	return all
}
