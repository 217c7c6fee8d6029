package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
)

// workshop is where a client is generated from the description of a live API, and built.
type workshop struct {
	t           *testing.T
	dir         string // Empty but for
	description string // that file.
	api         string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	s := newSite(t, quick(0))
	s.write("extractq.yaml", `api: {keys: {billing: {secret: "`+apiKey+`", operator: true}}}
`)
	w := &workshop{t: t, dir: t.TempDir()}
	w.api = s.start("up", "--provider", "sandbox", "--processing-time", "1s", "--listen", "127.0.0.1:0").saysWhere()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.api+"/openapi.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the description: %d, %v", res.StatusCode, err)
	}
	w.description = w.write("openapi.json", text)
	return w
}

// write makes a file in the workshop and returns its path.
func (w *workshop) write(name string, text []byte) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// run runs a program in a folder to its end, which must be a good one, and returns what
// it printed.
func (w *workshop) run(dir string, line ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", strings.Join(line, " "), err, out)
	}
	return string(out)
}

// uses fails the test unless a client does all that it wants with the API.
func (w *workshop) uses(line ...string) {
	w.t.Helper()
	if out := w.run(w.dir, line...); out != "done\n" {
		w.t.Errorf("the client says %q", out)
	}
}

// A Go client that is generated from the description submits, gets, lists, cancels and
// deletes, has results and documents, and reads refusals.
func TestGeneratedGoClient(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	tools := filepath.Join(root, "tools")
	generated, client := filepath.Join(w.dir, "client.go"), filepath.Join(w.dir, "client")
	w.run(tools, "go", "tool", "oapi-codegen", "-generate", "types,client", "-package", "main", "-o", generated, w.description)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(tools, "clients", "go", "client.go"): generated}})
	if err != nil {
		t.Fatal(err)
	}
	w.run(tools, "go", "build", "-tags", "generated", "-overlay", w.write("overlay.json", overlay), "-o", client, "./clients/go")
	w.uses(client, w.api, apiKey, w.write("1040.pdf", fixtures.TaxForm(1)))
}

// A TypeScript client does the same. Its packages come from the network, by "make
// test-clients".
func TestGeneratedTypeScriptClient(t *testing.T) {
	t.Parallel()
	if os.Getenv("EXTRACTQ_TEST_NPM") != "1" {
		t.Skip("make test-clients runs it")
	}
	need(t, "node")
	need(t, "npm")
	w := newWorkshop(t)
	for _, name := range []string{"package.json", "package-lock.json", "tsconfig.json", "use.ts"} {
		text, err := os.ReadFile(filepath.Join(root, "tools", "clients", "ts", name))
		if err != nil {
			t.Fatal(err)
		}
		w.write(name, text)
	}
	w.run(w.dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	bin := filepath.Join(w.dir, "node_modules", ".bin")
	w.run(w.dir, filepath.Join(bin, "openapi-typescript"), w.description, "-o", "api.d.ts")
	w.run(w.dir, filepath.Join(bin, "tsc"))
	w.uses("node", filepath.Join("out", "use.js"), w.api, apiKey)
}
