package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A block of commands in the README is run when this line stands right before
// it. A block of text after the second line is what the commands print on a terminal.
const (
	runMark    = "<!-- run -->"
	outputMark = "<!-- output -->"
)

// block is a marked block of commands.
type block struct {
	line   int
	script string
	output string // Empty where the README does not show it.
}

// TestReadmeCommandsWork runs the commands that the README promises, as they
// stand there, in the repository's root. extractq is on the PATH; what builds it
// on the fly uses the binary that is there already. Results are to go to $TMPDIR
// or to a folder that git ignores.
func TestReadmeCommandsWork(t *testing.T) {
	t.Parallel()
	blocks := markedBlocks(t, filepath.Join(root, "README.md"))
	if len(blocks) == 0 {
		t.Fatalf("the README has no block of commands after a line %s", runMark)
	}
	s := newSite(t, quick(0))
	env := append(s.env,
		"PATH="+binaryPath(),
		"GOCACHE="+goEnv(t, "GOCACHE"), "GOMODCACHE="+goEnv(t, "GOMODCACHE"))
	// One after the other, as a reader would: a block may use what the one
	// before has left.
	for _, b := range blocks {
		t.Run(fmt.Sprintf("line %d", b.line), func(t *testing.T) {
			script := strings.ReplaceAll(b.script, "go run ./cmd/extractq", "extractq")
			cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", script)
			cmd.Dir, cmd.Env = root, env
			if b.output != "" {
				wantShown(t, cmd, b.output)
				return
			}
			r := launchGroup(t, cmd).wait()
			if r.code != 0 {
				t.Errorf("exit code %d of\n%s\nstdout: %s\nstderr: %s", r.code, b.script, tail(r.stdout), tail(r.stderr))
			}
		})
	}
}

// wantShown runs a script on a terminal of 100 columns, and compares what it prints with what
// the README shows, but for how long it took and the order of the rows.
func wantShown(t *testing.T, cmd *exec.Cmd, want string) {
	t.Helper()
	c := startScreen(t, cmd, 100)
	if code := c.ends(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	got := map[string]bool{}
	for line := range strings.SplitSeq(c.lines(), "\n") {
		got[durations.ReplaceAllString(line, "in 1s")] = true
	}
	for line := range strings.Lines(want) {
		if line = strings.TrimSuffix(line, "\n"); !got[durations.ReplaceAllString(line, "in 1s")] {
			t.Errorf("the README shows %q; the program printed:\n%s", line, c.lines())
		}
	}
}

// durations end the last line of a run.
var durations = regexp.MustCompile(`in [0-9.m]+s$`)

// launchGroup starts a script whose background processes end with the test.
func launchGroup(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := launch(t, cmd)
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // Mostly the group is empty.
	})
	return p
}

// binaryPath is a PATH on which extractq is the program under test.
func binaryPath() string {
	return filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH")
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// markedBlocks are the fenced sh blocks of a Markdown file that follow the mark, with the
// output that is shown.
func markedBlocks(t *testing.T, file string) []block {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var blocks []block
	var current *block
	marked, shown := false, false
	scanner := bufio.NewScanner(f)
	for n := 1; scanner.Scan(); n++ {
		line := scanner.Text()
		switch {
		case shown && strings.TrimSpace(line) == "```":
			shown = false
		case shown && line != "```text":
			blocks[len(blocks)-1].output += line + "\n"
		case strings.TrimSpace(line) == outputMark:
			shown = len(blocks) > 0
		case current != nil && strings.TrimSpace(line) == "```":
			blocks = append(blocks, *current)
			current = nil
		case current != nil:
			current.script += line + "\n"
		case marked && strings.TrimSpace(line) == "```sh":
			current = &block{line: n + 1}
		case marked:
			t.Errorf("README line %d: %s is not followed by a line ```sh", n, runMark)
		}
		marked = current == nil && strings.TrimSpace(line) == runMark
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	if current != nil {
		t.Errorf("README line %d: the block has no end", current.line)
	}
	return blocks
}
