package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestBadConfiguration gives the program files in which something is wrong. It says
// so in one line with file, line and key, before it touches a Redis or a vendor.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	doc := s.documents("inbox", 1)[0].path
	const account = "accounts:\n  a:\n    provider: sensible\n    api_key: k\n"
	for name, test := range map[string]struct{ content, says string }{
		"unknown section":            {"acounts: {}\n", ":1: acounts: unknown key"},
		"unknown key":                {account + "    speed: 1\n", ":5: accounts.a.speed: unknown key"},
		"key twice":                  {account + "    api_key: k\n", ":5: accounts.a.api_key: "},
		"bad duration":               {account + "    deadline: soon\n", ":5: accounts.a.deadline: "},
		"duration too long":          {account + "    poll_price: 2h\n", ":5: accounts.a.poll_price: "},
		"bad rate":                   {account + "    rate: fast\n", ":5: accounts.a.rate: "},
		"bad size":                   {"api: {max_document: huge}\n" + account, ":1: api.max_document: "},
		"bad number":                 {"worker:\n  concurrency: many\n" + account, ":2: worker.concurrency: "},
		"bad word":                   {account + "    on_uncertain: maybe\n", ":5: accounts.a.on_uncertain: "},
		"bad address of a vendor":    {account + "    base_url: ftp://x\n", ":5: accounts.a.base_url: "},
		"bad address of a Redis":     {"redis: {url: 'http://x'}\n" + account, ":1: redis.url: "},
		"bad address to listen on":   {"admin: {listen: here}\n" + account, ":1: admin.listen: "},
		"bad callback secret":        {"callbacks: {secret: plain}\n" + account, ":1: callbacks.secret: "},
		"bad host":                   {"fetch: {allow_hosts: ['http://x']}\n" + account, ":1: fetch.allow_hosts[0]: "},
		"contradiction":              {"data: {retention: 1h, document_retention: 2h}\n" + account, ":1: data.document_retention: "},
		"unknown provider":           {"accounts:\n  a:\n    provider: acme\n", ":3: accounts.a.provider: "},
		"no provider":                {"accounts:\n  a: {api_key: k}\n", ":2: accounts.a.provider: "},
		"bad account name":           {"accounts:\n  Big One: {provider: sandbox}\n", ":2: accounts.Big One: "},
		"account name that is taken": {"accounts:\n  deliver: {provider: sandbox}\n", ":2: accounts.deliver: "},
		"no key":                     {"accounts:\n  a:\n    provider: sensible\n", ":2: accounts.a.api_key: "},
		"variable that is not set":   {"accounts:\n  a:\n    provider: sensible\n    api_key: \"${E2E_UNSET}\"\n", ":4: accounts.a.api_key: environment variable E2E_UNSET is not set"},
		"empty variable":             {"accounts:\n  a:\n    provider: sensible\n    api_key: \"${E2E_UNSET:-}\"\n", ":4: accounts.a.api_key: "},
		"secret file not there":      {"accounts:\n  a:\n    provider: sensible\n    api_key: \"${file:/nowhere/key}\"\n", ":4: accounts.a.api_key: open /nowhere/key: "},
		"secret file, relative":      {"accounts:\n  a:\n    provider: sensible\n    api_key: \"${file:key}\"\n", ":4: accounts.a.api_key: "},
		"reference without an end":   {"accounts:\n  a:\n    provider: sensible\n    api_key: \"${E2E\"\n", ":4: accounts.a.api_key: "},
		"API key of no account":      {"api: {keys: {k: {secret: s, accounts: [b]}}}\n" + account, ":1: api.keys.k.accounts[0]: "},
		"no YAML":                    {"accounts: [\n", ":1: "},
		"a list":                     {"- accounts\n", ":1: "},
		"two documents":              {"worker:\n---\nworker:\n", ":3: "},
		"too large":                  {strings.Repeat("# all day long\n", 80_000), "is larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := s.write(strings.ReplaceAll(name, " ", "-")+".yaml", test.content)
			away := "unix://" + s.path("no.sock")
			for _, args := range [][]string{
				{"worker", "--redis", away}, {"accounts", "--redis", away}, {"run", "--account", "a", "--type", "t", doc},
			} {
				r := s.run(append(args, "--config", file)...)
				wantComplaint(t, r, 2, test.says)
				if !strings.Contains(r.stderr, file) {
					t.Errorf("%q does not name the file", r.stderr)
				}
			}
		})
	}
	t.Run("folder in place of the file", func(t *testing.T) {
		t.Parallel()
		wantComplaint(t, s.run("accounts", "--config", s.path("inbox")), 2, "inbox")
	})
	t.Run("unreadable file", func(t *testing.T) {
		t.Parallel()
		if os.Getuid() == 0 {
			t.Skip("root can read everything")
		}
		file := s.write("locked.yaml", account)
		if err := os.Chmod(file, 0); err != nil {
			t.Fatal(err)
		}
		wantComplaint(t, s.run("accounts", "--config", file), 2, "locked.yaml")
	})
	t.Run("several at once", func(t *testing.T) {
		t.Parallel()
		file := s.write("several.yaml", account+"    rate: fast\n    deadline: soon\nworker: {threads: 3}\n")
		r := s.run("accounts", "--config", file).want(t, 2)
		if got := lines(r.stderr); len(got) != 3 || !strings.Contains(got[0], ":5: ") || !strings.Contains(got[1], ":6: ") || !strings.Contains(got[2], ":7: ") {
			t.Errorf("stderr %q, want one line for each of three, in the order of the file", r.stderr)
		}
	})
	t.Cleanup(func() {
		if n := s.vendor.total(); n != 0 {
			t.Errorf("the vendor was asked %d times", n)
		}
	})
}

// TestReferences puts every kind of reference into a configuration: the vendor
// sees what they stand for.
func TestReferences(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := s.documents("inbox", 1)
	part := s.write("secret", "from-file\r\n")
	s.write("extractq.yaml", fmt.Sprintf(`accounts:
  a:
    provider: ${E2E_PROVIDER:-sensible}
    api_key: "${E2E_SENSIBLE_KEY}-${file:%s}-$${E2E_SENSIBLE_KEY}-$5"
    base_url: "${E2E_UNSET:-%s}/sensible/v0"
    rate: ${E2E_RATE:-50/s}
`, part, s.vendor.URL))
	s.run("run", "--type", "tax_forms", docs[0].path).want(t, 0)
	want := "Bearer " + sensibleKey + "-from-file-${E2E_SENSIBLE_KEY}-$5"
	for _, c := range s.vendor.log(opOpen) {
		if got := c.Header.Get("Authorization"); got != want {
			t.Errorf("the vendor was sent %q, want %q", got, want)
		}
	}
	s.vendor.wantOnce(t, docs)
}

// TestAccountsOfTheEnvironment has no accounts but the keys in the environment.
func TestAccountsOfTheEnvironment(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.write("extractq.yaml", "")
	s.env = append(s.env, "SENSIBLE_API_KEY=k1", "TYPLESS_API_KEY=k2")
	var got []string
	for _, line := range lines(s.run(s.shared("accounts")...).want(t, 0).stdout) {
		v := parse(t, line)
		got = append(got, fmt.Sprint(v["name"], " ", v["provider"]))
	}
	if want := "sensible sensible, typless typless"; strings.Join(got, ", ") != want {
		t.Errorf("accounts %q, want %q", got, want)
	}
	doc := s.documents("inbox", 1)[0].path
	wantComplaint(t, s.run("submit", "--type", "t", doc), 2, "--account")
	id := s.run(s.shared("submit", "--provider", "typless", "--type", "t", doc)...).want(t, 0).stdout
	if v := s.status(strings.TrimSpace(id)); v["account"] != "typless" {
		t.Errorf("--provider typless chose the account %v", v["account"])
	}
}

// TestWrongKey runs documents with a key that the vendor refuses: nothing was
// submitted, and the run says why and how many are left.
func TestWrongKey(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(0))
		docs := s.documents("inbox", 5)
		for _, o := range []op{opOpen, opSubmit, opPoll, opReady, opOther} {
			s.vendor.on(o, always, func(x *exchange) { x.refuse(http.StatusUnauthorized, `{"message":"no"}`) })
		}
		r := s.run(append([]string{"run", "--account", d.account, "--type", "tax_forms", "--out", s.path("out")}, paths(docs)...)...).want(t, 1)
		if !strings.Contains(r.stderr, "unauthorized") || !strings.Contains(r.stderr, "5") {
			t.Errorf("stderr %q, want why, and that 5 are left", r.stderr)
		}
		for _, trace := range []string{"goroutine ", "panic:", ".go:"} {
			if strings.Contains(r.stderr, trace) {
				t.Errorf("stderr looks like a crash: %q", tail(r.stderr))
			}
		}
		s.vendor.wantOnce(t, nil)
		// With the right key the same command does the rest.
		for _, o := range []op{opOpen, opSubmit, opPoll, opReady, opOther} {
			s.vendor.on(o, always, (*exchange).normal)
		}
		s.run(append([]string{"run", "--account", d.account, "--type", "tax_forms", "--out", s.path("out")}, paths(docs)...)...).want(t, 0)
		s.vendor.wantOnce(t, docs)
	})
}
