package embedded

import (
	"bufio"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/extractq/extractq/internal/redistest"
)

// helperDir makes the test binary the process that TestKilledParent kills.
const helperDir = "EMBEDDED_TEST_DIR"

// inScratch is the helperDir of a parent that makes a scratch folder.
const inScratch = "scratch"

// TestParent is no test: it is the process that is killed.
func TestParent(t *testing.T) {
	dir := os.Getenv(helperDir)
	if dir == "" {
		t.Skip("run by TestKilledParent")
	}
	cfg := Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)}
	if dir == inScratch {
		scratch, err := NewScratch()
		if err != nil {
			t.Fatal(err)
		}
		cfg.Dir, cfg.Bound = scratch.Dir, true
	}
	r, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stdout.WriteString("url " + r.URL + "\n"); err != nil {
		t.Fatal(err)
	}
	select {}
}

// TestKilledParent kills extractq; its server stays, still holds its lock, and
// is adopted by the next.
func TestKilledParent(t *testing.T) {
	t.Parallel()
	redistest.Require(t)
	dir := t.TempDir()
	leaveNone(t, dir)
	url := killedParent(t, dir)
	p, err := newLocation(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := tryLock(p.serverLock(), exclusive); ok || err != nil {
		t.Errorf("the server's lock is free although it lives: %v", err)
	}
	r := open(t, dir)
	if r.owned != nil || r.URL != url || !r.Persistent {
		t.Errorf("Start() = %+v, want the server at %s adopted", r, url)
	}
	set(t, r)
	closeRedis(t, r)
	wantGone(t, dir)
}

// killedParent starts a Redis in another process, kills that and returns the URL.
func killedParent(t *testing.T, dir string) (url string) {
	t.Helper()
	parent := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestParent$")
	parent.Env = append(os.Environ(), helperDir+"="+dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); url == "" && lines.Scan(); {
		url, _ = strings.CutPrefix(lines.Text(), "url ")
		if url == lines.Text() {
			url = ""
		}
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	return url
}

// TestScratchEndsWithItsProcess kills extractq: no process could adopt a server in a
// scratch folder, so neither is left.
func TestScratchEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	redistest.Require(t)
	url := killedParent(t, inScratch)
	socket, ok := strings.CutPrefix(url, "unix://")
	if !ok {
		t.Fatalf("the parent started %q", url)
	}
	dir := filepath.Dir(filepath.Dir(socket))
	eventually(t, "the folder is gone", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, fs.ErrNotExist)
	})
	eventually(t, "the server is gone", func() bool { return !serverIn(t, dir) })
}

// serverIn reports whether a Redis of a folder runs.
func serverIn(t *testing.T, dir string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-ewwo", "args").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(out), dir+"/")
}

// TestAbandon ends the server at once, also in the middle of Close, and leaves it to
// the others that use it.
func TestAbandon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := open(t, dir), open(t, dir)
	first.Abandon()
	if state := ping(t.Context(), first.location.socket()); state != answering {
		t.Fatalf("the server that another one uses is %v", state)
	}
	closing := make(chan error)
	go func() { closing <- second.Close() }()
	second.Abandon()
	if err := <-closing; err != nil {
		t.Logf("Close() = %v", err) // Of two ends at once one may find nothing.
	}
	eventually(t, "the server is gone", func() bool { return !serverIn(t, dir) })

	third := open(t, dir)
	third.Abandon()
	eventually(t, "the server is gone", func() bool { return !serverIn(t, dir) })
}

// kills counts how often a server is killed.
type kills struct{ n *atomic.Int64 }

func (k kills) stop() error  { return nil }
func (k kills) leave() error { return nil }
func (k kills) kill()        { k.n.Add(1) }

// TestAbandonAmidClose ends a process at any moment of its Close: a server without other
// users is killed, not left to them.
func TestAbandonAmidClose(t *testing.T) {
	t.Parallel()
	p, err := makeLocation(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		users, err := lockWait(t.Context(), p.usersLock(), shared)
		if err != nil {
			t.Fatal(err)
		}
		var n atomic.Int64
		r := &Redis{location: p, logger: slog.New(slog.DiscardHandler), users: users, owned: kills{&n}}
		var wg sync.WaitGroup
		wg.Go(func() { _ = r.Close() })
		wg.Go(r.Abandon)
		wg.Wait()
		if n.Load() == 0 {
			t.Fatal("the server was left running")
		}
	}
}
