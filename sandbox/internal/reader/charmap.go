package reader

import (
	"unicode/utf16"
)

// maxMapped bounds a character map; there are no more codes of two bytes.
const maxMapped = 1 << 16

// readCharacterMap reads a ToUnicode map: what the codes of a font mean (9.10.3).
func (p *pdf) readCharacterMap(data []byte) map[uint32]string {
	m := map[uint32]string{}
	l := lexer{data: data}
	var args []any
	for {
		t, ok := l.next()
		if !ok {
			return m
		}
		p.work(1)
		op, ok := t.(operatorToken)
		if !ok {
			if len(args) < 3*maxMapped {
				args = append(args, t)
			}
			continue
		}
		switch op {
		case "endbfchar":
			for i := 0; i+1 < len(args) && len(m) < maxMapped; i += 2 {
				if to, ok := args[i+1].([]byte); ok {
					m[codeOf(args[i])] = utf16Text(to, 0)
				}
			}
		case "endbfrange":
			for i := 0; i+2 < len(args) && len(m) < maxMapped; i += 3 {
				p.mapRange(m, codeOf(args[i]), codeOf(args[i+1]), args[i+2])
			}
		}
		// beginbfchar and the like take the count before them away.
		args = args[:0]
	}
}

func (p *pdf) mapRange(m map[uint32]string, lo, hi uint32, to any) {
	for c := lo; c <= hi && len(m) < maxMapped; c++ {
		p.work(1)
		switch to := to.(type) {
		case []byte:
			m[c] = utf16Text(to, c-lo)
		case []any:
			if int(c-lo) >= len(to) {
				return
			}
			if s, ok := to[c-lo].([]byte); ok {
				m[c] = utf16Text(s, 0)
			}
		default:
			return
		}
		if c == 1<<32-1 {
			return
		}
	}
}

// codeOf is a code given as a string of up to four bytes.
func codeOf(v any) uint32 {
	s, _ := v.([]byte)
	var code uint32
	for _, b := range s {
		code = code<<8 | uint32(b)
	}
	return code
}

// utf16Text is big-endian UTF-16 with add added to its last unit. Some writers
// give single bytes.
func utf16Text(s []byte, add uint32) string {
	if len(s) == 1 {
		return string(rune(uint32(s[0]) + add))
	}
	units := make([]uint16, 0, len(s)/2)
	for i := 0; i+1 < len(s); i += 2 {
		units = append(units, uint16(s[i])<<8|uint16(s[i+1]))
	}
	if n := len(units); n > 0 {
		units[n-1] += uint16(add)
	}
	return string(utf16.Decode(units))
}
