package doctor

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/store"
)

// clockTolerance is by how much the clocks of two machines may differ.
const clockTolerance = 5 * time.Second

// redisClock compares the clock of a Redis server with that of this machine, which decides
// when asynq runs a task here.
func (d *checks) redisClock(ctx context.Context, node *redis.Client) {
	const check = "redis clock"
	asked := time.Now()
	now, err := node.Time(ctx).Result()
	if err != nil {
		d.found(check, Note, "it cannot be compared with this machine's: %v", err)
		return
	}
	took := time.Since(asked)
	by := now.Sub(asked.Add(took / 2))
	if by.Abs() <= clockTolerance+took/2 {
		d.found(check, OK, "as this machine's")
		return
	}
	where := "ahead of"
	if by < 0 {
		where = "behind"
	}
	d.found(check, Note, "%v %s this machine's: set both by NTP; tasks may run early here, or late by up to a minute", by.Abs().Round(time.Second), where)
}

// accountClocks reports the accounts whose time differs from that of Redis.
func (d *checks) accountClocks(ctx context.Context, cfg app.Process) {
	records, err := store.NewRecords(d.rdb)
	if err != nil {
		return
	}
	for _, a := range cfg.Accounts {
		offset, err := records.ClockOffset(ctx, a.Name)
		if err == nil && offset.Abs() >= time.Second { // The line about Redis says why it cannot be read.
			d.found("clock of "+a.Name, Note, "that of Redis has jumped: the account's stays where it was, %v away, and comes back to it at 2 %% of the time that passes",
				offset.Abs().Round(time.Second))
		}
	}
}
