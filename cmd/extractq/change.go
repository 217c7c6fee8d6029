package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backend"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/store"
)

// change is what cancel, retry, delete and redeliver do to extractions, which are named by
// their ids or chosen by a filter.
type change struct {
	// verb and done are "cancel" and "canceled".
	verb, done string
	open       app.OpenFunc
	// refuse says why an extraction is left as it is; nil where it is not.
	refuse func(context.Context, backend.Backend, extraction.Extraction) error
	// do changes one. It returns the id to print and what --json prints.
	do func(context.Context, backend.Backend, extraction.Extraction) (id string, shown any, err error)
	// gone reports that an unknown id is of an extraction that has been there and
	// needs nothing more; nil where an unknown id is an error.
	gone func(ctx context.Context, p backend.Backend, id string) (bool, error)
	// end is called once after all; may be nil.
	end func(context.Context, backend.Backend) error
	// refusals are the errors of do that concern one extraction, not the services.
	refusals []error
}

// changeFlags are those of every change.
func changeFlags() []cli.Flag {
	return append(filterFlags(),
		&cli.BoolFlag{Name: "dry-run", Usage: "print the ids of what would be changed, and change nothing"},
		&cli.BoolFlag{Name: "yes", Usage: "do not ask; required with a filter where there is no terminal"},
		&cli.BoolFlag{Name: "json", Usage: "print JSON objects in place of ids"},
	)
}

// isRefusal reports whether err is about one extraction, which is then left as it
// is, and not about the services.
func (ch change) isRefusal(err error) bool {
	if _, ok := errors.AsType[backend.Refusal](err); ok {
		return true
	}
	return slices.ContainsFunc(append(ch.refusals, store.ErrNotFound, store.ErrFinal),
		func(target error) bool { return errors.Is(err, target) })
}

// changer carries out a change.
type changer struct {
	change
	backend.Backend

	c     *cli.Context
	cfg   settings
	known []string // The accounts.
	// changed and skipped count.
	changed, skipped int
}

// run carries out the change for what the command line names.
func (ch change) run(c *cli.Context) (err error) {
	cfg, err := load(c, slog.LevelWarn)
	if err != nil {
		return err
	}
	if c.Args().Present() == isFiltered(c) {
		return errkind.Usagef("%s takes either ids or a filter such as --batch; see extractq %[1]s --help", ch.verb)
	}
	p, err := cfg.open(c.Context, ch.open)
	if err != nil {
		return err
	}
	defer p.Close()
	all, err := p.Accounts(c.Context)
	if err != nil {
		return err
	}
	x := &changer{change: ch, Backend: p, c: c, cfg: cfg, known: all}
	if ch.end != nil && !c.Bool("dry-run") {
		defer func() {
			// What was changed before an interruption is completed too.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context), 5*time.Second)
			defer cancel()
			if endErr := ch.end(ctx, p); err == nil {
				err = endErr
			}
		}()
	}
	if isFiltered(c) {
		return x.byFilter()
	}
	return x.byID()
}

// byID changes what the arguments name. An id that cannot be changed does not keep
// the others back.
func (x *changer) byID() error {
	failed := false
	for _, id := range x.c.Args().Slice() {
		e, ok, err := x.Find(x.c.Context, id)
		if err != nil {
			return err
		}
		if !ok {
			gone, err := false, error(nil)
			if x.gone != nil {
				gone, err = x.gone(x.c.Context, x.Backend, id)
			}
			if err != nil {
				return err
			}
			if gone {
				x.cfg.Say("%s is %s already", render.Escape(id), x.done)
			} else {
				failed = true
				x.cfg.Say("%s", backend.NoExtraction(id))
			}
			continue
		}
		refused, err := x.one(e)
		if err != nil {
			return err
		}
		if refused != nil {
			failed = true
			x.cfg.Say("%s is not %s: %s", id, x.done, strings.TrimPrefix(refused.Error(), x.verb+" "+id+": "))
		}
	}
	if failed {
		return errkind.New(errkind.Failed, errkind.ErrReported)
	}
	return nil
}

// byFilter changes what matches, after asking. It first counts, and then changes
// nothing that was accepted since.
func (x *changer) byFilter() error {
	f, err := readFilter(x.c, x.known)
	if err != nil {
		return err
	}
	matched := 0
	for e, err := range x.List(x.c.Context, f) {
		if err != nil {
			return err
		}
		if matched++; matched == 1 && (f.Until.IsZero() || f.Until.After(e.CreatedAt.Time)) {
			f.Until.Time = e.CreatedAt.Add(time.Millisecond)
		}
	}
	if matched == 0 {
		noneMatches(x.cfg)
		return nil
	}
	if err := x.confirm(matched); err != nil {
		return err
	}
	for e, err := range x.List(x.c.Context, f) {
		if err != nil {
			return x.partly(err)
		}
		refused, err := x.one(e)
		if err != nil {
			return x.partly(err)
		}
		if refused != nil {
			x.skipped++
		}
	}
	return x.partly(nil)
}

// partly says what a filter has come to, also where err ended it early.
func (x *changer) partly(err error) error {
	done := x.done
	if x.c.Bool("dry-run") {
		done = "would be " + done
	}
	skipped := ""
	if x.skipped > 0 {
		skipped = fmt.Sprintf(", %d left as they are", x.skipped)
	}
	x.cfg.Say("%s %s%s", render.Extractions(x.changed), done, skipped)
	return err
}

// one changes one extraction, and prints it. refused is why it is left as it is.
func (x *changer) one(e extraction.Extraction) (refused, err error) {
	ctx := x.c.Context
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	err = x.refuse(ctx, x.Backend, e)
	id, shown := e.ID, any(e)
	if err == nil && !x.c.Bool("dry-run") {
		id, shown, err = x.do(ctx, x.Backend, e)
	}
	switch {
	case err != nil && x.isRefusal(err):
		return err, nil
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && errkind.Of(err) != errkind.None:
		return nil, err
	case err != nil:
		return nil, errkind.MarkUnavailable(err)
	}
	x.changed++
	if x.c.Bool("json") {
		return nil, render.WriteJSON(x.cfg.Out, shown)
	}
	_, err = fmt.Fprintln(x.cfg.Out, id)
	return nil, err
}

// confirm asks whether all that matches is to be changed.
func (x *changer) confirm(matched int) error {
	if x.c.Bool("yes") || x.c.Bool("dry-run") {
		return nil
	}
	in, ok := x.c.App.Reader.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return errkind.Usagef("%s would concern %s: add --yes, or --dry-run to see them", x.verb, render.Extractions(matched))
	}
	_, _ = fmt.Fprintf(x.cfg.Err, "%s %s? [y/N] ", x.verb, render.Extractions(matched))
	answer, err := bufio.NewReader(documents.NewInterruptible(x.c.Context, in)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errkind.New(errkind.Failed, errors.New("nothing was changed"))
}
