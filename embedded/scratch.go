package embedded

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// watchScript waits for the end of this process, which closes its end of the pipe. A line
// before that means an orderly end.
const watchScript = `read -r _ && exit
[ -f "$2" ] && kill -9 "$(cat "$2")"
rm -rf -- "$1"`

// Scratch is a temporary folder for data of this process only. Neither the folder nor a
// Redis in it outlives the process, however that ends: a shell watches a pipe from it.
// Without a shell, a process that is killed leaves the folder.
type Scratch struct {
	Dir string

	watch *exec.Cmd
	pipe  io.WriteCloser
}

// NewScratch makes a scratch folder. Call Close.
func NewScratch() (*Scratch, error) {
	dir, err := os.MkdirTemp("", "extractq-")
	if err != nil {
		return nil, err
	}
	s := &Scratch{Dir: dir}
	shell, err := exec.LookPath("sh")
	if err != nil || !canRunServers {
		return s, nil
	}
	// It ends when the pipe is closed, not with a context.
	watch := exec.CommandContext(context.Background(), shell, "-c", watchScript, "sh", dir, filepath.Join(dir, folder, pidName))
	watch.Dir, watch.Env, watch.SysProcAttr = "/", environment(), apart()
	pipe, err := watch.StdinPipe()
	if err == nil {
		err = watch.Start()
	}
	if err != nil {
		_ = os.Remove(dir)
		return nil, err
	}
	s.watch, s.pipe = watch, pipe
	return s, nil
}

// Close removes the folder.
func (s *Scratch) Close() error {
	err := os.RemoveAll(s.Dir)
	if s.watch != nil {
		_, _ = io.WriteString(s.pipe, "\n") // If the shell has gone, there is no watch to end.
		_ = s.pipe.Close()
		_ = s.watch.Wait()
	}
	return err
}
