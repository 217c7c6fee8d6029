package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/extractq/extractq/internal/address"
)

var ignoreProviders = cmpopts.IgnoreUnexported(Config{})

// options have a Sensible and a Typless, a keyless sandbox, and the variables.
func options(variables map[string]string) Options {
	return Options{
		Providers: []Provider{
			{Name: "typless", KeyEnv: "TYPLESS_API_KEY"},
			{Name: "sensible", KeyEnv: "SENSIBLE_API_KEY"},
			{Name: "sandbox", Keyless: true},
		},
		LookupEnv: func(name string) (string, bool) {
			v, ok := variables[name]
			return v, ok
		},
	}
}

// load reads source as a file called extractq.yaml, and takes the directory
// out of the error.
func load(t *testing.T, source string, variables map[string]string) (*Config, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), DefaultFile)
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, options(variables))
	if err == nil {
		return c, ""
	}
	return c, strings.ReplaceAll(err.Error(), filepath.Dir(path)+string(filepath.Separator), "")
}

const complete = `
redis: {url: "rediss-cluster://127.0.0.1:6379", username: q, password: "${REDIS_PASSWORD}", tls: {ca_file: /ca, cert_file: /c, key_file: /k, server_name: n}, wait_replicas: 1}
data:  {url: "s3://bucket?region=eu-central-1", retention: 48h, document_retention: 0s}
api:
  listen: ":8080"
  public_url: "https://extractq.example.com/"
  max_document: 20MiB
  keys:
    billing: {secret: "${BILLING_KEY}", previous_secret: "bk-before", previous_callback_secret: "whsec_YmVmb3JlYmVmb3JlYmVmb3JlYmVmb3Jl", accounts: [acme-sensible], customer: acme, operator: true, callback_secret: "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}
    all: {secret: "other", previous_secret: "", previous_callback_secret: ""}
callbacks: {secret: "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", previous_secret: "${PREVIOUS:-}", allow_hosts: ["hooks.internal", "*.Corp", 10.0.0.0/8, "::1"]}
fetch: {allow_hosts: [files.internal]}
admin: {listen: ""}
worker: {concurrency: 8}
accounts:
  typless:
    provider: typless
    api_key: literal
  acme-sensible:
    provider: sensible
    api_key: "${SENSIBLE_API_KEY}"
    base_url: "https://api.sensible.so/v0"
    rate: "600/m"
    max_in_flight: ${MAX:-20}
    max_backlog: 1000
    deadline: 15m
    poll_price: 250ms
    sweep: off
    on_uncertain: resubmit
    uncertain_window: 45s
    submit_attempts: 2
    max_result: 1GiB
    hook_token: "t0ken"
`

func TestLoadReadsEverything(t *testing.T) {
	t.Parallel()
	got, problems := load(t, complete, map[string]string{
		"REDIS_PASSWORD": "p@ss:/#%w", "BILLING_KEY": "bk", "SENSIBLE_API_KEY": " sk\n", "TYPLESS_API_KEY": "unused",
	})
	if problems != "" {
		t.Fatal(problems)
	}
	typless := defaultAccount("typless", "typless")
	typless.APIKey = NewSecret("literal")
	want := &Config{
		Redis: Redis{
			URL: "rediss-cluster://127.0.0.1:6379", Username: "q", Password: NewSecret("p@ss:/#%w"), WaitReplicas: 1,
			TLS: address.TLS{CAFile: "/ca", CertFile: "/c", KeyFile: "/k", ServerName: "n"},
		},
		Data: Data{URL: "s3://bucket?region=eu-central-1", Retention: 48 * time.Hour},
		API: API{
			Listen: ":8080", PublicURL: "https://extractq.example.com", MaxDocument: 20 << 20,
			Keys: []APIKey{
				{Name: "all", Secret: NewSecret("other")},
				{
					Name: "billing", Secret: NewSecret("bk"), PreviousSecret: NewSecret("bk-before"), Accounts: []string{"acme-sensible"}, Customer: "acme",
					Operator: true, CallbackSecret: NewSecret("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"),
					PreviousCallbackSecret: NewSecret("whsec_YmVmb3JlYmVmb3JlYmVmb3JlYmVmb3Jl"),
				},
			},
		},
		Callbacks: Callbacks{
			Secret:     NewSecret("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"),
			AllowHosts: []string{"hooks.internal", "*.corp", "10.0.0.0/8", "::1"},
		},
		Fetch:  Fetch{AllowHosts: []string{"files.internal"}},
		Worker: Worker{Concurrency: 8},
		Accounts: []Account{
			{
				Name: "acme-sensible", Provider: "sensible", APIKey: NewSecret("sk"), BaseURL: "https://api.sensible.so/v0",
				Rate: 10, MaxInFlight: 20, MaxBacklog: 1000, Deadline: 15 * time.Minute, PollPrice: 250 * time.Millisecond,
				Sweep: SweepOff, OnUncertain: UncertainResubmit, UncertainWindow: 45 * time.Second, SubmitAttempts: 2, MaxResult: 1 << 30, HookToken: NewSecret("t0ken"),
			},
			typless,
		},
	}
	if diff := cmp.Diff(want, got, ignoreProviders); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	sensible := defaultAccount("sensible", "sensible")
	sensible.APIKey = NewSecret("sk")
	want := &Config{
		Data:     Data{Retention: 168 * time.Hour, DocumentRetention: 24 * time.Hour},
		API:      API{Listen: "127.0.0.1:8080", MaxDocument: 104857600},
		Admin:    Admin{Listen: "127.0.0.1:9464"},
		Worker:   Worker{Concurrency: 32},
		Accounts: []Account{sensible},
	}
	variables := map[string]string{"SENSIBLE_API_KEY": "sk", "TYPLESS_API_KEY": ""}
	for name, source := range map[string]string{
		"empty":         "",
		"comments":      "# nothing\n",
		"null sections": "redis:\ndata:\naccounts:\nworker: {concurrency: }\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, problems := load(t, source, variables)
			if diff := cmp.Diff(want, got, ignoreProviders); problems != "" || diff != "" {
				t.Errorf("Load: %s (-want +got):\n%s", problems, diff)
			}
		})
	}
	t.Run("no file", func(t *testing.T) {
		t.Parallel()
		got, err := Load("", options(variables))
		if diff := cmp.Diff(want, got, ignoreProviders); err != nil || diff != "" {
			t.Errorf("Load: %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestLoadAccountDefaults(t *testing.T) {
	t.Parallel()
	got, problems := load(t, "accounts: {a: {provider: sandbox}}", nil)
	if problems != "" {
		t.Fatal(problems)
	}
	want := []Account{{
		Name: "a", Provider: "sandbox", Rate: 10, MaxInFlight: 500, MaxBacklog: 100000, Deadline: time.Hour,
		PollPrice: time.Second, Sweep: SweepAuto, OnUncertain: UncertainFail, SubmitAttempts: 5, MaxResult: 256 << 20,
	}}
	if diff := cmp.Diff(want, got.Accounts); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
}

func TestLoadKeepsDocumentsNoLongerThanResults(t *testing.T) {
	t.Parallel()
	got, problems := load(t, "data: {retention: 1h}", nil)
	if problems != "" || got.Data.DocumentRetention != time.Hour {
		t.Errorf("Load = %+v, %q, want a document retention of 1h", got, problems)
	}
}

func TestLoadMergesAnchors(t *testing.T) {
	t.Parallel()
	got, problems := load(t, `
accounts:
  a: &a {provider: sandbox, rate: 3/s, max_in_flight: &n 7}
  b:
    <<: *a
    rate: 600/m
    submit_attempts: *n
`, nil)
	if problems != "" {
		t.Fatal(problems)
	}
	b := got.Accounts[1]
	if b.Provider != "sandbox" || b.Rate != 10 || b.MaxInFlight != 7 || b.SubmitAttempts != 7 {
		t.Errorf("merged account = %+v", b)
	}
}

func TestLoadMissingFile(t *testing.T) {
	t.Parallel()
	if _, err := Load(filepath.Join(t.TempDir(), "no.yaml"), options(nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load of a missing file = %v, want ErrNotExist", err)
	}
}
