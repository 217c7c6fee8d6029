package commandline

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/errkind"
)

// sampleApp records what its run command got.
func sampleApp(got *[]string) *cli.App {
	record := func(c *cli.Context) error {
		*got = []string{
			"config=" + c.String("config"), "type=" + c.String("type"),
			"metadata=" + strings.Join(c.StringSlice("metadata"), ";"), "args=" + strings.Join(c.Args().Slice(), ";"),
		}
		return nil
	}
	return &cli.App{
		Name:                      "extractq",
		DisableSliceFlagSeparator: true,
		Writer:                    &bytes.Buffer{},
		ErrWriter:                 &bytes.Buffer{},
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}},
			&cli.BoolFlag{Name: "verbose"},
		},
		Commands: []*cli.Command{
			{
				Name: "run", Aliases: []string{"r"}, Action: record,
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "type"},
					&cli.StringSliceFlag{Name: "metadata"},
					&cli.BoolFlag{Name: "json"},
					&cli.IntFlag{Name: "limit"},
				},
			},
			{
				Name: "accounts",
				Subcommands: []*cli.Command{
					{Name: "pause", Flags: []cli.Flag{&cli.StringFlag{Name: "reason"}}},
				},
			},
		},
	}
}

func TestPermute(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, want string }{
		"nothing":                   {"", ""},
		"in order":                  {"--config f run --type t a b", "--config f run --type t a b"},
		"flags last":                {"run a b --type t", "run --type t a b"},
		"flags between":             {"run a --json b --type t c", "run --json --type t a b c"},
		"global flag last":          {"run a --config f", "--config f run a"},
		"global alias behind":       {"run -c f a", "-c f run a"},
		"with equals sign":          {"run a --type=t --config=f", "--config=f run --type=t a"},
		"one dash":                  {"run a -type t", "run -type t a"},
		"bool takes no value":       {"run --json a", "run --json a"},
		"bool with a value":         {"run a --json=false", "run --json=false a"},
		"repeated":                  {"run a --metadata k=v,w b --metadata l=m", "run --metadata k=v,w --metadata l=m a b"},
		"double dash":               {"run a -- --type b", "run -- a --type b"},
		"double dash, flags before": {"run a --type t -- -b", "run --type t -- a -b"},
		"double dash is a value":    {"run --type -- a", "run --type -- a"},
		"stdin":                     {"run - --type t", "run --type t -"},
		"value is a dash":           {"run --type - a", "run --type - a"},
		"negative number":           {"run -5 --type t", "run --type t -- -5"},
		"negative number later":     {"run a -1.5 --json", "run --json a -1.5"},
		"negative value":            {"run --limit -5 a", "run --limit -5 a"},
		"value like a flag":         {"run a --type --json", "run --type --json a"},
		"unknown flag":              {"run a --what b", "run --what a b"},
		"unknown before command":    {"--what run a", "--what run a"},
		"command alias":             {"r a --json", "r --json a"},
		"subcommand":                {"accounts pause a --reason x --verbose", "--verbose accounts pause --reason x a"},
		"argument, then a name":     {"accounts a pause", "accounts a pause"},
		"unknown command":           {"what a --config f", "--config f what a"},
		"help at the end":           {"run a --help", "run --help"},
		"help at the front":         {"--help run", "--help run"},
		"version":                   {"run --version", "--version run"},
		"command named by argument": {"run run --json", "run --json run"},
		"at file":                   {"run @list --type t", "run --type t @list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := append([]string{"extractq"}, strings.Fields(tt.in)...)
			want := append([]string{"extractq"}, strings.Fields(tt.want)...)
			if diff := cmp.Diff(want, ordered(t, sampleApp(nil), in)); diff != "" {
				t.Errorf("permute (-want +got):\n%s", diff)
			}
		})
	}
}

// ordered is permute for a line without an error.
func ordered(t *testing.T, app *cli.App, args []string) []string {
	t.Helper()
	out, err := Permute(app, args)
	if err != nil {
		t.Fatalf("Permute(%q): %v", args, err)
	}
	return out
}

// A last flag that lacks its value takes no argument for it.
func TestPermuteValueMissing(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"run a b --type", "run --type", "run a --config", "--config"} {
		_, err := Permute(sampleApp(nil), append([]string{"extractq"}, strings.Fields(line)...))
		if errkind.Of(err) != errkind.Usage {
			t.Errorf("Permute(%q): error %v, want one of usage", line, err)
		}
	}
}

// The tests that run an app are not parallel: the library keeps settings of the
// app in package variables.

func TestPermutedLinesReachTheCommand(t *testing.T) {
	for in, want := range map[string][]string{
		"run a b --type t --config f --metadata x=1,2 --metadata y=3": {"config=f", "type=t", "metadata=x=1,2;y=3", "args=a;b"},
		"--config f run a -- --type b":                                {"config=f", "type=", "metadata=", "args=a;--type;b"},
		"run -5 - -7 --type t":                                        {"config=", "type=t", "metadata=", "args=-5;-;-7"},
	} {
		var got []string
		app := sampleApp(&got)
		args := ordered(t, app, append([]string{"extractq"}, strings.Fields(in)...))
		err := app.RunContext(t.Context(), args)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

func TestUnknownFlagIsNamed(t *testing.T) {
	app := sampleApp(nil)
	args := ordered(t, app, []string{"extractq", "run", "a", "--what"})
	err := app.RunContext(t.Context(), args)
	if err == nil || !strings.Contains(err.Error(), "-what") {
		t.Errorf("error = %v, want one that names -what", err)
	}
}
