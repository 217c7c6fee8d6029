package tasks_test

import (
	"os/exec"
	"strings"
	"testing"
)

// A service that imports this package takes over all that it imports. What is large and of no
// use to it stays out; docs/bench.md has the figures.
func TestImportsAreFew(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 100 {
		t.Fatalf("go list names %d packages", len(deps))
	}
	for _, dep := range deps {
		for _, prefix := range []string{
			"google.golang.org/grpc", "google.golang.org/api", "google.golang.org/genproto", "github.com/googleapis/",
			"go.opentelemetry.io/", "gocloud.dev", "github.com/aws/", "cloud.google.com/", "github.com/Azure/", "github.com/prometheus/", "github.com/urfave/cli", "github.com/alicebob/miniredis",
		} {
			if strings.HasPrefix(dep, prefix) {
				t.Errorf("tasks imports %s", dep)
			}
		}
	}
}
