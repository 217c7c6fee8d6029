package limiter

// Rider is a script of this package that another script of the same account carries out
// inside it, so that both are one round trip. Lua is its text, for a function of KEYS and
// ARGV that has the account's time in micros and now, as time.lua gives it.
type Rider struct {
	Lua  string
	Keys []string
	Args []any
}

// Works reports that a call to the vendor worked, as Limiter.Report does.
func Works(account string, op Op) Rider {
	keys, submission := failures(account, op)
	return Rider{Lua: worksLua, Keys: keys, Args: []any{submission}}
}

// Admits asks for one call in passing. It answers "go" first where that may be made now,
// and changes nothing otherwise: then Limiter.Admit is to be asked.
func Admits(account string, op Op, perSecond float64) Rider {
	k := accountKeys(account)
	return Rider{
		Lua: admitLua, Keys: []string{k.limits(), k.state()},
		Args: []any{interval(perSecond), 0, op.lead().Microseconds(), string(op), 1},
	}
}
