package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report for a reader.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.title() + "\n")
	fmt.Fprintf(&b, "J = requests × %g s + mean delay. The least that polls can come to, J*, is %.2f s.\n\n", r.Price, r.Best)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := []string{"requests", "delay: mean", "p50", "p95", "p99", "J", "J/J*", "429", "lost", "submits/s"}
	if r.Rate > 0 {
		head = append(head, "of what is left")
	}
	width := 0
	for _, o := range r.Policies {
		width = max(width, len(o.Policy))
	}
	line := func(name string, cells []string) {
		_, _ = fmt.Fprintf(t, "%-*s\t%s\t\n", width, name, strings.Join(cells, "\t"))
	}
	line("", head)
	for _, o := range r.Policies {
		cells := []string{
			fmt.Sprintf("%.2f", o.Each), fmt.Sprintf("%.2f s", o.Delay.Mean), fmt.Sprintf("%.2f s", o.Delay.P50),
			fmt.Sprintf("%.2f s", o.Delay.P95), fmt.Sprintf("%.2f s", o.Delay.P99),
			fmt.Sprintf("%.2f", o.J), fmt.Sprintf("%.3f", o.Ratio),
			fmt.Sprint(o.Refused), fmt.Sprint(o.Lost), fmt.Sprintf("%.1f", o.Throughput),
		}
		if o.Succeeded == 0 {
			for i := range 7 {
				cells[i] = "–"
			}
		}
		if r.Rate > 0 {
			share := "–"
			if o.Share > 0 {
				share = fmt.Sprintf("%.0f %%", 100*o.Share)
			}
			cells = append(cells, share)
		}
		line(o.Policy, cells)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// title says what was carried.
func (r Report) title() string {
	mode := "in virtual time"
	if r.Mode != "replay" {
		mode = "over HTTP"
	}
	parts := []string{fmt.Sprintf("%d documents %s, each taking %s", r.Documents, mode, r.Law)}
	if r.Arrive > 0 {
		parts = append(parts, fmt.Sprintf("%g arriving a second", r.Arrive))
	}
	if r.WarmUp > 0 {
		parts = append(parts, fmt.Sprintf("after %d to learn from", r.WarmUp))
	}
	if r.Rate > 0 {
		parts = append(parts, fmt.Sprintf("at %g calls a second", r.Rate))
	}
	if r.Webhooks > 0 {
		parts = append(parts, fmt.Sprintf("%g %% of the webhooks arriving", 100*r.Webhooks))
	}
	if r.Intervals {
		parts = append(parts, "ends not told exactly")
	}
	return strings.Join(append(parts, fmt.Sprintf("seed %d", r.Seed)), ", ") + "."
}
