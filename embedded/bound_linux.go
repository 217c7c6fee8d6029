package embedded

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startBound starts a program that the kernel kills when this process is gone. The
// signal comes with the end of the thread that started the program, so that thread
// stays as long as the process.
func startBound(cmd *exec.Cmd) error {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			select {}
		}
	}()
	return <-started
}
