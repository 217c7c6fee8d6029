package chaos

import (
	"io"
	"os/exec"
	"runtime"
	"syscall"
)

// child is a started process.
type child struct {
	cmd *exec.Cmd
	// done is closed when the process is gone; err then says how it ended.
	done chan struct{}
	err  error
}

// start starts a process that also dies with this one: the kernel ties that to the thread
// which started it, so the goroutine keeps its thread.
func start(cmd *exec.Cmd, out io.Writer) (*child, error) {
	cmd.Stdout, cmd.Stderr = out, out
	dieWithParent(cmd)
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

func (c *child) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) } // It may be gone.

// kill ends the process, and returns when it is gone.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	<-c.done
}
