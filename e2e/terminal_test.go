package e2e

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// controls move the cursor of a terminal, erase, and color.
var controls = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]|\r")

// screen is a program on a terminal of its own.
type screen struct {
	t    *testing.T
	cmd  *exec.Cmd
	file *os.File
	text output
	done chan struct{} // Closed when the program has ended.
	err  error
}

// startScreen starts a command on a terminal of so many columns, with the documented variables
// for one without colors.
func startScreen(t *testing.T, cmd *exec.Cmd, columns uint16) *screen {
	t.Helper()
	cmd.Env = append(cmd.Env, "NO_COLOR=1", "TERM=xterm")
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: columns, Rows: 40})
	if err != nil {
		t.Fatal(err)
	}
	c := &screen{t: t, cmd: cmd, file: file, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		_, _ = io.Copy(&c.text, file) // Ends with EIO when the program has closed its side.
		c.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // Mostly it has ended already.
		<-c.done
		_ = file.Close()
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(cmd.Args, " "), tail(c.lines()))
		}
	})
	return c
}

// onTerminal starts the program on a terminal of 80 columns.
func (s *site) onTerminal(args ...string) *screen {
	s.t.Helper()
	return startScreen(s.t, s.command(args...), 80)
}

// lines are what was printed, without what moves the cursor.
func (c *screen) lines() string { return controls.ReplaceAllString(c.text.String(), "") }

// says waits until the program has printed text.
func (c *screen) says(text string) {
	c.t.Helper()
	eventually(c.t, "the terminal shows "+text, func() bool { return strings.Contains(c.lines(), text) })
}

// press types keys.
func (c *screen) press(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.file, keys); err != nil {
		c.t.Fatal(err)
	}
}

// ends waits for the end of the program, and returns its exit code.
func (c *screen) ends() int {
	c.t.Helper()
	eventually(c.t, "the program has ended", func() bool {
		select {
		case <-c.done:
			return true
		default:
			return false
		}
	})
	return c.cmd.ProcessState.ExitCode()
}

// TestRunExplainsAPause on a terminal: what it waits for, when the vendor is asked next, and what
// became of the documents. Enter asks at once.
func TestRunExplainsAPause(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.documents("inbox", 8)
	up := newGate()
	for _, o := range []op{opOpen, opPoll, opReady, opPut, opOther} {
		s.vendor.on(o, always, func(x *exchange) {
			if up.isOpen() {
				x.normal()
				return
			}
			x.refuse(http.StatusServiceUnavailable, "down for maintenance")
		})
	}
	args := runArgs("--out", "results", "inbox")
	c := s.onTerminal(args...)
	c.says("paused, next try in ")
	c.says(": Sensible does not work (down for maintenance)")
	c.says("nothing is lost, Ctrl-C is safe, Enter tries now")
	c.press("\x03")
	if code := c.ends(); code != 130 {
		t.Errorf("Ctrl-C ends it with %d, want 130", code)
	}
	if text := c.lines(); !strings.Contains(text, "0 of 8 done, 8 not submitted, in ") || strings.Contains(text, "level=") {
		t.Errorf("the end does not say that nothing was submitted, or there are log lines:\n%s", text)
	}

	c = s.onTerminal(args...)
	c.says("next try in ")
	began := time.Now()
	up.open()
	c.press("\n")
	if code := c.ends(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	t.Logf("ended %v after Enter", time.Since(began))
	c.says("8 of 8 done, in ")
	c.says(" → results/")
}

// TestRunStopsWhereAllIsRefused submits a few of many documents whose type the vendor does not
// know, and says so once.
func TestRunStopsWhereAllIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.documents("inbox", 60)
	s.vendor.on(opOpen, always, func(x *exchange) {
		x.refuse(http.StatusBadRequest, "Specified document type does not exist")
	})
	r := s.run(runArgs("--out", "results", "inbox")...).want(t, 1)
	if n := s.vendor.asked(opOpen); n > 2*10 { // A refusal is tried twice.
		t.Errorf("%d submissions of a type that does not exist, want those of 10 documents", n)
	}
	if !strings.Contains(r.stderr, "Sensible refused the first 10 documents for one reason (Specified document type does not exist)") {
		t.Errorf("stderr does not say why it stopped:\n%s", r.stderr)
	}
	if n := strings.Count(r.stderr, "vendor_rejected: "); n > 10 {
		t.Errorf("%d lines about refused documents, want one for each that was submitted", n)
	}
	if !strings.Contains(r.stderr, "50 not submitted") {
		t.Errorf("stderr does not say how many were not submitted:\n%s", r.stderr)
	}
}

// TestRunSaysHowItEnded counts what failed by its code, and says how to repeat it.
func TestRunSaysHowItEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.documents("inbox", 6)
	s.write("inbox/empty.pdf", "")
	r := s.run(runArgs("--out", "results", "inbox")...).want(t, 1)
	want := regexp.MustCompile(`(?m)^7 of 7 done, 6 succeeded, 1 failed \(1 unsupported_document\), in [0-9.m]+s → results/$`)
	if !want.MatchString(r.stderr) || !strings.Contains(r.stderr, "--retry-failed") {
		t.Errorf("the end is\n%s\nwant %s and how to repeat", r.stderr, want)
	}
}
