//go:build crash

package crash

import (
	"regexp"
	"runtime"
	"slices"
	"strings"
)

const (
	ours  = "github.com/extractq/extractq/"
	queue = "github.com/hibiken/asynq/internal/rdb.(*RDB)."
)

// rooms are the packages that have steps; the others are doors, which have effects for
// them.
var rooms = []string{"worker", "api", "app", "backend", "backfill", "journal", "results", "submitter", "main"}

// upkeep are asynq's own calls, made without a task.
var upkeep = []string{
	"WriteServerState", "ClearServerState", "ExtendLease", "ListLeaseExpired", "ForwardIfReady",
	"DeleteExpiredCompletedTasks", "ReclaimStaleAggregationSets", "AggregationCheck", "CancelationPubSub", "Ping",
}

// caller is where the program has an effect: the door's function, the function of a room
// that calls it, and the one that the step begins with. It is empty where the program
// does not cause it.
func caller() string {
	var pcs [96]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	var door, inner, outer, asynq string
	for {
		f, more := frames.Next()
		name, room := plain(f.Function)
		switch {
		case name == "store.Records.askClock": // Wherever the last reading is too old.
			return ""
		case strings.HasPrefix(f.Function, queue):
			asynq = strings.TrimPrefix(f.Function, queue) // The outermost.
		case name == "", wrappers.MatchString(name):
		case room:
			if inner == "" {
				inner = name
			}
			outer = name
		case inner != "" || plumbing.MatchString(name):
		case !strings.HasPrefix(door, "store."): // Of the others the outermost names the call.
			door = name
		}
		if !more {
			break
		}
	}
	if asynq != "" {
		if slices.Contains(upkeep, asynq) {
			return ""
		}
		door = "asynq." + asynq
	}
	parts := slices.Compact([]string{door, inner, outer})
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " < ")
}

var (
	// wrappers are functions that every step has around it.
	wrappers = regexp.MustCompile(`^(crash\.|queue\.blockingClient|worker\.Worker\.handle|worker\.fleet|worker\.duties|scheduler\.|main\.main|main\.init)`)
	// plumbing is what all functions of a door go through.
	plumbing = regexp.MustCompile(`^(store\.Records\.(run|Call)|store\.Blobs\.(write|fill|put|create|remove)|store\.fileBucket\.|store\.link|vendorhttp\.)`)
	closure  = regexp.MustCompile(`(\.func\d+|\.gowrap\d+|\.deferwrap\d+|\.\d+|-fm|-range\d+|\[\.\.\.\])+$`)
)

// plain is a function of ours without its import path, its receiver's decoration and the
// closures inside it, and empty for any other.
func plain(function string) (name string, room bool) {
	path, found := strings.CutPrefix(function, ours)
	if !found && !strings.HasPrefix(function, "main.") {
		return "", false
	}
	name = closure.ReplaceAllString(path, "")
	name = strings.NewReplacer("(*", "", ")", "").Replace(name)
	name = name[strings.LastIndexByte(name, '/')+1:]
	pkg, _, _ := strings.Cut(name, ".")
	return name, slices.Contains(rooms, pkg)
}
