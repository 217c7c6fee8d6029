package render

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
)

// WriteAccounts prints the states of accounts as a table or as JSON.
func WriteAccounts(w io.Writer, f Format, all []extraction.AccountState) error {
	switch f {
	case JSON:
		return WriteJSON(w, all)
	case NDJSON:
		for _, a := range all {
			if err := WriteJSON(w, a); err != nil {
				return err
			}
		}
		return nil
	case Table, CSV:
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows := [][]string{{"NAME", "PROVIDER", "STATE", "REASON", "SINCE", "NEXT PROBE", "QUEUED", "IN FLIGHT", "OLDEST QUEUED", "RATE", "USED", "LAST ERROR"}}
	for _, a := range all {
		rows = append(rows, accountRow(a))
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(t, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// accountRow is an account's line in the table. A dash stands for a missing value.
func accountRow(a extraction.AccountState) []string {
	moment := func(t extraction.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format(time.RFC3339)
	}
	word := func(s extraction.Null) string { return cmp.Or(Escape(string(s)), "-") }
	rate, trouble := "-", "-"
	if a.Rate != nil {
		rate = config.Rate(*a.Rate).String()
	}
	if a.LastError != nil {
		trouble = moment(a.LastError.At) + " " + Escape(string(a.LastError.Code)+": "+a.LastError.Message)
		if !a.LastError.OverAt.IsZero() {
			trouble += " (over since " + moment(a.LastError.OverAt) + ")"
		}
	}
	return []string{
		a.Name, word(a.Provider), a.State, word(a.Reason), moment(a.Since), moment(a.NextProbeAt),
		strconv.FormatInt(a.Queued, 10), strconv.FormatInt(a.InFlight, 10), moment(a.OldestQueuedAt),
		rate, strconv.FormatFloat(a.RateUsed, 'f', 1, 64) + "/s", trouble,
	}
}
