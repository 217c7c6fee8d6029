package reader

import (
	"bytes"
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// matrix is a transformation [a b c d e f] (ISO 32000-1, 8.3.3).
type matrix [6]float64

func identity() matrix { return matrix{1, 0, 0, 1, 0, 0} }

// mul is first m, then n.
func (m matrix) mul(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// glyph is one shown character, or a ligature's few.
type glyph struct {
	x, y, end float64 // its baseline from x to end, in the page's units
	size      float64 // the height of the letters
	text      string
}

// maxGlyphs bounds what is kept of one page. A densely printed page has ten
// thousand.
const maxGlyphs = 400_000

// painter runs the content of one page and keeps what it shows as text.
type painter struct {
	*pdf
	glyphs []glyph
	depth  int
}

// graphics is the part of the graphics state that text depends on.
type graphics struct {
	ctm             matrix
	font            *fontFace
	size            float64
	charSpace       float64
	wordSpace       float64
	scale           float64
	leading, rise   float64
	text, textStart matrix
}

// pageText is the text of a page, at most room bytes of it: what its content
// shows, and what the fields on it show.
func (p *pdf) pageText(pg page, room int) string {
	paint := &painter{pdf: p}
	var content []byte
	if parts := p.array(pg.dict["Contents"]); parts != nil {
		var all [][]byte
		for _, o := range parts {
			all = append(all, p.stream(o))
		}
		// The parts are one stream, cut between any two tokens.
		content = bytes.Join(all, []byte{'\n'})
	} else {
		content = p.stream(pg.dict["Contents"])
	}
	paint.run(content, pg.resources, identity())
	for _, o := range p.array(pg.dict["Annots"]) {
		paint.widget(p.dict(o), pg.resources)
	}
	return layout(paint.glyphs, room)
}

// widget shows the appearance of a form field (12.5.5).
func (p *painter) widget(annot types.Dict, resources types.Dict) {
	const hidden = 1 << 1
	if p.name(annot["Subtype"]) != "Widget" || p.integer(annot["F"])&hidden != 0 {
		return
	}
	normal := p.object(p.dict(annot["AP"])["N"])
	if states, ok := normal.(types.Dict); ok {
		normal = p.object(states[p.name(annot["AS"])])
	}
	form, ok := normal.(types.StreamDict)
	rect := p.numbers(annot["Rect"])
	if !ok || len(rect) != 4 {
		return
	}
	m := identity()
	if box := p.numbers(form.Dict["BBox"]); len(box) == 4 {
		m[4] = min(rect[0], rect[2]) - min(box[0], box[2])
		m[5] = min(rect[1], rect[3]) - min(box[1], box[3])
	}
	p.form(form, resources, m)
}

func (p *painter) numbers(o types.Object) []float64 {
	var list []float64
	for _, item := range p.array(o) {
		v, ok := p.number(item)
		if !ok || len(list) == 6 {
			return nil
		}
		list = append(list, v)
	}
	return list
}

// form shows a form XObject (8.10): content within content. Filled-in forms that
// were flattened have all their values in such.
func (p *painter) form(form types.StreamDict, resources types.Dict, ctm matrix) {
	if p.depth >= maxDepth {
		return
	}
	if m := p.numbers(form.Dict["Matrix"]); len(m) == 6 {
		ctm = matrix(m).mul(ctm)
	}
	if own := p.dict(form.Dict["Resources"]); own != nil {
		resources = own
	}
	p.depth++
	p.run(p.stream(form), resources, ctm)
	p.depth--
}

// run runs content. Operators that are wrong are passed over.
func (p *painter) run(content []byte, resources types.Dict, ctm matrix) {
	l := lexer{data: content}
	g := graphics{ctm: ctm, scale: 1, text: identity(), textStart: identity()}
	var saved []graphics
	var args []any
	for {
		t, ok := l.next()
		if !ok || len(p.glyphs) >= maxGlyphs {
			return
		}
		p.work(1)
		op, ok := t.(operatorToken)
		if !ok {
			if len(args) < 64 {
				args = append(args, t)
			}
			continue
		}
		switch op {
		case "q":
			if len(saved) < 256 {
				saved = append(saved, g)
			}
		case "Q":
			if n := len(saved); n > 0 {
				text, start := g.text, g.textStart
				g, saved = saved[n-1], saved[:n-1]
				g.text, g.textStart = text, start
			}
		case "ID":
			l.skipInlineImage()
		case "Do":
			if name, ok := last[nameToken](args); ok {
				form, ok := p.object(p.dict(resources["XObject"])[string(name)]).(types.StreamDict)
				if ok && p.name(form.Dict["Subtype"]) == "Form" {
					p.form(form, resources, g.ctm)
				}
			}
		case "Tf":
			if len(args) == 2 {
				name, _ := args[0].(nameToken)
				g.font = p.font(p.dict(resources["Font"])[string(name)])
				g.size, _ = args[1].(float64)
			}
		default:
			p.textOperator(&g, string(op), args)
		}
		args = args[:0]
	}
}

// textOperator runs the operators that have only numbers and strings (9.3, 9.4).
func (p *painter) textOperator(g *graphics, op string, args []any) {
	n := floats(args)
	switch op {
	case "cm":
		if len(n) == 6 {
			g.ctm = matrix(n).mul(g.ctm)
		}
	case "BT":
		g.text, g.textStart = identity(), identity()
	case "Tm":
		if len(n) == 6 {
			g.text = matrix(n)
			g.textStart = g.text
		}
	case "Td", "TD":
		if len(n) == 2 {
			if op == "TD" {
				g.leading = -n[1]
			}
			g.newLine(n[0], n[1])
		}
	case "T*":
		g.newLine(0, -g.leading)
	case "Tc", "Tw", "Tz", "TL", "Ts":
		if len(n) == 1 {
			g.set(op, n[0])
		}
	case "Tj", "'", "\"":
		if op == "\"" && len(n) == 2 {
			g.wordSpace, g.charSpace = n[0], n[1]
		}
		if op != "Tj" {
			g.newLine(0, -g.leading)
		}
		if s, ok := last[[]byte](args); ok {
			p.show(g, s)
		}
	case "TJ":
		items, _ := last[[]any](args)
		for _, item := range items {
			switch item := item.(type) {
			case []byte:
				p.show(g, item)
			case float64:
				g.advance(-item / 1000 * g.size * g.scale)
			}
		}
	}
}

func (g *graphics) set(op string, v float64) {
	switch op {
	case "Tc":
		g.charSpace = v
	case "Tw":
		g.wordSpace = v
	case "Tz":
		g.scale = v / 100
	case "TL":
		g.leading = v
	case "Ts":
		g.rise = v
	}
}

func (g *graphics) newLine(x, y float64) {
	g.textStart = matrix{1, 0, 0, 1, x, y}.mul(g.textStart)
	g.text = g.textStart
}

func (g *graphics) advance(x float64) {
	g.text = matrix{1, 0, 0, 1, x, 0}.mul(g.text)
}

// show shows a string in the present font.
func (p *painter) show(g *graphics, s []byte) {
	if g.font == nil {
		return
	}
	p.work(len(s))
	for len(s) > 0 && len(p.glyphs) < maxGlyphs {
		code, text, width, n := g.font.decode(s)
		s = s[n:]
		m := matrix{1, 0, 0, 1, 0, g.rise}.mul(g.text).mul(g.ctm)
		dx := width * g.size * g.scale
		size := math.Abs(g.size) * math.Hypot(m[2], m[3])
		if text != "" && size > 0 {
			p.glyphs = append(p.glyphs, glyph{x: m[4], y: m[5], end: m[4] + dx*m[0], size: size, text: text})
		}
		dx += g.charSpace * g.scale
		// Word spacing is for the single byte 32 (9.3.3).
		if n == 1 && code == ' ' {
			dx += g.wordSpace * g.scale
		}
		g.advance(dx)
	}
}

// floats are the numbers among args.
func floats(args []any) []float64 {
	var list []float64
	for _, a := range args {
		if v, ok := a.(float64); ok {
			list = append(list, v)
		}
	}
	return list
}

// last is the last operand, if it is a T.
func last[T any](args []any) (T, bool) {
	var none T
	if len(args) == 0 {
		return none, false
	}
	v, ok := args[len(args)-1].(T)
	return v, ok
}
