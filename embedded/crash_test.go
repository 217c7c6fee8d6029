package embedded

import (
	"bufio"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/extractq/extractq/internal/redistest"
)

// helperDir makes the test binary the process that TestKilledParent kills.
const helperDir = "EMBEDDED_TEST_DIR"

// TestParent is no test: it is the process that is killed.
func TestParent(t *testing.T) {
	dir := os.Getenv(helperDir)
	if dir == "" {
		t.Skip("run by TestKilledParent")
	}
	r, err := Start(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
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
	parent := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestParent$")
	parent.Env = append(os.Environ(), helperDir+"="+dir)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	url := ""
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

	p, err := newPlace(dir)
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
