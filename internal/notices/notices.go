// Package notices collects the licenses of the modules that are built into the binary:
// most of them ask for their text to come with it.
package notices

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:generate go run ./generate ../../THIRD_PARTY_NOTICES

const head = `extractq contains the modules below. Each is named with its version, followed by its
license and, where it has one, its notice.
`

// module is one that "go list" names.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// Text returns the notices of all modules that the command in dir is built from, for
// Linux and with all kinds of object stores, ordered by name. Their sources must be in the module cache.
func Text(ctx context.Context, dir string) ([]byte, error) {
	modules, err := list(ctx, dir)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBufferString(head)
	for _, m := range modules {
		files, err := texts(m.Dir)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%s %s has no license", m.Path, m.Version)
		}
		fmt.Fprintf(out, "\n%s\n%s %s\n", strings.Repeat("=", 80), m.Path, m.Version)
		for _, name := range files {
			text, err := os.ReadFile(filepath.Join(m.Dir, name))
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(out, "\n--- %s\n\n%s\n", name, bytes.TrimSpace(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
		}
	}
	return out.Bytes(), nil
}

// list returns the modules of a command, without its own.
func list(ctx context.Context, dir string) ([]module, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-tags", "clouds", "-json=Module", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list modules: %w", err)
	}
	found := map[string]module{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *module }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("list modules: %w", err)
		}
		if p.Module != nil && !p.Module.Main {
			found[p.Module.Path] = *p.Module
		}
	}
	modules := make([]module, 0, len(found))
	for _, m := range found {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return modules, nil
}

// texts returns the names of the licenses and notices in a module's folder, ordered.
func texts(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		base, _, _ := strings.Cut(strings.ToUpper(e.Name()), ".")
		if e.Type()&fs.ModeType == 0 && slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "UNLICENSE", "NOTICE"}, base) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}
