package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadNamesFileLineAndKey(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ source, want string }{
		"unknown section": {"rediss: {}", `1: rediss: unknown key; the keys here are redis, data, api, callbacks, fetch, admin, worker, accounts`},
		"unknown key":     {"worker:\n  concurency: 3", `2: worker.concurency: unknown key; the keys here are concurrency`},
		"key twice":       {"worker:\n  concurrency: 3\n  concurrency: 4", `3: worker.concurrency: is there twice`},
		"not a mapping":   {"worker: 3", `1: worker: want keys with values`},
		"list at the top": {"- a", `1: want keys with values`},
		"not a value":     {"worker: {concurrency: [3]}", `1: worker.concurrency: want one value`},
		"not a list":      {"fetch:\n  allow_hosts: a", `2: fetch.allow_hosts: want a list, such as [a, b]`},
		"bad list entry":  {"fetch:\n  allow_hosts:\n  - a\n  - http://b", `4: fetch.allow_hosts[1]: want a name, "*.suffix", an address or a CIDR, without scheme and port`},
		"two documents":   {"worker:\n---\nworker:\n", `3: want one YAML document, found several`},
		"syntax":          {"worker:\n  concurrency: [3", `2: sequence end token ']' not found`},
		"no anchor":       {"worker: *w", `1: worker: want keys with values`},
		"endless anchor":  {"accounts:\n  a: &a\n    <<: *a\n    provider: sandbox", `2: accounts.a: merges too much`},
		"after a block":   {"api:\r\n  max_document: |\r\n    1MiB\r\n  x: 1\r\n", `4: api.x: unknown key; the keys here are listen, public_url, max_document, keys`},

		"number":         {"worker: {concurrency: 0}", `1: worker.concurrency: want a whole number from 1 to 1024`},
		"duration":       {"data: {retention: 7d}", `1: data.retention: want a duration such as "90s", "15m" or "168h"`},
		"short duration": {"data: {retention: 1s}", `1: data.retention: want a duration from 1m to 87840h`},
		"contradiction":  {"data: {retention: 1h, document_retention: 2h}", `1: data.document_retention: must not be longer than data.retention, after which document and result go together`},
		"size":           {"api: {max_document: 1XB}", `1: api.max_document: want a size such as "100MiB", "500kB" or "1048576"`},
		"listen":         {"api: {listen: localhost}", `1: api.listen: want host:port, such as "127.0.0.1:8080"`},
		"redis scheme":   {"redis: {url: 'http://x'}", `1: redis.url: want a URL that begins with redis://, redis-sentinel:// or redis-cluster://, with rediss for TLS, or unix://`},
		"two passwords":  {"redis: {url: 'redis://:a@h', password: b}", `1: redis.password: the URL has a password, too: leave one of them out`},
		"user alone":     {"redis: {url: 'redis://h', username: b}", `1: redis.username: needs a password beside it, in redis.password`},
		"half a pair":    {"redis: {url: 'rediss://h', tls: {cert_file: a}}", `1: redis.tls: cert_file and key_file belong together`},
		"no TLS":         {"redis: {url: 'redis-cluster://h', tls: {ca_file: a}}", `1: redis.tls: the URL is one without TLS: want rediss://, rediss-cluster:// or rediss-sentinel://`},
		"data scheme":    {"data: {url: 'http://x'}", `1: data.url: want a directory or a URL that begins with file:///, mem://, s3://, gs:// or azblob://`},
		"public url":     {"api: {public_url: 'x.example.com'}", `1: api.public_url: want a URL that begins with http:// or https://`},
		"signing secret": {"callbacks: {secret: plain}", `1: callbacks.secret: want "whsec_" and base64 of 24 to 64 bytes, as "echo whsec_$(openssl rand -base64 32)" prints it`},
		"weak secret":    {"callbacks: {secret: whsec_c2VjcmV0}", `1: callbacks.secret: want "whsec_" and base64 of 24 to 64 bytes, as "echo whsec_$(openssl rand -base64 32)" prints it`},
		"key without":    {"api:\n  keys:\n    k: {}", `3: api.keys.k.secret: the secret is missing: write secret: "${NAME}" and set that variable`},
		"key's account":  {"api: {keys: {k: {secret: s, accounts: [b]}}}\naccounts: {a: {provider: sandbox}}", `1: api.keys.k.accounts[0]: is no account: there are a (sandbox)`},
		"keys alike":     {"api:\n  keys:\n    a: {secret: s}\n    b: {secret: s}", `4: api.keys.b: has the same secret as api.keys.a`},

		"account name":    {"accounts: {A: {provider: sandbox}}", `1: accounts.A: want a name of 1 to 40 characters a-z, 0-9 and -, and neither deliver nor system`},
		"reserved name":   {"accounts: {deliver: {provider: sandbox}}", `1: accounts.deliver: want a name of 1 to 40 characters a-z, 0-9 and -, and neither deliver nor system`},
		"no provider":     {"accounts:\n  a: {}", `2: accounts.a.provider: is missing: want sandbox, sensible or typless`},
		"what provider":   {"accounts: {a: {provider: acme}}", `1: accounts.a.provider: want sandbox, sensible or typless`},
		"no key":          {"accounts:\n  a:\n    provider: typless", `2: accounts.a.api_key: the secret is missing: write api_key: "${NAME}" and set that variable`},
		"empty key":       {"accounts:\n  a:\n    provider: typless\n    api_key: ''", `4: accounts.a.api_key: the secret is missing: write api_key: "${NAME}" and set that variable`},
		"unset variable":  {"accounts:\n  a:\n    provider: typless\n    api_key: ${GONE}", `4: accounts.a.api_key: environment variable GONE is not set`},
		"rate":            {"accounts: {a: {provider: sandbox, rate: 10}}", `1: accounts.a.rate: want calls per time between "1/h" and "10000/s", such as "10/s", "1/2s" or "600/m"`},
		"sweep":           {"accounts: {a: {provider: sandbox, sweep: on}}", `1: accounts.a.sweep: want auto or off`},
		"hook token":      {"accounts: {a: {provider: sandbox, hook_token: a/b}}", `1: accounts.a.hook_token: want at most 256 characters that a URL's path takes unescaped, such as letters, digits, - and _`},
		"url credentials": {"accounts: {a: {provider: sandbox, base_url: 'https://u:p@x'}}", `1: accounts.a.base_url: must not contain credentials`},
		"url query":       {"accounts: {a: {provider: sandbox, base_url: 'https://x?k=v'}}", `1: accounts.a.base_url: must not have a query or a fragment`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := load(t, tt.source, nil)
			if diff := cmp.Diff("extractq.yaml:"+tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadReportsAllProblemsInOrder(t *testing.T) {
	t.Parallel()
	_, got := load(t, `
accounts:
  b: {provider: sandbox, rate: x, deadline: y}
worker: {concurrency: no}
redis: {wait_replicas: -1, uri: x}
`, nil)
	want := `extractq.yaml:3: accounts.b.deadline: want a duration such as "90s", "15m" or "168h"
extractq.yaml:3: accounts.b.rate: want calls per time between "1/h" and "10000/s", such as "10/s", "1/2s" or "600/m"
extractq.yaml:4: worker.concurrency: want a whole number from 1 to 1024
extractq.yaml:5: redis.uri: unknown key; the keys here are url, username, password, tls, wait_replicas
extractq.yaml:5: redis.wait_replicas: want a whole number from 0 to 10`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// TestNoErrorShowsASecret puts a secret into every kind of wrong place.
func TestNoErrorShowsASecret(t *testing.T) {
	t.Parallel()
	const secret = "sk_live_51H8x"
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	places := []string{
		"worker: {concurrency: %}", "worker: %", "%", "- %", `a: "%`, "a: [%", "a: {b: %", "a: %: b", "\ta: %",
		"redis: {url: '%'}", "redis: {url: 'redis://:%@[::1'}", "redis: {url: 'redis://:%@h:notaport/0'}", "redis: {url: 'x://%@h'}", "redis: {wait_replicas: %}", "redis: {tls: {ca_file: [%]}}", "redis: {username: %}", "redis: {password: \"%\\nx\"}",
		"data: {url: '%://x'}", "data: {url: '%:x'}", "data: {retention: %}", "data: {url: 'file://%/x'}",
		"api: {listen: '%'}", "api: {public_url: 'https://u:%@x'}", "api: {public_url: 'https://%:x'}", "api: {max_document: %}",
		"api: {keys: {k: {secret: \"%\\u0001\"}}}", "api: {keys: {a: {secret: '%'}, b: {secret: '%'}}}",
		"api: {keys: {a: {secret: '%'}, b: {secret: s, previous_secret: '%'}}}", "api: {keys: {k: {secret: s, previous_callback_secret: '%'}}}",
		"api: {keys: {k: {secret: s, accounts: ['%']}}}", "api: {keys: {k: {secret: s, operator: '%'}}}",
		"api: {keys: {k: {secret: s, customer: \"%\\u0001\"}}}",
		"callbacks: {secret: '%'}", "callbacks: {allow_hosts: ['http://%']}", "callbacks: {allow_hosts: '%'}",
		"accounts: {a: {provider: '%'}}", "accounts: {a: {provider: sandbox, rate: '%'}}", "accounts: {a: '%'}",
		"accounts: {a: {provider: sensible, api_key: \"%\\n%\"}}", "accounts: {a: {provider: sandbox, hook_token: '%/'}}",
		"accounts: {a: {provider: sandbox, base_url: 'https://x/?key=%'}}", "accounts: {a: {provider: sandbox, sweep: '%'}}",
		"accounts: {a: {provider: sandbox, deadline: '%', on_uncertain: '%', max_backlog: '%'}}",
		"accounts: {a: {provider: sandbox, api_key: '${%'}}", "accounts: {a: {provider: sandbox, api_key: 'x${a b}%'}}",
	}
	for _, place := range places {
		for _, value := range []string{secret, "${KEY}", "${file:" + file + "}"} {
			source := strings.ReplaceAll(place, "%", value)
			_, got := load(t, source, map[string]string{"KEY": secret})
			if strings.Contains(got, secret) {
				t.Errorf("the error for %s shows the secret:\n%s", source, got)
			}
			if got == "" {
				t.Errorf("Load of %s succeeded, want an error", source)
			}
		}
	}
	variables := map[string]string{"SENSIBLE_API_KEY": secret + "\x00"}
	_, err := Load("", options(variables))
	if err == nil || strings.Contains(err.Error(), secret) || !strings.HasPrefix(err.Error(), "SENSIBLE_API_KEY: ") {
		t.Errorf("Load with a bad key in the environment = %v", err)
	}
}
