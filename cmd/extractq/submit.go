package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
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
	var urls, paths []string
	for _, arg := range c.Args().Slice() {
		if strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") {
			urls = append(urls, arg)
		} else {
			paths = append(paths, arg)
		}
	}
	docs, err := findDocuments(paths)
	if err != nil {
		return err
	}
	if len(docs.sources)+len(urls) == 0 {
		return usage("there is no document in what was named%s", docs.skippedText())
	}
	if skipped := docs.skippedText(); skipped != "" {
		cfg.say("%d documents%s", len(docs.sources), skipped)
	}
	svc, err := open(c.Context, cfg, false)
	if err != nil {
		return err
	}
	defer svc.Close()
	var accepted []extraction.Extraction
	failed := false
	one := func(name string, s tasks.Submission) error {
		e, err := enqueue(c, svc, want, s)
		var unreachable exitError
		switch {
		case err == nil:
			accepted = append(accepted, e)
			return nil
		case errors.As(err, &unreachable) && unreachable.code == exitUnavailable:
			return err
		}
		failed = true
		cfg.say("%s: %s: %s", visible(name), documentCode(err), plain(err))
		return nil
	}
	for _, u := range urls {
		s := want.template
		s.URL, s.Name = u, urlName(u)
		if err := one(u, s); err != nil {
			return err
		}
	}
	for _, d := range docs.sources {
		s := want.template
		s.Name = filepath.Base(d.path)
		f, err := os.Open(d.path)
		if err == nil {
			s.Document = f
			err = one(d.name, s)
			_ = f.Close()
		} else {
			failed = true
			cfg.say("%s: %s: %v", visible(d.name), extraction.CodeDocumentUnavailable, cause(err))
			err = nil
		}
		if err != nil {
			return err
		}
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
func enqueue(c *cli.Context, svc *services, want wanted, s tasks.Submission) (extraction.Extraction, error) {
	if err := want.check(s); err != nil {
		return extraction.Extraction{}, err
	}
	e, err := svc.client.Submit(c.Context, s)
	switch {
	case err == nil:
	case errors.Is(err, extraction.ErrInvalid), errors.Is(err, store.ErrTooLarge):
		return e, err
	default:
		return e, unavailable(err)
	}
	if c.Bool("wait") {
		return e, nil
	}
	if c.Bool("json") {
		return e, printJSON(c.App.Writer, e)
	}
	_, err = fmt.Fprintln(c.App.Writer, e.ID)
	return e, err
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
