package render

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/extractq/extractq/extraction"
)

// table prints extractions as a table of a view.
func table(t *testing.T, v View, screen Screen, all []extraction.Extraction) string {
	t.Helper()
	var b strings.Builder
	p := NewPrinter(&b, Table, v, screen)
	if l, ok := p.(*listTable); ok {
		l.now = time.UnixMilli(1_767_225_600_000)
	}
	for _, e := range all {
		if err := p.Print(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func created(all []extraction.Extraction, ages ...time.Duration) []extraction.Extraction {
	for i := range all {
		all[i].CreatedAt = extraction.Time{Time: time.UnixMilli(1_767_225_600_000).Add(-ages[i%len(ages)])}
	}
	return all
}

func TestListTable(t *testing.T) {
	t.Parallel()
	want := `ID                          NAME                             STATUS   AGE  ERROR
01J0000000000000000000000A  a.pdf                            SUCCESS  8s
01J0000000000000000000000B  evil\x1b[2J\u009b\u202e\x0a.pdf  ERROR    47h  vendor_rejected
`
	all := created(sampleExtractions(), 8*time.Second, 47*time.Hour)
	if diff := cmp.Diff(want, table(t, List, Screen{}, all)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if got := table(t, List, Screen{}, nil); got != "" {
		t.Errorf("table of nothing = %q, want nothing", got)
	}
}

// TestListTableShowsWhatVaries has a column for labels that differ, and none for one that all
// share.
func TestListTableShowsWhatVaries(t *testing.T) {
	t.Parallel()
	all := created(sampleExtractions(), time.Minute)
	all[0].Account, all[0].Type, all[0].Batch = "beta", "invoices", "monday"
	all[1].Type, all[1].Batch = "invoices", "monday"
	head, _, _ := strings.Cut(table(t, List, Screen{}, all), "\n")
	if got := strings.Fields(head); !cmp.Equal(got, []string{"ID", "NAME", "STATUS", "AGE", "ERROR", "ACCOUNT"}) {
		t.Errorf("columns %q", got)
	}
}

// TestTablesFit cuts names and fields, so that no row wraps on a terminal.
func TestTablesFit(t *testing.T) {
	t.Parallel()
	all := created(sampleExtractions(), time.Minute)
	for i := range heldRows + 10 {
		e := all[i%2]
		e.Account, e.Batch = fmt.Sprint("account-", i%7), extraction.Null(fmt.Sprint("batch-of-the-day-", i))
		e.Document.Name = fmt.Sprintf("発注書/%s-%d.pdf", strings.Repeat("long", 30), i)
		all = append(all, e)
	}
	for _, v := range []View{List, Results} {
		for _, width := range []int{80, 120} {
			printed := table(t, v, Screen{Width: width}, all)
			if n := strings.Count(printed, "\n"); n != len(all)+1 {
				t.Errorf("%d lines for %d extractions", n, len(all))
			}
			for line := range strings.Lines(printed) {
				if got := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); got > width {
					t.Fatalf("a line takes %d columns of %d: %s", got, width, line)
				}
			}
		}
	}
}

func TestFieldTable(t *testing.T) {
	t.Parallel()
	all := sampleExtractions()
	all[0].Result.Fields["text"] = []extraction.Value{{Value: strings.Repeat("all of it\n", 100)}}
	want := `NAME                      STATUS     FIELDS
a.pdf                     SUCCESS    payer A, B & "C", total 12.50, text all of it all of it all of it all of it all of it all of it all of it all of it…
evil\x1b[2J\u009b\u202e…  ERROR      vendor_rejected: no
`
	if diff := cmp.Diff(want, table(t, Results, Screen{}, all)); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// TestColors are around the status alone.
func TestColors(t *testing.T) {
	t.Parallel()
	all := created(sampleExtractions(), time.Minute)
	for _, v := range []View{List, Results} {
		got := table(t, v, Screen{Width: 100, Colors: true}, all)
		if !strings.Contains(got, "\x1b[32mSUCCESS") || !strings.Contains(got, "\x1b[31mERROR") {
			t.Errorf("no colors: %q", got)
		}
		plain := strings.NewReplacer("\x1b[32m", "", "\x1b[31m", "", "\x1b[0m", "").Replace(got)
		if want := table(t, v, Screen{Width: 100}, all); plain != want {
			t.Errorf("colors change more than the color: %q, want %q", plain, want)
		}
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 59 * time.Second: "59s", time.Minute: "1m", 90 * time.Minute: "1h", 47 * time.Hour: "47h", 72 * time.Hour: "3d",
	} {
		if got := age(d); got != want {
			t.Errorf("age(%v) = %s, want %s", d, got, want)
		}
	}
}

// TestTableOfABrokenPipe says what the writer said.
func TestTableOfABrokenPipe(t *testing.T) {
	t.Parallel()
	for _, v := range []View{List, Results} {
		p := NewPrinter(brokenPipe{}, Table, v, Screen{})
		if err := errors.Join(p.Print(sampleExtractions()[0]), p.Close()); err == nil {
			t.Errorf("view %d hides a failed write", v)
		}
	}
}
