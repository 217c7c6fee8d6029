package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A block of commands in the README is run when this line stands right before
// it.
const runMark = "<!-- run -->"

// block is a marked block of commands.
type block struct {
	line   int
	script string
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
			r := launchGroup(t, cmd).wait()
			if r.code != 0 {
				t.Errorf("exit code %d of\n%s\nstdout: %s\nstderr: %s", r.code, b.script, tail(r.stdout), tail(r.stderr))
			}
		})
	}
}

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

// markedBlocks are the fenced sh blocks of a Markdown file that follow the mark.
func markedBlocks(t *testing.T, file string) []block {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var blocks []block
	var current *block
	marked := false
	scanner := bufio.NewScanner(f)
	for n := 1; scanner.Scan(); n++ {
		line := scanner.Text()
		switch {
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
