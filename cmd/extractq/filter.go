package main

import (
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/store"
)

// filterFlags choose extractions by what they are.
func filterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "account", Usage: "only those of account `NAME` (repeatable)"},
		&cli.StringFlag{Name: "customer", Usage: "only those of tenant `LABEL`"},
		&cli.StringFlag{Name: "batch", Usage: "only those of batch `LABEL`"},
		&cli.StringSliceFlag{Name: "status", Usage: "only those that are `STATUS`, such as ERROR (repeatable)"},
		&cli.StringFlag{Name: "error", Usage: "only those that ended with error `CODE`"},
		&cli.StringFlag{Name: "type", Usage: "only those of document `TYPE`"},
		&cli.StringFlag{Name: "since", Usage: "only those accepted from `TIME` on: 2026-05-17, 2026-05-17T08:00:00Z, or 24h for a day ago"},
		&cli.StringFlag{Name: "until", Usage: "only those accepted before `TIME`"},
	}
}

// filterNames are the flags of filterFlags.
func filterNames() []string {
	var out []string
	for _, f := range filterFlags() {
		out = append(out, f.Names()...)
	}
	return out
}

// isFiltered reports whether any filter flag is given.
func isFiltered(c *cli.Context) bool { return slices.ContainsFunc(filterNames(), c.IsSet) }

// selection is what the filter flags choose.
type selection struct {
	accounts []string
	// named are those of the accounts that were named; none means all.
	named  []string
	filter store.Filter
}

// readFilter reads the filter flags; all are the accounts there are.
func readFilter(c *cli.Context, all []string) (selection, error) {
	for _, name := range filterNames() {
		// As from a variable that is not set: it would choose everything.
		if c.IsSet(name) && strings.TrimSpace(c.String(name)) == "" {
			return selection{}, errkind.Usagef("--%s is empty; leave it out to choose whatever it is", name)
		}
	}
	s := selection{accounts: all, filter: store.Filter{
		Customer: c.String("customer"), Batch: c.String("batch"), Type: c.String("type"),
		Error: extraction.Code(c.String("error")),
	}}
	if only := c.StringSlice("account"); len(only) > 0 {
		for _, name := range only {
			if !slices.Contains(all, name) {
				return s, errkind.Usagef("--account: no account is called %q: the accounts are %s", name, strings.Join(all, ", "))
			}
		}
		slices.Sort(only)
		s.named = slices.Compact(only)
		s.accounts = s.named
	}
	for _, text := range c.StringSlice("status") {
		status := extraction.Status(strings.ToUpper(text))
		if !slices.Contains(statuses, status) {
			return s, errkind.Usagef("--status: %q is none of %s", text, strings.Join(texts(statuses), ", "))
		}
		s.filter.Statuses = append(s.filter.Statuses, status)
	}
	var err error
	now := time.Now()
	if s.filter.Since, err = parseMoment("since", c.String("since"), now); err != nil {
		return s, err
	}
	s.filter.Until, err = parseMoment("until", c.String("until"), now)
	return s, err
}

var statuses = extraction.Statuses()

func texts[S ~string](all []S) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = string(s)
	}
	return out
}

// parseMoment reads a time, a day, or how long ago.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil && !t.IsZero() {
			return t, nil
		}
	}
	return time.Time{}, errkind.Usagef("--%s: %q is no time such as 2026-05-17 or 2026-05-17T08:00:00Z, and no duration such as 24h", flag, text)
}

// noneMatches is said where a filter chooses nothing.
func noneMatches(cfg settings) { cfg.Say("no extraction matches") }
