package limiter

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// The scripts stand beside this file, each with what it takes and answers.
var (
	//go:embed time.lua
	timeLua string
	//go:embed admit.lua
	admitLua string
	//go:embed block.lua
	blockLua string
	//go:embed pause.lua
	pauseLua string
	//go:embed probed.lua
	probedLua string
	//go:embed hasten.lua
	hastenLua string
	//go:embed lift.lua
	liftLua string
	//go:embed report.lua
	reportLua string
	//go:embed works.lua
	worksLua string
	//go:embed throttled.lua
	throttledLua string
	//go:embed used.lua
	usedLua string
	//go:embed trouble.lua
	troubleLua string
	//go:embed serve.lua
	serveLua string
	//go:embed served.lua
	servedLua string
	//go:embed storefails.lua
	storeFailsLua string
	//go:embed storeprobe.lua
	storeProbeLua string
	//go:embed storeworks.lua
	storeWorksLua string
)

var (
	admitScript  = newScript(admitLua)
	blockScript  = newScript(blockLua)
	pauseScript  = newScript(pauseLua)
	probedScript = newScript(probedLua)
	hastenScript = newScript(hastenLua)
	liftScript   = newScript(liftLua)
	reportScript = newScript(reportLua)
	worksScript  = newScript(worksLua)

	throttledScript = newScript(throttledLua)

	usedScript    = newScript(usedLua)
	troubleScript = newScript(troubleLua)
	serveScript   = newScript(serveLua)
	servedScript  = newScript(servedLua)

	storeFailsScript = newScript(storeFailsLua)
	storeProbeScript = newScript(storeProbeLua)
	storeWorksScript = newScript(storeWorksLua)
)

func newScript(body string) *redis.Script { return redis.NewScript(timeLua + body) }
