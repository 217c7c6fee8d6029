package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/sandbox"
)

// The accounts of every site, and the keys they use.
const (
	sensibleAccount = "acme-sensible"
	typlessAccount  = "acme-typless"
	sensibleKey     = "sk-live-Zq81sensible4Vw7Kd"
	typlessKey      = "tp-live-Hx52typless9Rm3Jb"
	hookToken       = "hk-4tWebhook8Nc6Qs1Yp"
)

// dialect is a vendor's way of taking documents.
type dialect struct {
	account string
	// takes is the request that carries the document.
	takes op
}

func sensibleDialect() dialect { return dialect{sensibleAccount, opPut} }
func typlessDialect() dialect  { return dialect{typlessAccount, opSubmit} }

// bothDialects runs a test for each vendor, side by side.
func bothDialects(t *testing.T, test func(t *testing.T, d dialect)) {
	t.Parallel()
	for _, d := range []dialect{sensibleDialect(), typlessDialect()} {
		t.Run(d.account, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

// site is one installation: a configuration file, a vendor, and folders of its
// own.
type site struct {
	t      *testing.T
	dir    string
	vendor *vendor
	redis  *redistest.Server
	// data is the document store; empty is a folder of the site.
	data string
	env  []string
}

// siteConfig is what tests vary.
type siteConfig struct {
	sandbox sandbox.Config
	// concurrency is worker.concurrency; 0 leaves the default.
	concurrency int
	// uncertainWindow is each account's; 0 leaves the default.
	uncertainWindow time.Duration
}

// quick is a vendor that takes d for every document.
func quick(d time.Duration) siteConfig {
	return siteConfig{sandbox: sandbox.Config{ProcessingTime: sandbox.Fixed(d)}}
}

func newSite(t *testing.T, cfg siteConfig) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), vendor: newVendor(t, cfg.sandbox)}
	s.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.path("home"), "XDG_STATE_HOME=" + s.path("state"),
		"TMPDIR=" + s.path("tmp"), "E2E_SENSIBLE_KEY=" + sensibleKey, "E2E_TYPLESS_KEY=" + typlessKey,
		"E2E_HOOK_TOKEN=" + hookToken,
		"GORACE=halt_on_error=0 exitcode=66",
	}
	t.Cleanup(s.endRedis)
	if err := os.Mkdir(s.path("tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	worker := ""
	if cfg.concurrency > 0 {
		worker = fmt.Sprintf("worker: {concurrency: %d}\n", cfg.concurrency)
	}
	s.write("extractq.yaml", anyAdmin+worker+fmt.Sprintf(`accounts:
  %s:
    provider: sensible
    api_key: "${E2E_SENSIBLE_KEY}"
    base_url: "%s/sensible/v0"
    rate: "50/s"
    uncertain_window: %[5]v
  %[3]s:
    provider: typless
    api_key: "${E2E_TYPLESS_KEY}"
    base_url: "%[4]s/typless/api"
    rate: "50/s"
    uncertain_window: %[5]v
`, sensibleAccount, s.vendor.URL, typlessAccount, s.vendor.URL, cfg.uncertainWindow))
	return s
}

// anyAdmin lets each server role have an admin port of its own.
const anyAdmin = "admin: {listen: \"127.0.0.1:0\"}\n"

// endRedis shuts down what a run brought along and did not take away again: one
// that was killed leaves its Redis to the next run, and not every test has a next
// run.
func (s *site) endRedis() {
	for _, socket := range s.ownRedis() {
		rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, MaxRetries: -1})
		_ = rdb.ShutdownNoSave(context.Background()).Err() // The connection breaks.
		_ = rdb.Close()
	}
}

// ownRedis are the sockets of the living Redis servers that runs brought along.
func (s *site) ownRedis() []string {
	var alive []string
	for _, name := range allFiles(s.t, s.dir) {
		if !strings.HasSuffix(name, "/redis/socket") {
			continue
		}
		body, err := os.ReadFile(name)
		if err != nil {
			continue // It has just been taken away.
		}
		socket := strings.TrimSpace(string(body))
		if c, err := new(net.Dialer).DialContext(context.Background(), "unix", socket); err == nil {
			_ = c.Close()
			alive = append(alive, socket)
		}
	}
	return alive
}

// path is a path below the site's folder.
func (s *site) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *site) write(name, content string) string {
	s.t.Helper()
	file := s.path(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// read is the content of a file of the site.
func (s *site) read(name string) string {
	s.t.Helper()
	body, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

// command is the program with its environment, in the site's folder, where it
// finds the configuration file on its own.
func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), binary, args...)
	cmd.Env, cmd.Dir = s.env, s.dir
	return cmd
}

// start starts the program.
func (s *site) start(args ...string) *process {
	s.t.Helper()
	return launch(s.t, s.command(args...))
}

// run runs the program to its end.
func (s *site) run(args ...string) result {
	s.t.Helper()
	return s.start(args...).wait()
}

// shared are the arguments of commands that work together over one Redis and one
// document store. The first call starts the Redis.
func (s *site) shared(args ...string) []string {
	s.t.Helper()
	if s.redis == nil {
		s.redis = redistest.Start(s.t)
	}
	data := s.data
	if data == "" {
		data = s.path("data")
	}
	return append(args, "--redis", s.redis.URL, "--data", data)
}

// durable gives the site a Redis that survives being killed. It comes before
// anything that uses the Redis.
func (s *site) durable() {
	s.t.Helper()
	s.redis = redistest.Start(s.t, redistest.Durable()...)
}

// worker starts a worker and waits until it serves.
func (s *site) worker(args ...string) *process {
	s.t.Helper()
	p := s.start(s.shared(append([]string{"worker"}, args...)...)...)
	p.says("worker started")
	return p
}

// scheduler starts a scheduler and waits until it ticks.
func (s *site) scheduler() *process {
	s.t.Helper()
	p := s.start(s.shared("scheduler")...)
	p.says("scheduler started")
	return p
}

// submit submits documents and returns their ids.
func (s *site) submit(account string, args ...string) []string {
	s.t.Helper()
	r := s.run(append(s.shared("submit", "--account", account, "--type", "tax_forms"), args...)...)
	return lines(r.want(s.t, 0).stdout)
}

// status is what the status command prints.
func (s *site) status(id string) map[string]any {
	s.t.Helper()
	return parse(s.t, s.run(s.shared("status", id)...).want(s.t, 0).stdout)
}

// parse reads a JSON object.
func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, tail(text))
	}
	return v
}

// document is a file to extract from.
type document struct {
	name, path, sha256 string
	bytes              int
}

// documents writes n different PDFs into a folder of the site.
func (s *site) documents(folder string, n int) []document {
	s.t.Helper()
	kinds := []func(int) []byte{fixtures.TaxForm, fixtures.Invoice, fixtures.Form}
	var out []document
	for i := range n {
		body := kinds[i%len(kinds)](100 + i)
		name := fmt.Sprintf("document-%02d.pdf", i)
		file := s.write(filepath.Join(folder, name), string(body))
		out = append(out, document{name, file, digest(body), len(body)})
	}
	return out
}

// paths are the paths of documents.
func paths(docs []document) []string {
	var out []string
	for _, d := range docs {
		out = append(out, d.path)
	}
	return out
}
