package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Errors here say what is wanted and never what was found: the value may be a
// secret that was put into the wrong place.

// Rate is a number of calls per second.
type Rate float64

// The slowest and the fastest Rate: an hour between calls is no queue any more,
// and one Redis does not hand out more than some ten thousand tokens a second.
const (
	minRate Rate = 1.0 / 3600
	maxRate Rate = 10_000
)

var (
	errRate     = errors.New(`want calls per time between "1/h" and "10000/s", such as "10/s", "1/2s" or "600/m"`)
	errBytes    = errors.New(`want a size such as "100MiB", "500kB" or "1048576"`)
	errDuration = errors.New(`want a duration such as "90s", "15m" or "168h"`)
)

var ratePattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) */ *([0-9.]*(?:ms|s|m|h))$`)

// ParseRate reads "10/s", "1/2s", "600/m", "0.5/s".
func ParseRate(s string) (Rate, error) {
	m := ratePattern.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, errRate
	}
	calls, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, errRate
	}
	unit := m[2]
	if unit[0] < '0' || unit[0] > '9' {
		unit = "1" + unit
	}
	per, err := time.ParseDuration(unit)
	if err != nil || per <= 0 {
		return 0, errRate
	}
	r := Rate(calls / per.Seconds())
	if r < minRate*0.999 || r > maxRate {
		return 0, errRate
	}
	return r, nil
}

// String gives the rate in the largest of the units /s, /m and /h in which it
// is at least one call, "10/s" or "30/m", so that ParseRate reads it again.
func (r Rate) String() string {
	n, unit := float64(r), "s"
	if n < 1 {
		n, unit = n*60, "m"
	}
	if n < 1 {
		n, unit = n*60, "h"
	}
	return strconv.FormatFloat(n, 'f', -1, 64) + "/" + unit
}

var bytesPattern = regexp.MustCompile(`^([0-9]+) *([A-Za-z]*)$`)

// ParseBytes reads a size: plain bytes, decimal units (kB, MB, GB) or binary
// ones (KiB, MiB, GiB).
func ParseBytes(s string) (int64, error) {
	m := bytesPattern.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, errBytes
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0, errBytes
	}
	var unit int64
	switch strings.ToLower(m[2]) {
	case "", "b":
		unit = 1
	case "kb":
		unit = 1e3
	case "mb":
		unit = 1e6
	case "gb":
		unit = 1e9
	case "kib":
		unit = 1 << 10
	case "mib":
		unit = 1 << 20
	case "gib":
		unit = 1 << 30
	default:
		return 0, errBytes
	}
	if n <= 0 || n > (1<<50)/unit {
		return 0, errBytes
	}
	return n * unit, nil
}

// text is any printable text; surrounding space is dropped.
func text(s string) (string, error) {
	s = strings.TrimSpace(s)
	if !printable(s) {
		return "", errors.New("has characters that cannot be printed")
	}
	return s, nil
}

// label is a customer: 1 to 128 printable characters.
func label(s string) (string, error) {
	if s == "" || utf8.RuneCountInString(s) > 128 || !printable(s) {
		return "", errors.New("want 1 to 128 printable characters")
	}
	return s, nil
}

// header is a secret that travels in an HTTP header: visible ASCII and spaces.
// Surrounding space is dropped, since files and copied keys often end with it.
func header(s string) (Secret, error) {
	s = strings.TrimSpace(s)
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return Secret{}, errors.New("has a character that no HTTP header can carry: only ASCII without line breaks")
		}
	}
	return NewSecret(s), nil
}

// password is a secret of any characters. A line break at its end is dropped, since files
// often end with one.
func password(s string) (Secret, error) {
	s = strings.TrimRight(s, "\r\n")
	if strings.ContainsAny(s, "\r\n\x00") {
		return Secret{}, errors.New("has a line break within it")
	}
	return NewSecret(s), nil
}

func boolean(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("want true or false")
}

// whole reads whole numbers in a range.
func whole(lowest, highest int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < lowest || n > highest {
			return 0, fmt.Errorf("want a whole number from %d to %d", lowest, highest)
		}
		return n, nil
	}
}

// duration reads durations in a range.
func duration(shortest, longest time.Duration) func(string) (time.Duration, error) {
	return func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, errDuration
		}
		if d < shortest || d > longest {
			return 0, fmt.Errorf("want a duration from %s to %s", brief(shortest), brief(longest))
		}
		return d, nil
	}
}

// oneOf reads one of a few words.
func oneOf[T ~string](words ...T) func(string) (T, error) {
	return func(s string) (T, error) {
		for _, w := range words {
			if s == string(w) {
				return w, nil
			}
		}
		return "", fmt.Errorf("want %s", orList(words))
	}
}

// brief is a duration without the zero units that String ends with: "1h", not
// "1h0m0s".
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// orList gives "a", "a or b", "a, b or c".
func orList[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
