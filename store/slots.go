package store

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed slot.lua
var slotLua string

var slotScript = redis.NewScript(slotLua)

// ticksKey are the duties that belong to no account, and who has them.
const ticksKey = "extractq:ticks"

// ClaimSlot reports whether the caller carries out a duty of an account in the present
// slot of time, every so long by the clock of Redis. Of all that ask, one does. Without an
// account it is a duty of all workers together.
func (s *Records) ClaimSlot(ctx context.Context, account, duty string, every time.Duration) (bool, error) {
	key := ticksKey
	if account != "" {
		key = accountKeys(account).ticks()
	}
	got, err := slotScript.Run(ctx, s.rdb, []string{key}, duty, every.Milliseconds(), NewToken()).Bool()
	if err != nil && !isNil(err) {
		return false, fmt.Errorf("claim %s: %w", duty, err)
	}
	return got, nil
}
