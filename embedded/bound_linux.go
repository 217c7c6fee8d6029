package embedded

import (
	"os/exec"
	"runtime"
	"syscall"
)

// startBound starts a program that the kernel kills when this process ends. The signal is
// sent when the thread that started the program ends, so that thread is kept as long as the
// process.
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
