// Command extractq takes documents through vendors' asynchronous extraction
// APIs: durably, inside the vendor's limits, with as few requests and as little
// delay as can be had.
//
// Each command is a file of its own. It parses flags, calls one package below internal, prints,
// and turns an error into an exit code.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/commandline"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
)

// version may be set at build time. Where it is not, it is the one that the Go command
// recorded.
var version = recordedVersion()

func recordedVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

func main() {
	os.Exit(program(os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// program is the whole program: it returns the exit code.
func program(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := withSignals()
	defer stop()
	// A reader that goes away is an error of the write, not the end of the
	// process: what is running is still saved.
	signal.Ignore(syscall.SIGPIPE)
	app := newApp(stdin, stdout, stderr)
	if len(args) > 1 && args[1] == commandline.CompleteWord {
		return report(stderr, commandline.WriteCandidates(app.Writer, commandline.Candidates(app, args[2:], completions)))
	}
	args, err := commandline.Permute(app, args)
	if err == nil {
		err = interrupted(ctx, app.RunContext(ctx, args))
	}
	return report(stderr, err)
}

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnavailable = 3
	exitTimeout     = 4
	exitHangup      = 129
	exitInterrupted = 130
	exitPipe        = 141
	exitTerminated  = 143
)

// report writes the error as one clear line and returns the exit code.
func report(stderr io.Writer, err error) int {
	code := exitCode(err)
	if err == nil || code == exitPipe || errors.Is(err, errkind.ErrReported) {
		return code
	}
	lines := strings.SplitSeq("extractq: "+err.Error(), "\n") // A configuration file may have several problems.
	for line := range lines {
		_, _ = fmt.Fprintln(stderr, render.Escape(line))
	}
	return code
}

// exitCode is the one place that turns an error into the code the process ends with.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if out, ok := errors.AsType[render.OutputError](err); ok {
		if errors.Is(out, syscall.EPIPE) {
			return exitPipe // The reader has gone; a shell reports it the same way.
		}
		return exitUnavailable
	}
	switch errkind.Of(err) {
	case errkind.Usage:
		return exitUsage
	case errkind.Unavailable:
		return exitUnavailable
	case errkind.Timeout:
		return exitTimeout
	case errkind.Failed:
		return exitFailed
	case errkind.None:
	}
	if s, ok := errors.AsType[signaled](err); ok {
		return s.code()
	}
	return exitFailed
}

// newApp is the command line. It prints nothing but help.
func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:    "extractq",
		Usage:   "take documents through vendors' asynchronous extraction APIs",
		Version: version,
		Description: `Try it without any account:

   extractq run --provider sandbox --type tax_forms examples/

Every flag may stand before or after the arguments; -- ends the flags.`,
		Flags:                     append(globalFlags(), helpFlag()),
		Reader:                    stdin,
		Writer:                    render.NewOutput(stdout),
		ErrWriter:                 stderr,
		DisableSliceFlagSeparator: true,
		HideHelpCommand:           true,
		// main alone prints errors and ends the process.
		ExitErrHandler: func(*cli.Context, error) {},
		Commands: []*cli.Command{
			runCommand(), upCommand(), workerCommand(), apiCommand(), schedulerCommand(), dashboardCommand(),
			submitCommand(), adoptCommand(), statusCommand(), resultCommand(), listCommand(), watchCommand(),
			cancelCommand(), retryCommand(), deleteCommand(), redeliverCommand(), recoverCommand(), accountsCommand(), sandboxCommand(),
			doctorCommand(), benchCommand(), completionCommand(), helpCommand(), versionCommand(),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return commandline.UnknownCommand(c.App.Commands, c.Args().First(), "")
			}
			return cli.ShowAppHelp(c)
		},
	}
	commandline.NameMistakes(app)
	refuseServer(app.Commands)
	return app
}
