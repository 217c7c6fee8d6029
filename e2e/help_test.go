package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/extractq/extractq/internal/fixtures"
)

// example is a command line from a help page.
type example struct {
	command string
	args    []string
}

// TestHelpExamplesWork runs the examples of every help page: those that need
// nobody else as they are, the others only so far that their flags are known.
func TestHelpExamplesWork(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	for name, body := range fixtures.Files() {
		s.write("examples/"+name, string(body))
	}
	// Before the examples, or an example could be taken for its own setup.
	commands := s.commands()
	if !slices.Contains(commands, "run") || !slices.Contains(commands, "worker") {
		t.Fatalf("extractq --help lists %q, want at least run and worker", commands)
	}
	for _, command := range append([]string{""}, commands...) {
		examples := s.examples(command)
		if len(examples) == 0 {
			t.Errorf("extractq %s --help has no example", command)
		}
		for _, e := range examples {
			t.Run(strings.Join(e.args, "_"), func(t *testing.T) {
				t.Parallel()
				// A flag that is not known is complained about before any help.
				s.run(append(slices.Clone(e.args), "--help")...).want(t, 0)
				if e.needsNobody() {
					// Each in a home of its own, as for two users.
					home := t.TempDir()
					cmd := s.command(e.args...)
					cmd.Env = append(cmd.Env, "HOME="+home, "XDG_STATE_HOME="+home, "EXTRACTQ_CONFIG="+s.write("none.yaml", ""))
					launch(t, cmd).wait().want(t, 0)
				}
			})
		}
	}
}

// commands are those that the program's help lists.
func (s *site) commands() []string {
	s.t.Helper()
	_, list, found := strings.Cut(s.run("--help").want(s.t, 0).stdout, "\nCOMMANDS:\n")
	if !found {
		s.t.Fatal("extractq --help has no list of commands")
	}
	list, _, _ = strings.Cut(list, "\n\n")
	var out []string
	for _, line := range lines(list) {
		name, _, _ := strings.Cut(strings.Fields(line)[0], ",")
		if name != "help" {
			out = append(out, name)
		}
	}
	return out
}

// exampleLine is a command line in a help page.
var exampleLine = regexp.MustCompile(`(?m)^ +extractq (.+)$`)

// examples are the command lines in the description of a command.
func (s *site) examples(command string) []example {
	s.t.Helper()
	args := []string{"--help"}
	if command != "" {
		args = []string{command, "--help"}
	}
	help := s.run(args...).want(s.t, 0).stdout
	_, description, _ := strings.Cut(help, "\nDESCRIPTION:\n")
	description, _, _ = strings.Cut(description, "\nOPTIONS:\n")
	var out []example
	for _, m := range exampleLine.FindAllStringSubmatch(description, -1) {
		fields := strings.Fields(m[1])
		out = append(out, example{fields[0], fields})
	}
	return out
}

// needsNobody reports whether the example brings everything it needs.
func (e example) needsNobody() bool {
	return e.command == "run" && slices.Contains(e.args, "sandbox")
}
