package reader

import (
	"strings"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/font"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
	"golang.org/x/text/encoding/charmap"
)

// fontFace turns the codes of a shown string into text and widths.
type fontFace struct {
	// composite fonts have codes of two bytes; others of one (9.7, 9.6).
	composite bool
	// unicode is the font's own map to text; it goes before everything else.
	unicode map[uint32]string
	// letters are the texts of a simple font's codes.
	letters [256]string
	// ucs2 says that codes are UTF-16 themselves.
	ucs2 bool
	// widths are in thousandths of the font's size.
	widths  map[uint32]float64
	missing float64
}

// decode takes the first character off s: its code, text ("" if unknown), width
// in units of the font's size, and length in bytes.
func (f *fontFace) decode(s []byte) (code uint32, text string, width float64, n int) {
	code, n = uint32(s[0]), 1
	if f.composite && len(s) > 1 {
		code, n = code<<8|uint32(s[1]), 2
	}
	width, ok := f.widths[code]
	if !ok {
		width = f.missing
	}
	width /= 1000
	if text, ok := f.unicode[code]; ok {
		return code, text, width, n
	}
	switch {
	case !f.composite:
		return code, f.letters[code], width, n
	case f.ucs2:
		return code, string(rune(code)), width, n
	}
	return code, "", width, n
}

// font reads a font once a document. A font given in place, without a
// reference, is read each time; hardly any writer does that.
func (p *pdf) font(o types.Object) *fontFace {
	ref, isRef := o.(types.IndirectRef)
	if f, ok := p.fonts[ref]; isRef && ok {
		return f
	}
	d := p.dict(o)
	if d == nil {
		return nil
	}
	f := &fontFace{composite: p.name(d["Subtype"]) == "Type0", widths: map[uint32]float64{}}
	if m := p.stream(d["ToUnicode"]); m != nil {
		f.unicode = p.readCharacterMap(m)
	}
	if f.composite {
		p.readComposite(f, d)
	} else {
		p.readSimple(f, d)
	}
	if isRef {
		p.fonts[ref] = f
	}
	return f
}

func (p *pdf) readComposite(f *fontFace, d types.Dict) {
	encoding := p.name(d["Encoding"])
	f.ucs2 = strings.Contains(encoding, "UCS2") || strings.Contains(encoding, "UTF16")
	f.missing = 1000
	descendants := p.array(d["DescendantFonts"])
	if len(descendants) == 0 {
		return
	}
	cid := p.dict(descendants[0])
	if w, ok := p.number(cid["DW"]); ok {
		f.missing = w
	}
	// c [w1 w2 …] or first last w (9.7.4.3).
	w := p.array(cid["W"])
	for i := 0; i+1 < len(w); {
		first := p.integer(w[i])
		if list := p.array(w[i+1]); list != nil {
			for j, o := range list {
				f.setWidth(first+j, p, o)
			}
			i += 2
			continue
		}
		if i+2 >= len(w) {
			return
		}
		for c := first; c <= min(p.integer(w[i+1]), 0xffff); c++ {
			f.setWidth(c, p, w[i+2])
		}
		i += 3
	}
}

func (f *fontFace) setWidth(code int, p *pdf, o types.Object) {
	if w, ok := p.number(o); ok && code >= 0 && code <= 0xffff {
		f.widths[uint32(code)] = w
	}
}

func (p *pdf) readSimple(f *fontFace, d types.Dict) {
	encoding := p.object(d["Encoding"])
	base, _ := encoding.(types.Name)
	differences, _ := encoding.(types.Dict)
	if differences != nil {
		base = types.Name(p.name(differences["BaseEncoding"]))
	}
	f.letters = letters(string(base))
	code := 0
	for _, o := range p.array(differences["Differences"]) {
		switch o := p.object(o).(type) {
		case types.Integer:
			code = int(o)
		case types.Name:
			if code >= 0 && code < 256 {
				f.letters[code] = glyphText(string(o))
			}
			code++
		}
	}
	f.missing = 500
	if w, ok := p.number(p.dict(d["FontDescriptor"])["MissingWidth"]); ok && w > 0 {
		f.missing = w
	}
	widths := p.array(d["Widths"])
	if widths == nil {
		f.standardWidths(p.name(d["BaseFont"]))
		return
	}
	first := p.integer(d["FirstChar"])
	for i, o := range widths {
		f.setWidth(first+i, p, o)
	}
}

// standardWidths sets the widths of the 14 fonts that every viewer has.
func (f *fontFace) standardWidths(name string) {
	if !font.IsCoreFont(name) {
		return
	}
	for code, s := range f.letters {
		if s == "" {
			continue
		}
		r, _ := utf8.DecodeRuneInString(s)
		if w, err := font.CharWidth(name, r); err == nil {
			f.widths[uint32(code)] = float64(w)
		}
	}
}

// letters is the table of a predefined encoding (annex D). Fonts that name none
// mostly use their own, which agrees with Windows' for Latin letters.
func letters(encoding string) [256]string {
	table := charmap.Windows1252
	if encoding == "MacRomanEncoding" {
		table = charmap.Macintosh
	}
	var l [256]string
	for code := 32; code < 256; code++ {
		if r := table.DecodeByte(byte(code)); r != '\uFFFD' && r != 0x7f {
			l[code] = string(r)
		}
	}
	if encoding == "" || encoding == "StandardEncoding" {
		for code, s := range standardDiffers {
			l[code] = s
		}
	}
	return l
}

// standardDiffers are the codes of StandardEncoding, the base of a font that
// names no encoding, that mean something else on Windows and occur in practice.
var standardDiffers = map[int]string{
	0x27: "’", 0x60: "‘", 0xaa: "“", 0xba: "”", 0xae: "fi", 0xaf: "fl",
	0xb1: "–", 0xd0: "—", 0xb7: "•", 0xa4: "⁄", 0xbc: "…",
}
