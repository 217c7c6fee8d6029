package main

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/store"
)

// clockTolerance is by how much the clocks of two machines may differ.
const clockTolerance = 5 * time.Second

// redisClock compares the clock of a server with this machine's, which decides when asynq
// runs a task here.
func (d *doctor) redisClock(ctx context.Context, node *redis.Client) {
	const check = "redis clock"
	asked := time.Now()
	now, err := node.Time(ctx).Result()
	if err != nil {
		d.found(check, healthNote, "it cannot be compared with this machine's: %v", err)
		return
	}
	took := time.Since(asked)
	by := now.Sub(asked.Add(took / 2))
	if by.Abs() <= clockTolerance+took/2 {
		d.found(check, healthOK, "as this machine's")
		return
	}
	where := "ahead of"
	if by < 0 {
		where = "behind"
	}
	d.found(check, healthNote, "%v %s this machine's: set both by NTP; tasks may run early here, or late by up to a minute", by.Abs().Round(time.Second), where)
}

// accountClocks says whose time is not Redis's own at present.
func (d *doctor) accountClocks(ctx context.Context, cfg settings) {
	records, err := store.NewRecords(d.rdb)
	if err != nil {
		return
	}
	for _, a := range cfg.Accounts {
		offset, err := records.ClockOffset(ctx, a.Name)
		if err == nil && offset.Abs() >= time.Second { // The line about Redis says why it cannot be read.
			d.found("clock of "+a.Name, healthNote, "that of Redis has jumped: the account's stays where it was, %v away, and comes back to it at 2 %% of the time that passes",
				offset.Abs().Round(time.Second))
		}
	}
}
