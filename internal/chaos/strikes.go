package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// strike does something to a site and undoes it. It is over when the site is whole again.
type strike struct {
	name string
	do   func(ctx context.Context, s *site, rng *rand.Rand) error
}

// scenario is which strikes there are, and which faults the vendor has.
type scenario struct {
	name    string
	strikes []strike
	faults  []string
}

// everyFault are the faults of a vendor in trouble. What is asked again and again may
// fail more often.
var everyFault = []string{
	"submit:429=0.03", "submit:500=0.02", "submit:502=0.02", "submit:drop-before=0.03", "submit:drop-after=0.03",
	"submit:truncated=0.02", "submit:slow:2s=0.03",
	"upload:429=0.02", "upload:500=0.02", "upload:502=0.02", "upload:drop-before=0.03", "upload:drop-after=0.03", "upload:slow:2s=0.03",
	"poll:429=0.03", "poll:500=0.03", "poll:502=0.03", "poll:drop-before=0.03", "poll:drop-after=0.03", "poll:truncated=0.03", "poll:slow:2s=0.03",
	"list:500=0.05", "list:drop-after=0.05", "list:truncated=0.05", "list:slow:2s=0.05",
}

var (
	killStrikes   = []strike{{"kill", kill}, {"kill all", killAll}}
	freezeStrikes = []strike{{"freeze", freeze}, {"freeze redis", freezeRedis}}
	redisStrikes  = []strike{{"kill redis", killRedis}}
	redisLine     = []strike{
		{"cut redis", func(ctx context.Context, s *site, rng *rand.Rand) error { return cut(ctx, s.redisLine, rng) }},
		{"slow redis", func(ctx context.Context, s *site, rng *rand.Rand) error { return slow(ctx, s.redisLine, rng, 50) }},
		{"half-open redis", func(_ context.Context, s *site, _ *rand.Rand) error { s.redisLine.hang(); return nil }},
		{"lost answers of redis", func(_ context.Context, s *site, _ *rand.Rand) error { s.redisLine.deafen(); return nil }},
	}
	vendorLine = []strike{
		{"cut vendor", func(ctx context.Context, s *site, rng *rand.Rand) error { return cut(ctx, s.vendorLine, rng) }},
		{"slow vendor", func(ctx context.Context, s *site, rng *rand.Rand) error { return slow(ctx, s.vendorLine, rng, 500) }},
		{"half-open vendor", func(_ context.Context, s *site, _ *rand.Rand) error { s.vendorLine.hang(); return nil }},
		{"lost answers of the vendor", func(_ context.Context, s *site, _ *rand.Rand) error { s.vendorLine.deafen(); return nil }},
	}
	storeStrikes   = []strike{{"read-only store", readOnly}, {"store vanishes", vanish}, {"full disk", fill}}
	rollingStrikes = []strike{{"rolling restart", roll}}
)

// scenarios in the order in which seeds choose them.
var scenarios = []scenario{
	{name: "kill", strikes: killStrikes},
	{name: "freeze", strikes: freezeStrikes},
	{name: "redis", strikes: redisStrikes},
	{name: "redis-line", strikes: redisLine},
	{name: "vendor-line", strikes: vendorLine},
	{name: "vendor-faults", strikes: killStrikes[:1], faults: everyFault},
	{name: "store", strikes: storeStrikes},
	{name: "rolling", strikes: rollingStrikes},
	{name: "everything", faults: everyFault, strikes: slices.Concat(
		killStrikes, freezeStrikes, redisStrikes, redisLine, vendorLine, storeStrikes, rollingStrikes)},
}

// Scenarios are the names of what Config.Scenario may be.
func Scenarios() []string {
	var out []string
	for _, s := range scenarios {
		out = append(out, s.name)
	}
	return out
}

func choose(name string, rng *rand.Rand) (scenario, error) {
	drawn := scenarios[rng.IntN(len(scenarios))]
	if name == "" {
		return drawn, nil
	}
	for _, s := range scenarios {
		if s.name == name {
			return s, nil
		}
	}
	return scenario{}, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(Scenarios(), ", "))
}

// strike carries out strikes until ctx ends, and is back when the site is whole.
func (s *site) strike(ctx context.Context, sc scenario, rng *rand.Rand) {
	// Beyond that a slow machine would never come to submit anything.
	most := time.Now().Add(s.submitting() + 10*time.Second)
	for pause(ctx, between(rng, 200, 1500)) == nil && time.Now().Before(most) {
		x := sc.strikes[rng.IntN(len(sc.strikes))]
		s.log.InfoContext(ctx, "strike", slog.String("name", x.name))
		err := x.do(ctx, s, rng)
		s.log.InfoContext(ctx, "strike is over", slog.String("name", x.name), slog.Any("error", err))
		s.mu.Lock()
		if s.strikes++; err != nil && ctx.Err() == nil && !slices.Contains(s.skipped, x.name) {
			s.skipped = append(s.skipped, x.name)
		}
		s.mu.Unlock()
	}
}

// between draws a time in milliseconds.
func between(rng *rand.Rand, from, to int) time.Duration {
	return time.Duration(from+rng.IntN(to-from)) * time.Millisecond
}

func (s *site) anyRole(rng *rand.Rand) *role { return s.roles[rng.IntN(len(s.roles))] }

func kill(ctx context.Context, s *site, rng *rand.Rand) error {
	r := s.anyRole(rng)
	s.log.InfoContext(ctx, "killed", slog.String("role", r.name))
	r.back(ctx, r.tell(syscall.SIGKILL, between(rng, 0, 2000)))
	return nil
}

// killAll is a machine that loses power.
func killAll(ctx context.Context, s *site, rng *rand.Rand) error {
	away := between(rng, 0, 2000)
	for _, r := range append(slices.Clone(s.roles), s.redis) {
		<-r.tell(syscall.SIGKILL, away).done
	}
	return s.awaitRedis(ctx)
}

// freeze stops a process, for longer than its leases in half of the cases.
func freeze(ctx context.Context, s *site, rng *rand.Rand) error {
	r, d := s.anyRole(rng), between(rng, 100, 2*int(lease.Milliseconds()))
	s.log.InfoContext(ctx, "frozen", slog.String("role", r.name), slog.Duration("for", d))
	r.freeze(ctx, d)
	return nil
}

func freezeRedis(ctx context.Context, s *site, rng *rand.Rand) error {
	s.redis.freeze(ctx, between(rng, 100, 3000))
	return nil
}

func killRedis(ctx context.Context, s *site, rng *rand.Rand) error {
	s.redis.back(ctx, s.redis.tell(syscall.SIGKILL, between(rng, 0, 3000)))
	return s.awaitRedis(ctx)
}

// roll restarts one process after the other, each within what it needs to stop.
func roll(_ context.Context, s *site, _ *rand.Rand) error {
	for _, r := range s.roles {
		p := r.tell(syscall.SIGTERM, 0)
		select {
		case <-p.done:
			if !graceful(p.cmd.ProcessState) {
				s.note(fmt.Sprintf("%s: %v after SIGTERM", r.name, p.cmd.ProcessState))
			}
		case <-time.After(30 * time.Second):
			s.note(r.name + ": still there 30 s after SIGTERM")
			p.kill()
		}
	}
	return nil
}

// graceful reports that a process ended as SIGTERM lets it end. One that has only just begun
// ends by the signal itself.
func graceful(p *os.ProcessState) bool {
	status, ok := p.Sys().(syscall.WaitStatus)
	return p.ExitCode() == 0 || p.ExitCode() == 143 || ok && status.Signaled() && status.Signal() == syscall.SIGTERM
}

func cut(ctx context.Context, l *line, rng *rand.Rand) error {
	l.refuse(rng.IntN(2) == 0)
	l.cut()
	_ = pause(ctx, between(rng, 0, 2000))
	l.refuse(false)
	return nil
}

func slow(ctx context.Context, l *line, rng *rand.Rand, most int) error {
	l.slow(between(rng, 1, most))
	_ = pause(ctx, between(rng, 500, 3000))
	l.slow(0)
	return nil
}

func readOnly(ctx context.Context, s *site, rng *rand.Rand) error {
	d := between(rng, 200, 3000)
	if err := s.store.readOnly(true); err != nil {
		return err
	}
	_ = pause(ctx, d)
	return s.store.readOnly(false)
}

func vanish(ctx context.Context, s *site, rng *rand.Rand) error {
	d := between(rng, 200, 3000)
	if err := s.store.vanish(); err != nil {
		return err
	}
	_ = pause(ctx, d)
	return s.store.reappear()
}

func fill(ctx context.Context, s *site, rng *rand.Rand) error {
	d := between(rng, 200, 3000)
	if err := s.store.fill(); err != nil {
		return err
	}
	_ = pause(ctx, d)
	return s.store.empty()
}
