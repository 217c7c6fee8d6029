package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/internal/errkind"
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
   extractq sandbox --processing-time lognormal:14s,0.54 --seed 7 --rate-limit 10
   extractq sandbox --processing-time '0.85*lognormal:8s,0.4+0.15*lognormal:60s,0.5'
   extractq sandbox --rules examples/rules.yaml --strict-types
   extractq sandbox --fault 'submit:drop-after=0.1' --fault '*:500=0.05' --seed 7
   extractq sandbox --failure-rate 0.1 --expire-rate 0.02 --clock-scale 60
   extractq sandbox --typless-webhook http://127.0.0.1:8080/v1/hooks/acme/token --webhook-loss 0.1
   extractq sandbox --upload-ttl 5s --content-type-check fail --drop-fetched
   extractq sandbox --quota 100 --api-key "$KEY"`,
		Flags: sandboxFlags(&latency),
		Action: func(c *cli.Context) error {
			log, err := newLogger(c.App.ErrWriter, c.String("log-level"), c.String("log-format"), slog.LevelInfo)
			if err != nil {
				return err
			}
			if c.Args().Present() {
				return errkind.Usagef("sandbox takes no arguments")
			}
			cfg, err := sandboxConfig(c, latency)
			if err != nil {
				return errkind.Usagef("sandbox: %w", err)
			}
			cfg.Logger = log
			listener, err := new(net.ListenConfig).Listen(c.Context, "tcp", c.String("listen"))
			if err != nil {
				return errkind.MarkUnavailable(fmt.Errorf("--listen: %w", err))
			}
			_, _ = fmt.Fprintf(c.App.ErrWriter, "sandbox: Sensible at http://%[1]s/sensible/v0, Typless at http://%[1]s/typless/api\n", listener.Addr())
			return sandbox.New(cfg).Serve(c.Context, listener)
		},
	}
}

func sandboxFlags(latency *sandbox.Latency) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "listen", Value: "127.0.0.1:8090", Usage: "`ADDR` to listen on"},
		&cli.StringFlag{Name: "public-url", Usage: "`URL` that upload URLs begin with (default: the host of the request)"},
		&cli.StringFlag{Name: "api-key", EnvVars: []string{"EXTRACTQ_SANDBOX_KEY"}, Usage: "the only `KEY` to accept (default: any)"},
		&cli.GenericFlag{Name: "processing-time", Value: latency, DefaultText: "0s", Usage: "how long documents take: `LAW`: a time, lognormal:MEDIAN,SIGMA, uniform:FROM,TO, exponential:MEAN, or a mixture"},
		&cli.Uint64Flag{Name: "seed", Usage: "`N` that makes a run repeatable"},
		&cli.Float64Flag{Name: "rate-limit", Usage: "calls per second (`N`) before 429 with Retry-After; 0 is no limit"},
		&cli.IntFlag{Name: "quota", Usage: "submissions a month (`N`) before 429 without Retry-After; 0 is no limit"},
		&cli.BoolFlag{Name: "quota-counts-calls", Usage: "let every call use up the quota, polls as well"},
		&cli.DurationFlag{Name: "upload-ttl", Value: 15 * time.Minute, Usage: "how long (`TIME`) a Sensible upload URL works"},
		&cli.StringFlag{Name: "second-upload", Value: string(sandbox.SecondUploadRefuse), Usage: "`HOW` an upload URL treats a second document: refuse or ignore"},
		&cli.StringFlag{Name: "content-type-check", Value: string(sandbox.ContentTypeStrict), Usage: "`HOW` an upload of another type than declared ends: strict (403), fail (FAILED) or off"},
		&cli.DurationFlag{Name: "expiry", Value: 48 * time.Hour, Usage: "how long (`TIME`) a Typless result can be fetched"},
		&cli.StringFlag{Name: "rules", Usage: "YAML `FILE` of regular expressions that turn text into fields, by document type"},
		&cli.BoolFlag{Name: "strict-types", Usage: "refuse document types that have no rules, as a vendor refuses types that are not configured"},
		&cli.StringSliceFlag{Name: "fault", Usage: "`OP:KIND=P`, repeatable: what happens to some calls; OP is submit, upload, poll, list or *, KIND is 429, 500, 502, drop-before, drop-after, truncated or slow[:TIME], P from 0 to 1"},
		&cli.Float64Flag{Name: "failure-rate", Usage: "share (`P`) of documents whose extraction fails"},
		&cli.Float64Flag{Name: "expire-rate", Usage: "share (`P`) of results that are gone as soon as they are there"},
		&cli.Float64Flag{Name: "clock-scale", Value: 1, Usage: "how many times (`N`) as fast the vendors' clock goes"},
		&cli.BoolFlag{Name: "drop-fetched", Usage: "take an extraction out of Typless's awaiting-poll when it is fetched"},
		&cli.IntFlag{Name: "max-extractions", Value: 200_000, Usage: "how many (`N`) extractions of a vendor are remembered"},
		&cli.StringFlag{Name: "typless-webhook", EnvVars: []string{"EXTRACTQ_SANDBOX_TYPLESS_WEBHOOK"}, Usage: "`URL` that Typless calls when an extraction ends"},
		&cli.Float64Flag{Name: "webhook-loss", Usage: "share (`P`) of webhooks that never come"},
		&cli.Float64Flag{Name: "webhook-duplicates", Usage: "share (`P`) of webhooks that come twice"},
	}
}

func sandboxConfig(c *cli.Context, latency sandbox.Latency) (sandbox.Config, error) {
	cfg := sandbox.Config{
		PublicURL: c.String("public-url"), APIKey: c.String("api-key"),
		ProcessingTime: latency, Seed: c.Uint64("seed"), RateLimit: c.Float64("rate-limit"),
		FailureRate: c.Float64("failure-rate"), ExpireRate: c.Float64("expire-rate"), ClockScale: c.Float64("clock-scale"),
		Quota: c.Int("quota"), QuotaCountsCalls: c.Bool("quota-counts-calls"),
		UploadTTL:        c.Duration("upload-ttl"),
		SecondUpload:     sandbox.SecondUpload(c.String("second-upload")),
		ContentTypeCheck: sandbox.ContentTypeCheck(c.String("content-type-check")),
		Expiry:           c.Duration("expiry"), DropFetched: c.Bool("drop-fetched"),
		MaxExtractions: c.Int("max-extractions"), StrictTypes: c.Bool("strict-types"),
		TyplessWebhook: c.String("typless-webhook"),
		WebhookLoss:    c.Float64("webhook-loss"), WebhookDuplicates: c.Float64("webhook-duplicates"),
	}
	var errs []error
	for _, s := range c.StringSlice("fault") {
		fault, err := sandbox.ParseFault(s)
		cfg.Faults, errs = append(cfg.Faults, fault), append(errs, err)
	}
	if name := c.String("rules"); name != "" {
		source, err := os.ReadFile(name)
		if err == nil {
			cfg.Rules, err = sandbox.ParseRulesYAML(name, source)
		}
		errs = append(errs, err)
	}
	return cfg, errors.Join(append(errs, cfg.Validate())...)
}
