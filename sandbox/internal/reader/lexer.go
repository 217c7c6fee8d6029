package reader

import (
	"strconv"
)

// A content stream and a character map are sequences of operands and operators
// (ISO 32000-1, 7.8.2). Operands are float64, nameToken, []byte (a string),
// []any (an array) and nil (anything that text does not depend on).
type (
	nameToken     string
	operatorToken string
)

// closing ends an array or a dictionary.
type closing byte

// maxNesting bounds arrays within arrays.
const maxNesting = 16

// maxOperands is how many operands are kept for an operator; no operator has
// more than a handful, and what comes before the last is garbage.
const maxOperands = 1 << 16

type lexer struct {
	data []byte
	pos  int
}

// next is the next token; false at the end.
func (l *lexer) next() (any, bool) { return l.token(0) }

func (l *lexer) token(depth int) (any, bool) {
	l.skipSpace()
	if l.pos >= len(l.data) {
		return nil, false
	}
	c := l.data[l.pos]
	switch c {
	case '/':
		l.pos++
		return nameToken(l.nameText()), true
	case '(':
		l.pos++
		return l.literal(), true
	case '<':
		if l.peek(1) == '<' {
			l.pos += 2
			l.list('>', depth)
			return nil, true
		}
		l.pos++
		return l.hex(), true
	case '>':
		l.pos++
		if l.peek(0) == '>' {
			l.pos++
		}
		return closing('>'), true
	case '[':
		l.pos++
		return l.list(']', depth), true
	case ']', ')', '{', '}':
		l.pos++
		return closing(c), true
	}
	return l.word(), true
}

// list reads up to the closing delimiter. Deeper than maxNesting everything up
// to the end is skipped flat.
func (l *lexer) list(end closing, depth int) []any {
	items := []any{}
	for {
		if depth >= maxNesting {
			l.pos = len(l.data)
			return items
		}
		t, ok := l.token(depth + 1)
		if !ok || t == end {
			return items
		}
		if _, stray := t.(closing); !stray && len(items) < maxOperands {
			items = append(items, t)
		}
	}
}

func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.data) {
		return l.data[l.pos+n]
	}
	return 0
}

func (l *lexer) skipSpace() {
	for l.pos < len(l.data) {
		switch c := l.data[l.pos]; {
		case isSpace(c):
			l.pos++
		case c == '%':
			for l.pos < len(l.data) && l.data[l.pos] != '\n' && l.data[l.pos] != '\r' {
				l.pos++
			}
		default:
			return
		}
	}
}

func (l *lexer) regular() []byte {
	start := l.pos
	for l.pos < len(l.data) && !isSpace(l.data[l.pos]) && !isDelimiter(l.data[l.pos]) {
		l.pos++
	}
	return l.data[start:l.pos]
}

// nameText reads a name, in which #41 is A.
func (l *lexer) nameText() string {
	raw := l.regular()
	name := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' && i+2 < len(raw) {
			if v, err := strconv.ParseUint(string(raw[i+1:i+3]), 16, 8); err == nil {
				name = append(name, byte(v))
				i += 2
				continue
			}
		}
		name = append(name, raw[i])
	}
	return string(name)
}

// word reads a number or an operator.
func (l *lexer) word() any {
	raw := l.regular()
	if c := raw[0]; c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' {
		if v, err := strconv.ParseFloat(string(raw), 64); err == nil {
			return v
		}
		// Some writers produce 0.-5 and --7.
		return 0.0
	}
	return operatorToken(raw)
}

// literal reads a string in parentheses, which may contain balanced ones.
func (l *lexer) literal() []byte {
	var s []byte
	for depth := 1; l.pos < len(l.data); l.pos++ {
		switch c := l.data[l.pos]; c {
		case '\\':
			l.pos++
			s = l.escape(s)
			continue
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.pos++
				return s
			}
		}
		s = append(s, l.data[l.pos])
	}
	return s
}

// escape reads what follows a backslash and leaves pos on its last byte.
func (l *lexer) escape(s []byte) []byte {
	c := l.peek(0)
	switch c {
	case 'n':
		return append(s, '\n')
	case 'r':
		return append(s, '\r')
	case 't':
		return append(s, '\t')
	case 'b':
		return append(s, '\b')
	case 'f':
		return append(s, '\f')
	case '\r':
		if l.peek(1) == '\n' {
			l.pos++
		}
		return s
	case '\n':
		return s
	}
	if c < '0' || c > '7' {
		return append(s, c)
	}
	v := 0
	n := 0
	for n < 3 && l.peek(n) >= '0' && l.peek(n) <= '7' {
		v = v*8 + int(l.peek(n)-'0')
		n++
	}
	l.pos += n - 1
	return append(s, byte(v))
}

// hex reads a string of hexadecimal digits.
func (l *lexer) hex() []byte {
	var s []byte
	var half byte
	odd := false
	for l.pos < len(l.data) {
		c := l.data[l.pos]
		l.pos++
		if c == '>' {
			break
		}
		v, ok := hexDigit(c)
		if !ok {
			continue
		}
		if odd {
			s = append(s, half<<4|v)
		}
		half, odd = v, !odd
	}
	if odd {
		s = append(s, half<<4)
	}
	return s
}

// skipInlineImage goes behind the EI that ends the data after ID.
func (l *lexer) skipInlineImage() {
	for i := l.pos; i+2 < len(l.data); i++ {
		if isSpace(l.data[i]) && l.data[i+1] == 'E' && l.data[i+2] == 'I' &&
			(i+3 >= len(l.data) || isSpace(l.data[i+3])) {
			l.pos = i + 3
			return
		}
	}
	l.pos = len(l.data)
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}
