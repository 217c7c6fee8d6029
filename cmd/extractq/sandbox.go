package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/sandbox"
)

func sandboxCommand() *cli.Command {
	latency := sandbox.Latency{}
	return &cli.Command{
		Name:  "sandbox",
		Usage: "a local server that speaks both vendors' APIs",
		Description: `Sensible's API is under /sensible/v0, Typless's under /typless/api. It reads
the real document, so that a client can be tried without an account or a bill.

Examples:

   extractq sandbox
   extractq sandbox --listen 127.0.0.1:9000 --processing-time 2s
   extractq sandbox --processing-time lognormal:14s,0.54 --seed 7 --rate-limit 10`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8090", Usage: "`ADDR` to listen on"},
			&cli.GenericFlag{Name: "processing-time", Value: &latency, DefaultText: "0s", Usage: "how long documents take: `TIME`, or lognormal:MEDIAN,SIGMA"},
			&cli.Uint64Flag{Name: "seed", Usage: "`N` that makes processing times repeatable"},
			&cli.Float64Flag{Name: "rate-limit", Usage: "calls per second (`N`) before 429; 0 is no limit"},
			&cli.StringFlag{Name: "api-key", EnvVars: []string{"EXTRACTQ_SANDBOX_KEY"}, Usage: "the only `KEY` to accept (default: any)"},
			&cli.StringFlag{Name: "public-url", Usage: "`URL` that upload URLs begin with (default: the host of the request)"},
		},
		Action: func(c *cli.Context) error {
			log, err := newLogger(c.App.ErrWriter, c.String("log-level"), c.String("log-format"), slog.LevelInfo)
			if err != nil {
				return err
			}
			if c.Args().Present() {
				return usage("sandbox takes no arguments")
			}
			listener, err := new(net.ListenConfig).Listen(c.Context, "tcp", c.String("listen"))
			if err != nil {
				return unavailable(fmt.Errorf("--listen: %w", err))
			}
			_, _ = fmt.Fprintf(c.App.ErrWriter, "sandbox: Sensible at http://%[1]s/sensible/v0, Typless at http://%[1]s/typless/api\n", listener.Addr())
			return sandbox.New(sandbox.Config{
				ProcessingTime: latency, Seed: c.Uint64("seed"), RateLimit: c.Float64("rate-limit"),
				APIKey: c.String("api-key"), PublicURL: c.String("public-url"), Logger: log,
			}).Serve(c.Context, listener)
		},
	}
}

// startSandbox runs a sandbox in this process on a free port and returns where
// it is.
func startSandbox(ctx context.Context) (base string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start sandbox: %w", err)
	}
	// It outlives ctx: what runs when the signal comes is still saved.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	box := sandbox.New(sandbox.Config{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = box.Serve(ctx, listener) })
	return "http://" + listener.Addr().String(), func() { cancel(); wg.Wait() }, nil
}
