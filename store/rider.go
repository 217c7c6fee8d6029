package store

import (
	"github.com/redis/go-redis/v9"
)

// Rider is a script of another package that one of the records' carries out where it wins, so
// that both are one round trip: limiter.Rider. Its keys are of the same account. It has the
// account's time in micros and now.
type Rider struct {
	Lua  string
	Keys []string
	Args []any
}

// rideLua makes a rider a function of a record's script, ride. Its arguments come after the
// script's own, and their count after them; its keys after the records'.
const (
	rideLua = `
local theirKeys, theirs = {unpack(KEYS, 23)}, {}
for i = tonumber(table.remove(ARGV)), 1, -1 do theirs[i] = table.remove(ARGV) end
local function ride()
local KEYS, ARGV, micros, now = theirKeys, theirs, now * 1000 + t[2] % 1000, now
`
	rodeLua = "\nend\n"
)

// riding is the name of a script and the text of its rider.
type riding struct{ name, lua string }

// withRider is a script with a rider in it.
func (s *Records) withRider(name string, r *Rider) (*redis.Script, error) {
	if known, ok := s.riding.Load(riding{name, r.Lua}); ok {
		return known.(*redis.Script), nil
	}
	text, err := scriptText(name, rideLua+r.Lua+rodeLua)
	if err != nil {
		return nil, err
	}
	script := redis.NewScript(text)
	s.riding.Store(riding{name, r.Lua}, script)
	return script, nil
}
