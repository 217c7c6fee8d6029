package main

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/internal/bench"
	"github.com/extractq/extractq/internal/bench/live"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
	"github.com/extractq/extractq/sandbox"
)

// The documents that are measured where no flag says how many.
const (
	httpDocuments   = 200
	replayDocuments = 100_000
	benchWarmUp     = 200
)

func benchCommand() *cli.Command {
	// Of a hundred documents of this vendor fifty take 14 s, and five 34 s.
	law := sandbox.LogNormal(14*time.Second, 0.54)
	return &cli.Command{
		Name:  "bench",
		Usage: "measure requests and delays, side by side with other ways to ask",
		Description: `How many requests an extraction takes and how late its end is known: by the
learned schedule, by a question every five seconds (the vendors' own SDKs), by
exponential back-off, and by a client that knows the end beforehand.

In real time and over HTTP: a sandbox in this process stands for the vendor and counts
the calls, worker, scheduler and API run as in extractq up, with a Redis of their own,
or with --redis in one that is empty. It takes as long as the documents do.

With --replay in virtual time: nothing is sent, and the same flags print the same
report. --warm-up documents are learned from before those that are measured.

Examples:

   extractq bench --documents 20 --warm-up 10 --law lognormal:1s,0.5
   extractq bench --documents 20 --warm-up 0 --law fixed:1s --rate 20/s --format json
   extractq bench --documents 20 --warm-up 5 --law fixed:1s --provider typless --sweep auto --webhooks 0.9
   extractq bench --replay --svg bench.svg
   extractq bench --replay --documents 200 --law lognormal:14s,0.54 --seed 7
   extractq bench --replay --law '0.85*lognormal:8s,0.4+0.15*lognormal:60s,0.5' --arrive 30/s --documents 20000
   extractq bench --replay --law uniform:0s,60s --provider typless --poll-price 3s
   extractq bench --replay --documents 200 --rate 10/s --max-in-flight 0
   extractq bench --replay --documents 5000 --arrive 20/s --sweep auto --webhooks 0.95 --format json`,
		Flags: benchFlags(&law),
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return errkind.Usagef("bench takes no arguments")
			}
			cfg, err := benchConfig(c, law)
			if err != nil {
				return err
			}
			print, err := benchPrinter(c)
			if err != nil {
				return err
			}
			svg, err := bench.NewPicture(c.String("svg"))
			if err != nil {
				return err
			}
			defer svg.Close()
			report, err := runBench(c, cfg)
			if err != nil {
				return err
			}
			if err := errors.Join(print(report), svg.Draw(report)); err != nil {
				return err
			}
			if lost := report.Policies[0].Lost; lost > 0 {
				return errkind.New(errkind.Failed, fmt.Errorf("bench: %d documents did not end with SUCCESS", lost))
			}
			return nil
		},
	}
}

// runBench is the one mode or the other.
func runBench(c *cli.Context, cfg bench.Config) (bench.Report, error) {
	if c.Bool("replay") {
		return bench.Replay(cfg)
	}
	s, err := load(c, slog.LevelWarn)
	if err != nil {
		return bench.Report{}, err
	}
	b := live.Bench{Process: s.Process, Want: cfg, Provider: c.String("provider"), Say: s.Say}
	return b.Run(c.Context)
}

func benchFlags(law *sandbox.Latency) []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "replay", Usage: "simulate in virtual time"},
		&cli.IntFlag{Name: "documents", DefaultText: fmt.Sprintf("%d, with --replay %d", httpDocuments, replayDocuments), Usage: "how many (`N`) documents are measured"},
		&cli.IntFlag{Name: "warm-up", Value: benchWarmUp, Usage: "how many (`N`) others are learned from before"},
		&cli.GenericFlag{Name: "law", Value: law, DefaultText: law.String(), Usage: "how long documents take, as --processing-time of the sandbox: `LAW`"},
		&cli.StringFlag{Name: "arrive", Usage: "how fast documents come, as in `50/s` (default: all at once)"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "`N` that makes other times by the same law"},
		&cli.StringFlag{Name: "provider", Value: sensible.Name, Usage: "`PROVIDER` whose habits count: sensible says when it finished, typless does not"},
		&cli.DurationFlag{Name: "poll-price", Value: time.Second, Usage: "how much delay (`TIME`) one request is worth"},
		&cli.IntFlag{Name: "max-in-flight", Value: 500, Usage: "how many (`N`) documents may be at the vendor at once; 0 is no limit"},
		&cli.StringFlag{Name: "rate", Usage: "calls the vendor answers, as in `10/s`, before it says 429 (default: any number)"},
		&cli.Float64Flag{Name: "webhooks", Usage: "share (`P`) of the ends that a webhook tells of at once; 0 is no webhooks"},
		&cli.StringFlag{Name: "sweep", Value: string(config.SweepOff), Usage: "`HOW` ready lists are used: auto measures the schedule with them, too; off"},
		&cli.StringFlag{Name: "svg", Usage: "draw the delays and the requests into `FILE`"},
		&cli.StringFlag{Name: "format", Value: string(render.Table), Usage: "table or json"},
	}
}

// benchConfig is what the flags ask for.
func benchConfig(c *cli.Context, law sandbox.Latency) (bench.Config, error) {
	cfg := bench.Config{
		Law: law, Documents: c.Int("documents"), WarmUp: c.Int("warm-up"), Seed: c.Uint64("seed"),
		Price: c.Duration("poll-price"), MaxInFlight: c.Int("max-in-flight"), Webhooks: c.Float64("webhooks"),
	}
	switch {
	case c.IsSet("documents"):
	case c.Bool("replay"):
		cfg.Documents = replayDocuments
	default:
		cfg.Documents = httpDocuments
	}
	switch config.Sweep(c.String("sweep")) {
	case config.SweepOff:
	case config.SweepAuto:
		cfg.Lists = true
	default:
		return cfg, errkind.Usagef("--sweep: want auto or off")
	}
	if cfg.Price <= 0 {
		return cfg, errkind.Usagef("--poll-price: want a time above 0")
	}
	switch c.String("provider") {
	case sensible.Name:
	case typless.Name:
		cfg.Intervals = true
	default:
		return cfg, errkind.Usagef("--provider: unknown provider %q: want %s or %s", c.String("provider"), sensible.Name, typless.Name)
	}
	for name, to := range map[string]*float64{"arrive": &cfg.Arrive, "rate": &cfg.Rate} {
		if text := c.String(name); text != "" {
			r, err := config.ParseRate(text)
			if err != nil {
				return cfg, errkind.Usagef("--%s: %w", name, err)
			}
			*to = float64(r)
		}
	}
	if err := cfg.Validate(); err != nil {
		return cfg, errkind.Usagef("bench: %w", err)
	}
	return cfg, nil
}

// benchPrinter is how the report is printed.
func benchPrinter(c *cli.Context) (func(bench.Report) error, error) {
	switch render.Format(c.String("format")) {
	case render.Table:
		return func(r bench.Report) error { return r.WriteText(c.App.Writer) }, nil
	case render.JSON:
		return func(r bench.Report) error { return r.WriteJSON(c.App.Writer) }, nil
	case render.NDJSON, render.CSV:
	}
	return nil, errkind.Usagef("--format: want table or json")
}
