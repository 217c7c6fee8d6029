package e2e

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/extractq/extractq/sandbox"
	"github.com/extractq/extractq/store"
)

// Every place between two effects is one where a process can die. The program built with
// the tag crash dies there: each flow runs once for each of its points, and whatever was
// not finished then is finished by a second process, with the same result.

// pointsFile lists the points. One that is not in it is an effect that is not known yet;
// "go test ./e2e -run TestEveryCrashPoint -update-points" writes it anew.
const pointsFile = "../internal/crash/points.txt"

var (
	updatePoints = flag.Bool("update-points", false, "write the list of crash points anew")
	allPoints    = flag.Bool("all-points", false, "die at every point of every flow, and not at some of them")
	pointsSeed   = flag.Uint64("points-seed", rand.Uint64(), "which of the points are tried without -all-points")
)

// somePoints is at how many points processes die without -all-points.
const somePoints = 16

// crashing is the program with points, built when the first test wants it.
var crashing = sync.OnceValues(func() (string, error) {
	file := filepath.Join(filepath.Dir(binary), "extractq-crash")
	build := exec.CommandContext(context.Background(), "go", "build", "-tags", "crash", "-o", file, "./cmd/extractq")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program with crash points: %w\n%s", err, out)
	}
	return file, nil
})

// death is one run of a flow, in which a process dies at a point; "" for nowhere.
type death struct {
	*site
	flow  flow
	d     dialect
	point string
	// died says that the point was reached.
	died   bool
	reader *store.Records
}

// victim runs the program with points until done holds, or until it has ended or died.
func (x *death) victim(done func() bool, args ...string) {
	x.t.Helper()
	p := x.begin(x.point, args...)
	x.end(p, done)
	x.died = x.died || p.killed()
}

// rescue is victim without a death.
func (x *death) rescue(done func() bool, args ...string) {
	x.t.Helper()
	x.end(x.begin("-", args...), done)
}

// begin starts the program with points, which is to die at one of them.
func (x *death) begin(point string, args ...string) *process {
	x.t.Helper()
	file, err := crashing()
	if err != nil {
		x.t.Fatal(err)
	}
	cmd := exec.CommandContext(x.t.Context(), file, args...)
	cmd.Env, cmd.Dir = append(slices.Clone(x.env), "EXTRACTQ_CRASH_LEASE=500ms"), x.dir
	cmd.Env = append(cmd.Env, "EXTRACTQ_CRASH_AT="+point)
	if point == "" { // What others pass is no point of the victim's.
		cmd.Env = append(cmd.Env, "EXTRACTQ_CRASH_SEEN="+x.path("seen"))
	}
	return launch(x.t, cmd)
}

func (x *death) end(p *process, done func() bool) {
	x.t.Helper()
	if done == nil {
		done = func() bool { return false }
	}
	eventually(x.t, "the work is done, or the process has ended", func() bool { return p.ended() || done() })
	p.signal(syscall.SIGTERM)
	eventually(x.t, "the process has ended", p.ended)
}

// killed reports whether SIGKILL has ended the process.
func (p *process) killed() bool {
	if p.cmd.ProcessState == nil {
		return false
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// sound checks that the records agree with everything that leads to them.
func (x *death) sound() {
	x.t.Helper()
	r := x.run(x.shared("doctor", "--deep", "--no-vendors", "--json")...)
	for _, line := range lines(r.stdout) {
		f := parse(x.t, line)
		if f["check"] == "records" && f["state"] != "ok" && f["state"] != "note" {
			x.t.Errorf("after a death %s: %v", x.point, f["message"])
		}
	}
}

// seen are the points that processes passed, each once.
func (x *death) seen() []string {
	body, _ := os.ReadFile(x.path("seen")) // There is none where no process began.
	points := lines(string(body))
	slices.Sort(points)
	return slices.Compact(points)
}

// TestEveryCrashPoint runs every flow without a death first, to learn its points. Then the
// processes die: at every point of every flow, or at some points, each in one flow only.
func TestEveryCrashPoint(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	var deaths []*death
	var mu sync.Mutex
	t.Run("alive", func(t *testing.T) {
		for _, f := range flows {
			dialects := []dialect{sensibleDialect(), typlessDialect()}
			if f.once {
				dialects = dialects[1:]
			}
			for _, d := range dialects {
				t.Run(f.name+", "+d.account, func(t *testing.T) {
					t.Parallel()
					x := &death{flow: f, d: d}
					x.carryOut(t)
					mu.Lock()
					defer mu.Unlock()
					for _, p := range x.seen() {
						deaths = append(deaths, &death{flow: f, d: d, point: p})
					}
				})
			}
		}
	})
	wantKnown(t, deaths)
	if !*allPoints {
		deaths = some(deaths)
	}
	t.Run("dead", func(t *testing.T) {
		for _, x := range deaths {
			t.Run(x.flow.name+", "+x.d.account+" "+x.point, func(t *testing.T) {
				t.Parallel()
				for range 3 { // What a process does by the clock it does not do every time.
					if x.carryOut(t); x.died {
						return
					}
				}
				t.Logf("in 3 runs no process came by")
			})
		}
	})
	died := 0
	for _, x := range deaths {
		if x.died {
			died++
		}
	}
	t.Logf("%d deaths at %d points in %v, -points-seed %d", died, len(deaths), time.Since(begun).Round(time.Second), *pointsSeed)
	if len(deaths) > 0 && !*updatePoints && died < len(deaths)*9/10 {
		t.Errorf("of %d points only %d were reached", len(deaths), died)
	}
}

// carryOut runs the flow on a new site.
func (x *death) carryOut(t *testing.T) {
	x.reader = nil
	x.site = newSite(t, siteConfig{concurrency: 4, uncertainWindow: 5 * time.Second, sandbox: sandbox.Config{ProcessingTime: sandbox.Fixed(200 * time.Millisecond)}})
	x.flow.run(x)
	if x.redis != nil {
		x.sound()
	}
}

// some are a random choice, each point once.
func some(deaths []*death) []*death {
	r := rand.New(rand.NewPCG(*pointsSeed, 0))
	slices.SortFunc(deaths, func(a, b *death) int {
		return cmp.Or(cmp.Compare(a.point, b.point), cmp.Compare(a.flow.name, b.flow.name), cmp.Compare(a.d.account, b.d.account))
	})
	r.Shuffle(len(deaths), func(i, j int) { deaths[i], deaths[j] = deaths[j], deaths[i] })
	taken := map[string]bool{}
	deaths = slices.DeleteFunc(deaths, func(x *death) bool {
		again := taken[x.point]
		taken[x.point] = true
		return again
	})
	return deaths[:min(len(deaths), somePoints)]
}

// wantKnown compares the points with their list.
func wantKnown(t *testing.T, deaths []*death) {
	t.Helper()
	body, err := os.ReadFile(pointsFile)
	if err != nil && !*updatePoints {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, p := range lines(string(body)) {
		known[p] = true
	}
	for _, x := range deaths {
		if !known[x.point] && !*updatePoints {
			t.Errorf("%s of %s is not in %s: a new effect", x.point, x.flow.name, pointsFile)
		}
		known[x.point] = true
	}
	if *updatePoints {
		text := strings.Join(slices.Sorted(maps.Keys(known)), "\n") + "\n"
		if err := os.WriteFile(pointsFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
