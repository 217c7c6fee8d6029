package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/redistest"
)

// diagnosis is what doctor --json printed: the state and message of each check.
type diagnosis map[string][2]string

func (s *site) diagnose(code int, args ...string) diagnosis {
	s.t.Helper()
	r := s.run(append([]string{"doctor", "--json"}, args...)...).want(s.t, code)
	s.wantNoSecretSaid(r)
	if r.stderr != "" {
		s.t.Errorf("stderr %q, want everything on stdout", r.stderr)
	}
	d := diagnosis{}
	for _, line := range lines(r.stdout) {
		v := parse(s.t, line)
		check := fmt.Sprint(v["check"])
		for _, taken := d[check]; taken; _, taken = d[check] {
			check += " again"
		}
		d[check] = [2]string{fmt.Sprint(v["state"]), fmt.Sprint(v["message"])}
	}
	return d
}

// want fails the test unless a check came to a state, with a message that holds
// says.
func (d diagnosis) want(t *testing.T, check, state, says string) {
	t.Helper()
	if got := d[check]; got[0] != state || !strings.Contains(got[1], says) {
		t.Errorf("%s: %q, want %s and a message with %q\nall: %q", check, got, state, says, d)
	}
}

// states are the states without the messages.
func (d diagnosis) states() map[string]string {
	out := map[string]string{}
	for check, found := range d {
		out[check] = found[0]
	}
	return out
}

// TestDoctorHealthy examines an installation where all is well, before its first
// document and after.
func TestDoctorHealthy(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.durable()
	want := map[string]string{
		"configuration": "ok", "redis": "ok", "redis clock": "ok", "redis persistence": "ok", "redis memory": "ok", "redis access": "ok",
		"redis channels": "ok", "workers": "note", "documents": "ok", "account " + sensibleAccount: "ok", "account " + typlessAccount: "ok",
	}
	if diff := cmp.Diff(want, s.diagnose(0, s.shared()...).states()); diff != "" {
		t.Errorf("before the first document (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(s.path("data")); !os.IsNotExist(err) {
		t.Errorf("the doctor has made the document store: %v", err)
	}
	s.submit(sensibleAccount, paths(s.documents("inbox", 1))...)
	before := slices.Sorted(slices.Values(allFiles(t, s.path("data"))))
	keys := slices.Sorted(maps.Keys(everything(t, s.redis.Client())))
	if diff := cmp.Diff(want, s.diagnose(0, s.shared()...).states()); diff != "" {
		t.Errorf("after the first document (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, slices.Sorted(slices.Values(allFiles(t, s.path("data"))))); diff != "" {
		t.Errorf("files after the doctor (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(keys, slices.Sorted(maps.Keys(everything(t, s.redis.Client())))); diff != "" {
		t.Errorf("keys after the doctor (-before +after):\n%s", diff)
	}
	if n := s.vendor.asked(opReady); n != 4 {
		t.Errorf("%d calls to the vendors, want one free one for each account and time", n)
	}
	// For people: a line a check, which begins with the state.
	for _, line := range lines(s.run(s.shared("doctor")...).want(t, 0).stdout) {
		if !strings.HasPrefix(line, "ok  ") && !strings.Contains(line, "no worker runs") {
			t.Errorf("line %q, want it to begin with ok", line)
		}
	}
}

// TestDoctorRedis breaks Redis in every way that the doctor knows.
func TestDoctorRedis(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		command            string // What is done to a good Redis.
		code               int
		check, state, says string
	}{
		"no persistence": {"CONFIG SET appendonly no", 2, "redis persistence", "fix", "appendonly yes"},
		"eviction":       {"CONFIG SET maxmemory-policy allkeys-lru", 2, "redis memory", "fix", "noeviction"},
		"full":           {"CONFIG SET maxmemory 1mb", 2, "redis memory", "fix", "maxmemory"},
		"password":       {"CONFIG SET requirepass sesame", 2, "redis", "fix", "NOAUTH"},
		"replica":        {"REPLICAOF 127.0.0.1 1", 2, "redis", "fix", "primary"},
		"no scripts":     {"ACL SETUSER default -eval -evalsha", 2, "redis access", "fix", "NOPERM"},
		"no INFO":        {"ACL SETUSER default -info", 0, "redis", "note", "grant +info"},
		"no CONFIG":      {"ACL SETUSER default -config", 0, "redis persistence", "note", "grant +config|get"},
		"late fsync":     {"CONFIG SET appendfsync no", 0, "redis persistence", "note", "everysec"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(0))
			s.durable()
			command := []any{}
			for word := range strings.FieldsSeq(test.command) {
				command = append(command, word)
			}
			if err := s.redis.Client().Do(t.Context(), command...).Err(); err != nil {
				t.Fatal(err)
			}
			s.diagnose(test.code, s.shared()...).want(t, test.check, test.state, test.says)
		})
	}
	t.Run("other clock", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, quick(0))
		s.redis = redistest.StartWithClock(t, redistest.Durable()...)
		s.redis.SetClock(-10 * time.Minute)
		if err := s.redis.Client().HSet(t.Context(), "extractq:{"+sensibleAccount+"}:account", "clock", 600_000).Err(); err != nil {
			t.Fatal(err)
		}
		d := s.diagnose(0, s.shared()...)
		d.want(t, "redis clock", "note", "10m0s behind")
		d.want(t, "clock of "+sensibleAccount, "note", "10m0s away")
	})
	t.Run("snapshots only", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, quick(0))
		args := s.shared()
		if err := s.redis.Client().ConfigSet(t.Context(), "save", "3600 1").Err(); err != nil {
			t.Fatal(err)
		}
		s.diagnose(0, args...).want(t, "redis persistence", "note", "snapshot")
	})
	t.Run("away", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, quick(0))
		d := s.diagnose(3, "--redis", "redis://user:"+sensibleKey+"@127.0.0.1:1/0")
		d.want(t, "redis", "away", "127.0.0.1:1")
		d.want(t, "account "+sensibleAccount, "ok", "takes the key") // The other checks are made all the same.
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, quick(0))
		s.diagnose(0).want(t, "redis", "ok", "run brings its own")
	})
	t.Run("none, and no redis-server", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, quick(0))
		s.env = append(s.env, "PATH=/nonexistent")
		s.diagnose(0).want(t, "redis", "note", "in memory")
	})
}

// TestDoctorAccounts lets the vendor answer the free call in every way.
func TestDoctorAccounts(t *testing.T) {
	t.Parallel()
	refuse := func(status int, header ...string) func(*exchange) {
		return func(x *exchange) {
			for i := 0; i < len(header); i += 2 {
				x.w.Header().Set(header[i], header[i+1])
			}
			echo(status)(x)
		}
	}
	for name, test := range map[string]struct {
		does        func(*exchange)
		code        int
		state, says string
	}{
		"wrong key":      {refuse(http.StatusUnauthorized), 2, "fix", "refuses the key"},
		"may not list":   {refuse(http.StatusForbidden), 0, "note", "does not let the key list"},
		"plan used up":   {refuse(http.StatusPaymentRequired), 2, "fix", "plan"},
		"throttled":      {refuse(http.StatusTooManyRequests), 0, "note", "until when"},
		"too many calls": {refuse(http.StatusTooManyRequests, "Retry-After", "30"), 0, "note", "30s"},
		"no such page":   {refuse(http.StatusNotFound), 2, "fix", "base_url"},
		"error":          {refuse(http.StatusBadGateway), 3, "away", "502"},
		"hangs up":       {requestLost, 3, "away", "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(0))
			s.vendor.on(opReady, always, test.does)
			d := s.diagnose(test.code)
			d.want(t, "account "+sensibleAccount, test.state, test.says)
			d.want(t, "account "+typlessAccount, test.state, test.says)
		})
	}
	t.Run("key in the environment", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, quick(0))
		s.env = append(s.env, "EXTRACTQ_CONFIG="+s.write("none.yaml", ""), "SENSIBLE_API_KEY=")
		s.diagnose(2).want(t, "configuration", "fix", "SENSIBLE_API_KEY")
	})
}

// TestDoctorConfiguration has a configuration with several mistakes, each of
// which is a finding, and nothing else.
func TestDoctorConfiguration(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.write("bad.yaml", "acounts: {}\nworker: {concurrency: many}\n")
	d := s.diagnose(2, "--config", "bad.yaml")
	d.want(t, "configuration", "fix", "bad.yaml:1")
	d.want(t, "configuration again", "fix", "bad.yaml:2")
	if len(d) != 2 {
		t.Errorf("findings %q, want the two mistakes", d)
	}
	wantComplaint(t, s.run("doctor", "now"), 2, "argument")
}

// TestDoctorDocuments has a document store that cannot be used.
func TestDoctorDocuments(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.write("file", "in the way")
	s.diagnose(2, "--data", s.path("file")).want(t, "documents", "fix", "file")
	s.diagnose(2, "--data", s.path("file", "below")).want(t, "documents", "fix", "not a directory")
	s.diagnose(0, "--data", "mem://").want(t, "documents", "note", "in memory")
	// The store of another Redis, and an unused one.
	s.durable()
	s.submit(sensibleAccount, paths(s.documents("inbox", 1))...)
	if err := os.MkdirAll(s.path("other", "documents"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"other", "new"} {
		s.diagnose(2, "--redis", s.redis.URL, "--data", s.path(other)).want(t, "documents", "fix", "data.url")
	}
}

// TestDoctorInContainers checks the two forms that a container's health check
// uses.
func TestDoctorInContainers(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	d := s.diagnose(0, "--no-vendors")
	if _, asked := d["account "+sensibleAccount]; asked || s.vendor.asked(opReady) != 0 {
		t.Errorf("findings %q and %d calls to the vendors, want none about accounts", d, s.vendor.asked(opReady))
	}
	d.want(t, "documents", "ok", "")
	s.diagnose(0, "--healthz", s.vendor.URL+"/healthz").want(t, "server", "ok", "answers")
	s.diagnose(3, "--healthz", s.vendor.URL+"/nowhere").want(t, "server", "away", "404")
	s.diagnose(3, "--healthz", "http://127.0.0.1:1/healthz").want(t, "server", "away", "refused")
	wantComplaint(t, s.run("doctor", "--healthz", "127.0.0.1:8080"), 2, "--healthz")
}
