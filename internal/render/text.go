package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
)

// FailureText is a failure in one line: what happened, what the vendor said about it, and
// what to do if that is known.
func FailureText(f *extraction.Failure) string {
	text := f.Message
	said := extraction.Said(f.Details["vendor"])
	if said != "" && !strings.Contains(text, said) {
		text += ": " + said
	}
	if strings.Contains(strings.ToLower(said), "password") {
		text += "; remove the password and submit it again"
	}
	return text
}

// Rate gives "120/s", "3.1/s", "12/min".
func Rate(perSecond float64) string {
	switch {
	case perSecond >= 10:
		return fmt.Sprintf("%.0f/s", perSecond)
	case perSecond >= 1:
		return fmt.Sprintf("%.1f/s", perSecond)
	case perSecond*60 >= 10:
		return fmt.Sprintf("%.0f/min", perSecond*60)
	}
	return fmt.Sprintf("%.1f/min", perSecond*60)
}

// Duration shortens a duration to the two units that matter: "800ms", "34s", "5m10s",
// "2h15m".
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// Size is a number of bytes in the unit that fits.
func Size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	size, unit := float64(n)/1000, 0
	for size >= 999.95 && unit < 3 {
		size, unit = size/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", size, "kMGT"[unit])
}

// OneLine is an error in one line, without the words that only mark it as invalid input.
func OneLine(err error) string {
	s := strings.ReplaceAll(err.Error(), extraction.ErrInvalid.Error()+": ", "")
	return strings.ReplaceAll(s, "\n", "; ")
}

// Extractions is a number of extractions.
func Extractions(n int) string {
	if n == 1 {
		return "1 extraction"
	}
	return fmt.Sprintf("%d extractions", n)
}
