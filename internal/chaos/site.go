package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// site is the installation of a round.
type site struct {
	Config

	log      *slog.Logger
	vendor   *vendor
	receiver *receiver
	store    *volume
	redis    *role
	// redisLine and vendorLine are between the processes and what they talk to.
	redisLine, vendorLine *line
	roles                 []*role
	api                   string
	socketDir             string

	end     context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	strikes int
	skipped []string
	refused int      // How often a process would not start.
	ended   []string // What ended without being told to.
}

const (
	sensibleAccount = "acme-sensible"
	typlessAccount  = "acme-typless"
)

func newSite(ctx context.Context, cfg Config, sc scenario, log *slog.Logger) (_ *site, err error) {
	s := &site{Config: cfg, log: log, receiver: newReceiver()}
	running, end := context.WithCancel(ctx)
	s.end = end
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.vendor, err = newVendor(cfg.Seed, sc.faults); err != nil {
		return nil, err
	}
	if s.store, err = newVolume(filepath.Join(cfg.Dir, "volume")); err != nil {
		return nil, err
	}
	// A unix socket's address is short.
	if s.socketDir, err = os.MkdirTemp("", "chaos-"); err != nil {
		return nil, err
	}
	socket := filepath.Join(s.socketDir, "redis.sock")
	if s.redisLine, err = newLine(ctx, "unix", socket); err != nil {
		return nil, err
	}
	if s.vendorLine, err = newLine(ctx, "tcp", s.vendor.server.Listener.Addr().String()); err != nil {
		return nil, err
	}
	if s.api, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	if err = os.WriteFile(s.path("extractq.yaml"), []byte(s.settings()), 0o600); err != nil {
		return nil, err
	}
	if s.redis, err = s.launch(running, "redis", "redis-server", "--port", "0", "--unixsocket", socket, "--dir", cfg.Dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always"); err != nil {
		return nil, err
	}
	if err = s.awaitRedis(ctx); err != nil {
		return nil, err
	}
	for _, name := range []string{"worker-1", "worker-2", "scheduler", "api"} {
		args := s.shared("worker")
		switch name {
		case "scheduler":
			args = s.shared("scheduler")
		case "api":
			args = s.shared("api", "--listen", s.api)
		}
		r, err := s.launch(running, name, cfg.Binary, args...)
		if err != nil {
			return nil, err
		}
		s.roles = append(s.roles, r)
	}
	return s, s.awaitRoles(ctx)
}

// awaitRoles returns when all serve. A strike before that would hit an installation that is
// still being set up: the document store has no identity yet.
func (s *site) awaitRoles(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, r := range s.roles {
		for {
			said, err := os.ReadFile(s.path(r.name + ".log"))
			if err == nil && (bytes.Contains(said, []byte(" started")) || bytes.Contains(said, []byte("api at "))) {
				break
			}
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return fmt.Errorf("%s does not serve: %w: %s", r.name, err, said)
			}
		}
	}
	return nil
}

func (s *site) path(name string) string { return filepath.Join(s.Dir, name) }

// settings are the configuration file. Rates are out of the way, for they are not what a
// round is about.
func (s *site) settings() string {
	return fmt.Sprintf(`admin: {listen: "127.0.0.1:0"}
callbacks: {secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", allow_hosts: ["127.0.0.1"]}
accounts:
  %s: {provider: sensible, api_key: k, base_url: "http://%s/sensible/v0", rate: "1000/s", max_in_flight: 2000, uncertain_window: %[5]v}
  %[3]s: {provider: typless, api_key: k, base_url: "http://%[4]s/typless/api", rate: "1000/s", max_in_flight: 2000, uncertain_window: %[5]v}
`, sensibleAccount, s.vendorLine.addr, typlessAccount, s.vendorLine.addr, window)
}

// shared are the arguments of a command that works on the round's Redis and store.
func (s *site) shared(args ...string) []string {
	return append(args, "--config", s.path("extractq.yaml"), "--redis", "redis://"+s.redisLine.addr+"/0", "--data", s.store.data())
}

func (s *site) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.Dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "TMPDIR=" + s.socketDir,
		"EXTRACTQ_CRASH_LEASE=" + lease.String(),
	}
	return cmd
}

// role is a process that is started again whenever it ends.
type role struct {
	name string

	mu sync.Mutex
	p  *child
	// told says that the end of the process is a strike's; away is how long it then stays
	// away.
	told bool
	away time.Duration
}

// launch starts a role and keeps it running until ctx ends.
func (s *site) launch(ctx context.Context, name, program string, args ...string) (*role, error) {
	out, err := os.OpenFile(s.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	r := &role{name: name}
	begin := func() error {
		// The process outlives ctx: it is ended below, and waited for.
		p, err := start(s.command(context.WithoutCancel(ctx), program, args...), out)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.p, r.told, r.away = p, false, 0
		return err
	}
	if err := begin(); err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s.running.Go(func() {
		defer func() { _ = out.Close() }()
		for {
			select {
			case <-ctx.Done():
				r.p.kill()
				return
			case <-r.p.done:
			}
			r.mu.Lock()
			told, away, how := r.told, r.away, r.p.cmd.ProcessState.String()
			r.mu.Unlock()
			s.log.InfoContext(ctx, "ended", slog.String("role", name), slog.Bool("told", told), slog.String("how", how))
			if !told {
				s.ending(name, how)
				away = time.Second
			}
			if pause(ctx, away) != nil {
				return
			}
			if err := begin(); err != nil {
				s.note(name + ": " + err.Error())
				return
			}
		}
	})
	return r, nil
}

// ending is an end that no strike meant. A process refuses to start, with exit code 2 or 3,
// while the store or Redis is not what it was; every other end is noted.
func (s *site) ending(name, how string) {
	if how != "exit status 2" && how != "exit status 3" {
		s.note(name + ": " + how)
		return
	}
	s.refuse()
}

// refuse counts a process that would not start.
func (s *site) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
}

// note remembers that a process ended without being killed.
func (s *site) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, what)
}

// tell ends a process by a signal; it comes back after away.
func (r *role) tell(sig syscall.Signal, away time.Duration) *child {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told, r.away = true, away
	r.p.signal(sig)
	return r.p
}

// back waits until another process is in the place of one that was told to end.
func (r *role) back(ctx context.Context, old *child) {
	for pause(ctx, 10*time.Millisecond) == nil {
		r.mu.Lock()
		p := r.p
		r.mu.Unlock()
		if p != old {
			return
		}
	}
}

// freeze stops a process for a while.
func (r *role) freeze(ctx context.Context, d time.Duration) {
	r.mu.Lock()
	p := r.p
	r.mu.Unlock()
	p.signal(syscall.SIGSTOP)
	_ = pause(ctx, d)
	p.signal(syscall.SIGCONT)
}

func (s *site) awaitRedis(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for !pings(ctx, filepath.Join(s.socketDir, "redis.sock")) {
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("redis does not serve: %w", err)
		}
	}
	return nil
}

// pings reports whether the Redis at a socket answers, and has loaded its data.
func pings(ctx context.Context, socket string) bool {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	at, _ := ctx.Deadline()
	_ = c.SetDeadline(at)
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return false
	}
	answer := make([]byte, 5)
	_, err = io.ReadFull(c, answer)
	return err == nil && string(answer) == "+PONG"
}

// close ends everything.
func (s *site) close() {
	s.end()
	s.running.Wait()
	for _, l := range []*line{s.redisLine, s.vendorLine} {
		if l != nil {
			l.close()
		}
	}
	if s.vendor != nil {
		s.vendor.close()
	}
	s.receiver.close()
	if s.store != nil {
		s.store.close()
	}
	_ = os.RemoveAll(s.socketDir)
}

// freeAddress is one that the API can have again after each restart.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
