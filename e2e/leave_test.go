package e2e

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestRunLeavesNothingBehind ends runs in the ways in which users do without
// thinking. None may leave a Redis running, or documents in the temporary
// folder.
func TestRunLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(t *testing.T, p *process, stdout io.Closer)
		code int // -1 where the signal itself may end the process.
	}{
		"interrupt":  {func(_ *testing.T, p *process, _ io.Closer) { p.signal(syscall.SIGINT) }, 130},
		"terminated": {func(_ *testing.T, p *process, _ io.Closer) { p.signal(syscall.SIGTERM) }, 143},
		// The terminal is closed.
		"hangup": {func(_ *testing.T, p *process, _ io.Closer) { p.signal(syscall.SIGHUP) }, -1},
		// The reader of the results, such as head -1, has seen enough.
		"broken pipe": {func(t *testing.T, _ *process, stdout io.Closer) {
			if err := stdout.Close(); err != nil {
				t.Fatal(err)
			}
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, quick(time.Second))
			docs := s.documents("inbox", 3)
			held := newGate()
			s.vendor.on(opPoll, always, func(x *exchange) { x.hold(held); x.normal() })
			cmd := s.command(runArgs(paths(docs)...)...)
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = reader.Close() }()
			cmd.Stdout = writer
			p := launch(t, cmd)
			_ = writer.Close()
			eventually(t, "the documents are asked for", func() bool { return s.vendor.asked(opPoll) > 0 })
			test.end(t, p, reader)
			held.open()
			r := p.wait()
			if test.code >= 0 {
				r.want(t, test.code)
			}
			s.wantNoRedis()
			left, err := filepath.Glob(s.path("tmp", "*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left in the temporary folder: %q, %v", left, err)
			}
		})
	}
}
