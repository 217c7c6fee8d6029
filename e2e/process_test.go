package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a program a test has started.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	// done is closed when it has ended; err then says how.
	done           chan struct{}
	err            error
	began          time.Time
	stdout, stderr output
}

// result is how a program ended. A code of -1 means that a signal ended it.
type result struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

// output is what a program writes; it may be read while the program runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// launch starts cmd, whose stdout is kept where it goes nowhere else. The process is killed when the test ends, or this test
// binary does.
func launch(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, cmd: cmd, done: make(chan struct{}), began: time.Now()}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.stdout
	}
	cmd.Stderr = &p.stderr
	// A process that has inherited the pipes, such as a Redis left behind by
	// SIGKILL, must not keep Wait waiting.
	cmd.WaitDelay = time.Second
	dieWithParent(cmd)
	started := make(chan error, 1)
	go func() {
		// The kernel ties the child's death to the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // Mostly it has ended already.
		<-p.done
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(cmd.Args, " "), tail(p.stderr.String()))
		}
	})
	return p
}

// tail is the end of a text that is too long to show.
func tail(s string) string {
	const most = 6000
	if len(s) > most {
		return "…" + s[len(s)-most:]
	}
	return s
}

// signal sends a signal to the process alone, not to its children.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("%v: %v", s, err)
	}
}

// kill ends the process as a crash would, and waits until it is gone.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.done
}

// ended reports whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// wait returns how the process ended, and fails the test when it does not.
func (p *process) wait() result {
	p.t.Helper()
	eventually(p.t, strings.Join(p.cmd.Args, " ")+" has ended", p.ended)
	return result{
		stdout: p.stdout.String(), stderr: p.stderr.String(),
		code: p.cmd.ProcessState.ExitCode(), took: time.Since(p.began),
	}
}

// says waits until the process has written text to stderr.
func (p *process) says(text string) {
	p.t.Helper()
	eventually(p.t, "stderr says "+text, func() bool {
		if strings.Contains(p.stderr.String(), text) {
			return true
		}
		if p.ended() {
			p.t.Fatalf("the process ended before it said %q", text)
		}
		return false
	})
}

// want fails the test unless the program ended with code.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, tail(r.stdout), tail(r.stderr))
	}
	return r
}

// lines are the lines of a text, without the empty one at its end.
func lines(s string) []string {
	if s = strings.TrimSuffix(s, "\n"); s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
