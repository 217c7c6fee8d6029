package config

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/extractq/extractq/internal/address"
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
	read(&s, "username", &r.Username, text)
	read(&s, "password", &r.Password, password)
	tls := s.child("tls")
	read(&tls, "ca_file", &r.TLS.CAFile, text)
	read(&tls, "cert_file", &r.TLS.CertFile, text)
	read(&tls, "key_file", &r.TLS.KeyFile, text)
	read(&tls, "server_name", &r.TLS.ServerName, text)
	if (r.TLS.CertFile == "") != (r.TLS.KeyFile == "") {
		s.report("tls", errors.New("cert_file and key_file belong together"))
	}
	tls.close()
	if !r.Password.IsZero() && address.HasPassword(r.URL) {
		s.report("password", errors.New("the URL has a password, too: leave one of them out"))
	}
	if r.Username != "" && r.Password.IsZero() {
		s.report("username", errors.New("needs a password beside it, in redis.password"))
	}
	if r.URL != "" && r.TLS != (address.TLS{}) && !strings.HasPrefix(r.URL, "rediss") {
		s.report("tls", errors.New("the URL is one without TLS: want rediss://, rediss-cluster:// or rediss-sentinel://"))
	}
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

func names(providers []Provider) []string {
	all := make([]string, len(providers))
	for i, p := range providers {
		all[i] = p.Name
	}
	slices.Sort(all)
	return all
}
