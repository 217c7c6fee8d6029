package vendorjson

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
)

// Scalar converts a vendor's value of the wanted type into a Value. What cannot be parsed
// stays a string; an object or an array becomes its JSON text. ok is false for null and the
// empty string: the vendor found nothing.
func Scalar(raw json.RawMessage, want extraction.ValueType) (v extraction.Value, ok bool) {
	v.Alternatives = []extraction.Value{}
	switch kind(raw) {
	case 0, 'n':
		return v, false
	case 't', 'f':
		v.Value, v.Type = kind(raw) == 't', extraction.TypeBoolean
		return v, true
	case '{', '[':
		var text bytes.Buffer
		if json.Compact(&text, raw) != nil {
			return v, false
		}
		v.Value, v.Type = text.String(), extraction.TypeString
		return v, true
	case '"':
		s := Text(raw)
		if s == "" {
			return v, false
		}
		v.Value, v.Type = typed(s, want)
		return v, true
	}
	v.Value, v.Type = json.Number(Text(raw)), extraction.TypeNumber
	return v, true
}

// typed reads a string as the wanted type.
func typed(s string, want extraction.ValueType) (any, extraction.ValueType) {
	switch want {
	case extraction.TypeNumber:
		if n, ok := Number(s); ok {
			return n, extraction.TypeNumber
		}
	case extraction.TypeDate:
		if d, ok := Date(s); ok {
			return d, extraction.TypeDate
		}
	case extraction.TypeBoolean:
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true":
			return true, extraction.TypeBoolean
		case "false":
			return false, extraction.TypeBoolean
		}
	case extraction.TypeString:
	}
	return s, extraction.TypeString
}

var (
	jsonNumber  = regexp.MustCompile(`^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$`)
	plainNumber = regexp.MustCompile(`^[+-]?(?:\d+\.?\d*|\.\d+)$`)
)

// Number parses a decimal number. A spelling that is valid JSON is kept, so that 1210.00
// keeps its cents. A number with thousands separators is not parsed: 1.234 means different
// numbers in different countries.
func Number(s string) (json.Number, bool) {
	s = strings.TrimSpace(s)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", false
	}
	switch {
	case jsonNumber.MatchString(s):
		return json.Number(s), true
	case plainNumber.MatchString(s):
		return json.Number(spell(s)), true
	}
	return "", false
}

// spell writes a plain number as JSON requires, without losing a digit.
func spell(s string) string {
	sign := ""
	if s[0] == '-' {
		sign = "-"
	}
	whole, fraction, _ := strings.Cut(strings.TrimLeft(s, "+-"), ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction == "" {
		return sign + whole
	}
	return sign + whole + "." + fraction
}

// Date parses YYYY-MM-DD, alone or followed by a time, and returns the day as written: a
// time zone does not shift it, because the date of a document has none.
func Date(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) < len(time.DateOnly) {
		return "", false
	}
	day, rest := s[:len(time.DateOnly)], s[len(time.DateOnly):]
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return "", false
	}
	if rest == "" {
		return day, true
	}
	for _, layout := range []string{"T15:04:05Z07:00", "T15:04:05", "T15:04", " 15:04:05", " 15:04"} {
		if _, err := time.Parse(layout, rest); err == nil {
			return day, true
		}
	}
	return "", false
}
