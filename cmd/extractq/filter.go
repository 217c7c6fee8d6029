package main

import (
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
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

// readFilter reads the filter flags; all are the accounts there are.
func readFilter(c *cli.Context, all []string) (extraction.Filter, error) {
	for _, name := range filterNames() {
		// As from a variable that is not set: it would choose everything.
		if c.IsSet(name) && strings.TrimSpace(c.String(name)) == "" {
			return extraction.Filter{}, errkind.Usagef("--%s is empty; leave it out to choose whatever it is", name)
		}
	}
	f := extraction.Filter{
		Customer: c.String("customer"), Batch: c.String("batch"), Type: c.String("type"),
		Error: extraction.Code(c.String("error")),
	}
	for _, name := range c.StringSlice("account") {
		if !slices.Contains(all, name) {
			return f, errkind.Usagef("--account: no account is called %q: the accounts are %s", name, strings.Join(all, ", "))
		}
		f.Account = append(f.Account, name)
	}
	slices.Sort(f.Account)
	f.Account = slices.Compact(f.Account)
	for _, text := range c.StringSlice("status") {
		status := extraction.Status(strings.ToUpper(text))
		if !slices.Contains(statuses, status) {
			return f, errkind.Usagef("--status: %q is none of %s", text, strings.Join(texts(statuses), ", "))
		}
		f.Status = append(f.Status, status)
	}
	var err error
	now := time.Now()
	if f.Since.Time, err = parseMoment("since", c.String("since"), now); err != nil {
		return f, err
	}
	f.Until.Time, err = parseMoment("until", c.String("until"), now)
	return f, err
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
