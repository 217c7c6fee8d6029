package bench

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
)

// Picture is the file for --svg. It is created before the benchmark begins, which may take
// minutes, and gets its name when it is complete. All methods of nil do nothing.
type Picture struct {
	name string
	file *os.File
}

// NewPicture creates the file; nil if the name is empty.
func NewPicture(name string) (*Picture, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".bench-*.svg")
	if err != nil {
		return nil, errkind.MarkUnavailable(fmt.Errorf("--svg cannot be written: %w", documents.Cause(err)))
	}
	return &Picture{name, f}, nil
}

// Draw writes the report and gives the file its name.
func (p *Picture) Draw(r Report) error {
	if p == nil {
		return nil
	}
	err := r.WriteSVG(p.file)
	if closeErr := p.file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(p.file.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(p.file.Name(), p.name)
	}
	if err != nil {
		return errkind.MarkUnavailable(fmt.Errorf("--svg cannot be written: %w", documents.Cause(err)))
	}
	return nil
}

// Close removes the file unless it was drawn.
func (p *Picture) Close() {
	if p != nil {
		_ = p.file.Close()           // Mostly it is closed,
		_ = os.Remove(p.file.Name()) // and has its name.
	}
}
