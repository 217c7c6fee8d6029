package vendorjson

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// The members and elements of a value share its bytes: nothing is copied, however large it
// is. The text has been validated as a whole before.

// space is the number of white-space bytes at the start of b.
func space(b []byte) int {
	for i, c := range b {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return i
		}
	}
	return len(b)
}

// text is the length of the string at the start of b, 0 if it has no end.
func text(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// length is the length of the value at the start of b, 0 if there is none or it has no end.
func length(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"':
		return text(b)
	case '{', '[':
		depth := 0
		for i := 0; i < len(b); i++ {
			switch b[i] {
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			case '"':
				n := text(b[i:])
				if n == 0 {
					return 0
				}
				i += n - 1
			}
		}
		return 0
	}
	for i, c := range b {
		switch c {
		case ',', ']', '}', ':', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return len(b)
}

// cursor walks through the inside of an object or an array.
type cursor struct {
	rest []byte
	end  byte
	// first says that no comma precedes the next item; bad says that this is not JSON.
	first, bad bool
}

// inside returns a cursor for a value that begins with open and ends with end.
func inside(raw json.RawMessage, open, end byte) (cursor, bool) {
	raw = raw[space(raw):]
	if len(raw) == 0 || raw[0] != open {
		return cursor{}, false
	}
	return cursor{rest: raw[1:], end: end, first: true}, true
}

// more reports whether a member or an element follows at the cursor.
func (c *cursor) more() bool {
	c.rest = c.rest[space(c.rest):]
	switch {
	case len(c.rest) == 0:
		c.bad = true
		return false
	case c.rest[0] == c.end:
		c.bad = space(c.rest[1:]) != len(c.rest)-1
		return false
	case c.first:
		c.first = false
		return true
	case c.rest[0] != ',':
		c.bad = true
		return false
	}
	c.rest = c.rest[1+space(c.rest[1:]):]
	return true
}

// value takes the value at the cursor.
func (c *cursor) value() json.RawMessage {
	n := length(c.rest)
	if n == 0 {
		c.bad = true
		return nil
	}
	v := c.rest[:n:n]
	c.rest = c.rest[n:]
	return v
}

// name takes the name of a member and the colon after it.
func (c *cursor) name() string {
	raw := c.value()
	c.rest = c.rest[space(c.rest):]
	if c.bad || raw[0] != '"' || len(c.rest) == 0 || c.rest[0] != ':' {
		c.bad = true
		return ""
	}
	c.rest = c.rest[1:]
	c.rest = c.rest[space(c.rest):]
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	return Text(raw)
}

// Elements iterates over the elements of an array; anything else has none.
func Elements(raw json.RawMessage) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		c, ok := inside(raw, '[', ']')
		for ok && c.more() {
			v := c.value()
			if c.bad || !yield(v) {
				return
			}
		}
	}
}
