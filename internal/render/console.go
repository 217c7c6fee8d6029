package render

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Console is where a command prints: results to Out, and everything else to Err.
type Console struct{ Out, Err *Redirect }

// NewConsole returns the console of a process.
func NewConsole(stdout, stderr io.Writer) *Console {
	return &Console{Out: &Redirect{w: stdout}, Err: &Redirect{w: stderr}}
}

// Redirect is a writer whose target can change: log lines go through the progress bar
// while there is one, or they would tear it.
type Redirect struct {
	mu sync.Mutex
	w  io.Writer
}

// To changes the target.
func (r *Redirect) To(w io.Writer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.w = w
}

func (r *Redirect) Write(b []byte) (int, error) {
	r.mu.Lock()
	w := r.w
	r.mu.Unlock()
	return w.Write(b)
}

// Say prints one line for the user. It escapes characters that would move the cursor or
// change the direction of writing, wherever they come from.
func (c *Console) Say(format string, args ...any) {
	_, _ = fmt.Fprintln(c.Err, "extractq: "+Escape(fmt.Sprintf(format, args...)))
}

// Progress shows the progress of total extractions until the returned function is called.
// What is printed meanwhile appears above it.
func (c *Console) Progress(total int) (*Progress, func()) {
	errors, results := c.Err.w, c.Out.w
	p := NewProgress(errors, IsTerminal(errors), total, time.Now)
	c.Err.To(p)
	if IsTerminal(errors) && IsTerminal(results) {
		c.Out.To(p) // The bar would erase what is printed beside it.
	}
	return p, func() {
		p.Close()
		c.Err.To(errors)
		c.Out.To(results)
	}
}
