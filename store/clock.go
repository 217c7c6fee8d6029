package store

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// An account's time is Redis's with an offset, which scripts add. Redis's clock may jump: it
// is stepped, or a failover goes to a host with another time. Deadlines, leases and due times
// must not. So each process compares Redis's clock with its own monotonic one between two
// readings: where they differ, that was a jump, and the offset takes it back. Time in which no
// process read the clock is time passed.
//
// Every script is told what time the caller expects, and does nothing where it is another one:
// the caller reads the clock then, and calls again. So nothing is written with a time that has
// jumped while any process knows better.

const (
	// clockSlack is by how much a clock may differ that has not jumped: as much as a lease
	// that is renewed in time can lose.
	clockSlack = 2 * time.Second
	// clockDrift is how much two clocks may drift apart in a second.
	clockDrift = 2 * time.Millisecond
	// clockFor is how long a reading is good enough.
	clockFor = time.Minute
)

// begun is what Go's monotonic clock counts from.
var begun = time.Now()

//go:embed clock.lua
var clockLua string

// clockName is the name of its script.
const clockName = "clock"

// Clock is one reading of an account's clock.
type Clock struct {
	// Now is the account's time.
	Now time.Time
	// Offset is by how much it is ahead of Redis's own.
	Offset time.Duration
}

// reading is a Clock with what a process has to know to compare another one with it.
type reading struct {
	redis, offset time.Duration // Redis's own time since 1970, and the account's offset.
	sent, got     time.Duration // By this machine's monotonic clock.
	confirmed     time.Duration // The account's time that a caller has confirmed last; 0 for never.
}

// now is the account's time at some uptime.
func (r reading) now(at time.Duration) time.Time {
	return time.UnixMilli((r.redis + r.offset + at - r.got).Milliseconds()).UTC()
}

// expected is what Redis's own clock shows then if it has not jumped.
func (r reading) expected(at time.Duration) time.Duration { return r.redis + at - r.got }

// slack is by how much that may differ.
func (r reading) slack(at time.Duration) time.Duration {
	return clockSlack + time.Duration((at-r.got).Seconds()*float64(clockDrift))
}

// jump is by how much Redis's clock has jumped between two readings, as far as that is
// certain: its answers may have been on their way for long. It is 0 where the offset takes
// it back already.
func (r reading) jump(later reading) time.Duration {
	least, most := later.sent-r.got, later.got-r.sent
	passed, slack := later.redis-r.redis, r.slack(later.got)
	if passed >= least-slack && passed <= most+slack {
		return 0
	}
	by := passed - (least+most)/2
	if left := by + later.offset - r.offset; left.Abs() < by.Abs()/2 {
		return 0
	}
	return by
}

// Clock reads an account's clock. It sees whether Redis's has jumped since the last reading
// of this process, and takes that back.
func (s *Records) Clock(ctx context.Context, account string) (Clock, error) {
	r, err := s.readClock(ctx, account)
	return Clock{Now: r.now(s.uptime()), Offset: r.offset}, err
}

// SettleClock is called before a process acts on an account for the first time. Redis's clock
// may have jumped just now, which a new process cannot tell from time passed, but the others
// can. So where the last confirmed time is long ago, it waits for them to take the jump back.
func (s *Records) SettleClock(ctx context.Context, account string, wait time.Duration) error {
	r, err := s.askClock(ctx, account, nil, "", "")
	if err != nil {
		return fmt.Errorf("read clock of %s: %w", account, err)
	}
	if r.confirmed > 0 && r.redis+r.offset-r.confirmed > clockFor {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	_, err = s.readClock(ctx, account)
	return err
}

// ClockOffset is by how much an account's time is ahead of Redis's own. It changes nothing.
func (s *Records) ClockOffset(ctx context.Context, account string) (time.Duration, error) {
	text, err := s.rdb.HGet(ctx, accountKeys(account).state(), "clock").Result()
	if err != nil && !isNil(err) {
		return 0, fmt.Errorf("read clock of %s: %w", account, err)
	}
	return time.Duration(number(text)) * time.Millisecond, nil
}

// Call calls a script of an account. Its last two arguments say between which times in ms
// Redis's clock is expected. A script that finds another time answers {"clock"} and has no
// effect: the clock may have jumped, or the call may have been on its way for long. Reading
// the clock takes back a jump, after which the call is repeated.
func (s *Records) Call(ctx context.Context, script *redis.Script, account string, keys []string, args ...any) *redis.Cmd {
	for try := 1; ; try++ {
		clock, err := s.knownClock(ctx, account)
		if err != nil {
			return failed(ctx, err)
		}
		at := s.uptime()
		earliest, latest := clock.expected(at)-clock.slack(at), clock.expected(at)+clock.slack(at)
		if try == 3 {
			earliest, latest = 0, 0 // Calls take long here: any time is right.
		}
		answer := script.Run(ctx, s.rdb, keys, append(slices.Clip(args), earliest.Milliseconds(), latest.Milliseconds())...)
		if said, _ := answer.Val().([]any); len(said) != 1 || said[0] != "clock" {
			return answer
		}
		if _, err := s.readClock(ctx, account); err != nil {
			return failed(ctx, err)
		}
	}
}

// failed is a call that came to an error.
func failed(ctx context.Context, err error) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(err)
	return cmd
}

// Now is an account's time. It asks Redis only where this process has not done so lately.
func (s *Records) Now(ctx context.Context, account string) (time.Time, error) {
	r, err := s.knownClock(ctx, account)
	return r.now(s.uptime()), err
}

func (s *Records) knownClock(ctx context.Context, account string) (reading, error) {
	if r := s.clock(account).Load(); r != nil && s.uptime()-r.got < clockFor {
		return *r, nil
	}
	return s.readClock(ctx, account)
}

func (s *Records) clock(account string) *atomic.Pointer[reading] {
	c, _ := s.clocks.LoadOrStore(account, new(atomic.Pointer[reading]))
	return c.(*atomic.Pointer[reading])
}

func (s *Records) readClock(ctx context.Context, account string) (reading, error) {
	c := s.clock(account)
	last := c.Load()
	r, err := s.askClock(ctx, account, last, "", "")
	if err == nil && last != nil {
		if by := last.jump(r); by != 0 {
			r, err = s.askClock(ctx, account, nil, r.offset.Milliseconds(), (r.offset - by).Milliseconds())
		}
	}
	if err != nil {
		return reading{}, fmt.Errorf("read clock of %s: %w", account, err)
	}
	c.Store(&r) // Only now: a jump that could not be taken back is seen again.
	return r, nil
}

// askClock calls the script. seen and offset change the offset; empty ones do not.
func (s *Records) askClock(ctx context.Context, account string, last *reading, seen, offset any) (reading, error) {
	r := reading{sent: s.uptime()}
	var expected, slack time.Duration
	if last != nil {
		expected, slack = last.expected(r.sent), last.slack(r.sent)
	}
	got, err := s.scripts[clockName].Run(ctx, s.rdb, []string{accountKeys(account).state()},
		expected.Milliseconds(), slack.Milliseconds(), seen, offset).Int64Slice()
	if err != nil {
		return r, err
	}
	r.got = s.uptime()
	r.redis, r.offset = time.Duration(got[0])*time.Millisecond, time.Duration(got[1])*time.Millisecond
	r.confirmed = time.Duration(got[2]) * time.Millisecond
	return r, nil
}
