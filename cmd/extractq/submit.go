package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

func submitCommand() *cli.Command {
	return &cli.Command{
		Name:      "submit",
		Usage:     "enqueue documents for the workers and print their ids",
		ArgsUsage: "DOCUMENT…",
		Description: `Every DOCUMENT is a file, a directory that is walked, or an http(s) URL for a
vendor that fetches documents itself. Once an id is printed, nothing is lost.

Examples:

   extractq submit --account acme --type tax_forms 1040.pdf
   extractq submit --account acme --type invoices --batch monday inbox/
   extractq watch --batch monday`,
		Flags: append(inputFlags(),
			&cli.BoolFlag{Name: "json", Usage: "print extractions in place of ids"},
			&cli.BoolFlag{Name: "wait", Usage: "wait until they are final, and print them"},
			&cli.StringFlag{Name: "format", Usage: "with --wait: table, json, ndjson or csv"},
			&cli.DurationFlag{Name: "timeout", Usage: "with --wait: stop waiting after `DURATION` with exit code 4"},
		),
		Action: func(c *cli.Context) error {
			cfg, err := load(c, slog.LevelWarn)
			if err != nil {
				return err
			}
			if !c.Bool("wait") && (c.IsSet("format") || c.IsSet("timeout")) {
				return usage("submit: --format and --timeout go with --wait")
			}
			if !c.Args().Present() {
				return usage("submit: name at least one document; see extractq submit --help")
			}
			want, err := readInputs(c, cfg)
			if err != nil {
				return err
			}
			return submitDocuments(c, cfg, want)
		},
	}
}

// submitDocuments enqueues what was named. A document that cannot be taken does
// not keep the others back.
func submitDocuments(c *cli.Context, cfg settings, want wanted) error {
	var urls []source
	paths := slices.DeleteFunc(c.Args().Slice(), func(arg string) bool {
		isURL := strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://")
		if isURL {
			urls = append(urls, source{path: arg, name: arg, url: true})
		}
		return isURL
	})
	docs, err := findDocuments(paths)
	if err != nil {
		return err
	}
	docs.sources = append(urls, docs.sources...)
	skipped := docs.skippedText()
	if len(docs.sources) == 0 {
		return usage("there is no document in what was named%s", skipped)
	}
	if skipped != "" {
		cfg.say("%d documents%s", len(docs.sources), skipped)
	}
	svc, err := open(c.Context, cfg, false)
	if err != nil {
		return err
	}
	defer svc.Close()
	var accepted []extraction.Extraction
	failed := false
	for _, d := range docs.sources {
		e, err := enqueue(c, cfg, svc, want, d)
		if stop, ok := errors.AsType[exitError](err); ok && stop.code == exitUnavailable {
			return err
		}
		if err != nil {
			failed = true
			cfg.say("%s: %s: %s", visible(d.name), documentCode(err), plain(err))
			continue
		}
		accepted = append(accepted, e)
	}
	if c.Bool("wait") {
		err = watchAll(c, cfg, svc, want.account.Name, accepted)
	}
	if err == nil && failed {
		err = exitError{exitFailed, errReported}
	}
	return err
}

// enqueue submits one document and prints its id.
func enqueue(c *cli.Context, cfg settings, svc *services, want wanted, d source) (extraction.Extraction, error) {
	s := want.template
	if d.url {
		s.URL, s.Name = d.path, urlName(d.path)
	} else {
		f, err := os.Open(d.path)
		if err != nil {
			return extraction.Extraction{}, cause(err)
		}
		defer func() { _ = f.Close() }()
		s.Document, s.Name = f, filepath.Base(d.path)
		want.warnSize(cfg, d.name, f)
	}
	if err := want.check(s); err != nil {
		return extraction.Extraction{}, err
	}
	e, err := svc.client.Submit(c.Context, s)
	switch {
	case errors.Is(err, extraction.ErrInvalid), errors.Is(err, store.ErrTooLarge):
		return e, err
	case err != nil:
		return e, unavailable(err)
	case c.Bool("wait"):
		return e, nil
	case c.Bool("json"):
		err = printJSON(c.App.Writer, e)
	default:
		_, err = fmt.Fprintln(c.App.Writer, e.ID)
	}
	if err != nil { // Nobody would learn of the others' ids either.
		return e, unavailable(fmt.Errorf("%s is accepted, but %w", e.ID, err))
	}
	return e, nil
}

// urlName is the document's name in a URL: the last part of its path.
func urlName(u string) string {
	u, _, _ = strings.Cut(u, "?")
	name := u[strings.LastIndexByte(u, '/')+1:]
	if name == "" {
		return "document"
	}
	return name
}
