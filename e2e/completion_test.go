package e2e

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// shells are how each shell is asked to complete the words in its arguments, with
// the script that the program prints. The candidates come one a line.
var shells = map[string]struct {
	args []string
	// splits reports that the shell takes --flag=value apart.
	splits bool
}{
	"bash": {[]string{"--norc", "-u", "-c", `
		source <("$0" completion bash)
		complete -p extractq >/dev/null
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_extractq
		printf '%s\n' "${COMPREPLY[@]-}"`}, true},
	// Its completion needs a terminal: what the script calls is stood in for.
	"zsh": {[]string{"-f", "-c", `
		compdef() { registered=$2 }
		_describe() { printf '%s\n' "${(@)${(@P)3}%%:*}" }
		_files() { : }
		source <("$0" completion zsh)
		[[ $registered == extractq ]] || exit 9
		words=("$@") CURRENT=$#
		_extractq`}, false},
	"fish": {[]string{"--no-config", "-c", `
		$argv[1] completion fish | source
		complete -C (string join ' ' -- $argv[2..-1]) | string replace -r '\t.*' ''
		true`}, false},
}

// TestShellsComplete lets each shell there is complete a line.
func TestShellsComplete(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	for shell, how := range shells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(shell); err != nil {
				t.Skipf("%s is not installed", shell)
			}
			complete := func(t *testing.T, words ...string) []string {
				cmd := exec.CommandContext(t.Context(), shell, slices.Concat(how.args, []string{binary, "extractq"}, words)...)
				cmd.Dir = s.dir
				cmd.Env = append(slices.Clone(s.env), "PATH="+binaryPath())
				r := launch(t, cmd).wait().want(t, 0)
				return strings.Fields(r.stdout)
			}
			for name, test := range map[string]struct {
				words []string
				want  string
			}{
				"command":             {[]string{"sub"}, "submit"},
				"commands":            {[]string{"s"}, "scheduler submit status sandbox"},
				"behind a flag":       {[]string{"--redis", "r", "sub"}, "submit"},
				"flag":                {[]string{"run", "--form"}, "--format"},
				"flag after document": {[]string{"run", "a.pdf", "--form"}, "--format"},
				"global flag":         {[]string{"--log-l"}, "--log-level"},
				"global flag, later":  {[]string{"watch", "--log-l"}, "--log-level"},
				"another's flag":      {[]string{"worker", "--forma"}, ""},
				"value":               {[]string{"run", "--format", "nd"}, "ndjson"},
				"global value":        {[]string{"run", "--log-format", ""}, "text json"},
				"account":             {[]string{"run", "--account", "acme-s"}, sensibleAccount},
				"account to pause":    {[]string{"accounts", "pause", "acme-t"}, typlessAccount},
				"format of bench":     {[]string{"bench", "--format", ""}, "table json"},
				"format of accounts":  {[]string{"accounts", "--format", ""}, "table json ndjson"},
				"status":              {[]string{"list", "--status", "E"}, "ERROR EXPIRED"},
				"shell":               {[]string{"completion", "z"}, "zsh"},
				"no command":          {[]string{"frobnicat"}, ""},
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					got := complete(t, test.words...)
					slices.Sort(got)
					want := slices.Sorted(strings.FieldsSeq(test.want))
					if !slices.Equal(got, want) {
						t.Errorf("%q completes to %q, want %q", test.words, got, want)
					}
				})
			}
			t.Run("value behind a sign", func(t *testing.T) {
				t.Parallel()
				words, want := []string{"run", "--format=c"}, []string{"--format=csv"}
				if how.splits {
					words, want = []string{"run", "--format", "=", "c"}, []string{"csv"}
				}
				if got := complete(t, words...); !slices.Equal(got, want) {
					t.Errorf("%q completes to %q, want %q", words, got, want)
				}
			})
			// What is on the line may be pasted: completing it must not run it.
			t.Run("nothing is run", func(t *testing.T) {
				t.Parallel()
				complete(t, "run", "$(touch "+s.path(shell)+")", "--form")
				if _, err := os.Stat(s.path(shell)); err == nil {
					t.Error("completing a line has run a part of it")
				}
			})
		})
	}
}

// TestCompletionIsAScript checks what the command prints and refuses.
func TestCompletionIsAScript(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	script := s.write("script", s.run("completion", "bash").want(t, 0).stdout)
	if out, err := exec.CommandContext(t.Context(), "bash", "-n", script).CombinedOutput(); err != nil {
		t.Errorf("bash -n: %v: %s", err, out)
	}
	wantComplaint(t, s.run("completion"), 2, "bash")
	wantComplaint(t, s.run("completion", "tcsh"), 2, "bash")
}
