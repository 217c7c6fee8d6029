package limiter

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

// The scripts stand beside this file, each with what it takes and answers.
var (
	//go:embed admit.lua
	admitLua string
	//go:embed block.lua
	blockLua string
	//go:embed pause.lua
	pauseLua string
	//go:embed probed.lua
	probedLua string
	//go:embed lift.lua
	liftLua string
	//go:embed report.lua
	reportLua string
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
	admitScript  = redis.NewScript(admitLua)
	blockScript  = redis.NewScript(blockLua)
	pauseScript  = redis.NewScript(pauseLua)
	probedScript = redis.NewScript(probedLua)
	liftScript   = redis.NewScript(liftLua)
	reportScript = redis.NewScript(reportLua)

	throttledScript = redis.NewScript(throttledLua)

	usedScript    = redis.NewScript(usedLua)
	troubleScript = redis.NewScript(troubleLua)
	serveScript   = redis.NewScript(serveLua)
	servedScript  = redis.NewScript(servedLua)

	storeFailsScript = redis.NewScript(storeFailsLua)
	storeProbeScript = redis.NewScript(storeProbeLua)
	storeWorksScript = redis.NewScript(storeWorksLua)
)
