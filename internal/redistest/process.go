package redistest

import (
	"os/exec"
	"runtime"
)

// process is a started redis-server.
type process struct {
	cmd *exec.Cmd
	// done is closed when the process is gone; err then says how it ended.
	done chan struct{}
	err  error
}

// start starts the command so that it also dies with this process, for a test
// binary that is killed or panics runs no clean-up. The kernel ties that to the
// thread that started the child, so the goroutine keeps its thread until the
// child is gone.
func start(cmd *exec.Cmd) (*process, error) {
	dieWithParent(cmd)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
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
		return nil, err
	}
	return p, nil
}

// kill ends the process and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}
