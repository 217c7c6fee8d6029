package reader

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// layout puts glyphs into lines, top to bottom and left to right, at most room
// bytes of text. Columns are not told apart: what stands on one height is one
// line, which is what rules such as `Total: (\S+)` want of forms and invoices.
func layout(glyphs []glyph, room int) string {
	var b strings.Builder
	for _, line := range lines(glyphs) {
		text := lineText(line)
		if text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(text)
		if b.Len() > room {
			return strings.Clone(strings.ToValidUTF8(b.String()[:room], ""))
		}
	}
	// A copy without the room that a builder leaves: it will be kept.
	return strings.Clone(b.String())
}

// lines sorts glyphs into lines. A glyph belongs to the line above it while its
// baseline is within a third of a letter's height of that line's first.
func lines(glyphs []glyph) [][]glyph {
	glyphs = slices.DeleteFunc(glyphs, func(g glyph) bool {
		return math.IsNaN(g.x+g.y+g.end+g.size) || math.IsInf(g.x+g.y+g.end+g.size, 0)
	})
	slices.SortStableFunc(glyphs, func(a, b glyph) int { return cmp.Compare(b.y, a.y) })
	var all [][]glyph
	for start := 0; start < len(glyphs); {
		first := glyphs[start]
		end := start + 1
		for end < len(glyphs) && first.y-glyphs[end].y < max(first.size, glyphs[end].size)/3 {
			end++
		}
		line := glyphs[start:end]
		slices.SortStableFunc(line, func(a, b glyph) int { return cmp.Compare(a.x, b.x) })
		all = append(all, line)
		start = end
	}
	return all
}

// lineText joins the glyphs of a line, with a space wherever there is a gap.
func lineText(line []glyph) string {
	var b strings.Builder
	end := math.Inf(1) // nothing to be separated from yet
	shown := math.Inf(1)
	for _, g := range line {
		if strings.TrimSpace(g.text) == "" {
			shown = min(shown, g.x)
			continue
		}
		// The narrowest spaces between words are a quarter of the size, less what
		// justified lines take away. A space that is shown counts however narrow,
		// but not where the letter stands on it: overprinted runs end in such.
		if b.Len() > 0 && (g.x-end > 0.17*g.size || g.x-shown > 0.1*g.size) {
			b.WriteByte(' ')
		}
		b.WriteString(g.text)
		end = g.end
		shown = math.Inf(1)
	}
	return b.String()
}
