package bench

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"
)

// The plot: on the left how soon the ends are known, on the right what that takes.
const (
	svgWidth, svgHeight = 1000, 470
	plotTop, plotBottom = 90, 410
	leftFrom, leftTo    = 60, 500
	barFrom, barTo      = 690, 960
)

// hues are distinguishable without seeing red or green (Okabe and Ito).
var hues = []string{"#0072b2", "#009e73", "#cc79a7", "#d55e00", "#e69f00", "#555555"}

// bars are the parts of a bar, from the left.
var bars = []struct {
	name, hue string
	of        func(Requests) int
}{
	{"polls", "#0072b2", func(r Requests) int { return r.Poll }},
	{"pages of lists", "#e69f00", func(r Requests) int { return r.Sweep }},
	{"polls after a webhook or list", "#56b4e9", func(r Requests) int { return r.Fetch }},
}

// canvas is an SVG that is being written.
type canvas struct{ strings.Builder }

func (c *canvas) text(x, y float64, anchor, format string, args ...any) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(fmt.Sprintf(format, args...)))
}

func (c *canvas) line(x1, y1, x2, y2 float64, hue string) {
	fmt.Fprintf(c, `<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" fill="none"/>`+"\n", x1, y1, x2, y2, hue)
}

func (c *canvas) box(x, y, width, height float64, hue string) {
	fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, width, height, hue)
}

// WriteSVG writes the report as a picture.
func (r Report) WriteSVG(w io.Writer) error {
	c := new(canvas)
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", svgWidth, svgHeight)
	fmt.Fprintf(c, "<title>%s</title>\n", html.EscapeString(r.title()))
	c.box(0, 0, svgWidth, svgHeight, "#ffffff")
	for i, line := range wrap(r.title(), 140) {
		c.text(svgWidth/2, 24+18*float64(i), "middle", "%s", line)
	}
	c.text((leftFrom+leftTo)/2, plotTop-16, "middle", "Share of the ends known within a time")
	c.text((barFrom+barTo)/2, plotTop-16, "middle", "Requests for an extraction, beyond its submission")
	r.drawDelays(c)
	r.drawRequests(c)
	c.WriteString("</svg>\n")
	_, err := io.WriteString(w, c.String())
	return err
}

// drawDelays draws the distribution of delays, a curve for each policy.
func (r Report) drawDelays(c *canvas) {
	most := 1.0
	for _, o := range r.Policies {
		most = max(most, o.Delay.P95)
	}
	step := niceStep(most)
	most = math.Ceil(most/step) * step
	x := func(s float64) float64 { return leftFrom + (leftTo-leftFrom)*min(s/most, 1) }
	y := func(share float64) float64 { return plotBottom - (plotBottom-plotTop)*share }
	for share := 0.0; share < 1.01; share += 0.25 {
		c.line(leftFrom, y(share), leftTo, y(share), "#dddddd")
		c.text(leftFrom-8, y(share)+4, "end", "%.0f %%", 100*share)
	}
	for s := 0.0; s <= most+step/2; s += step {
		c.line(x(s), plotBottom, x(s), plotBottom+5, "#333333")
		c.text(x(s), plotBottom+20, "middle", "%g", math.Round(s*100)/100)
	}
	c.text((leftFrom+leftTo)/2, plotBottom+42, "middle", "seconds after the vendor's end")
	c.line(leftFrom, plotBottom, leftTo, plotBottom, "#333333")
	for i, o := range r.Policies {
		if len(o.sorted) == 0 {
			continue
		}
		fmt.Fprintf(c, `<path d="M%.1f %.1f`, x(0), y(0))
		const points = 200
		for k := range points + 1 {
			at := time.Duration(float64(k) / points * most * float64(time.Second))
			fmt.Fprintf(c, "L%.1f %.1f", x(at.Seconds()), y(shareWithin(o.sorted, at)))
		}
		fmt.Fprintf(c, `" stroke="%s" stroke-width="2" fill="none"/>`+"\n", hues[i%len(hues)])
	}
	for i, o := range r.Policies { // Where the curves are not: below, on the right.
		at := float64(plotBottom - 18*(len(r.Policies)-i) + 4)
		c.box(leftTo-170, at-10, 14, 12, hues[i%len(hues)])
		c.text(leftTo-150, at, "start", "%s", o.Policy)
	}
}

// drawRequests draws a bar for each policy.
func (r Report) drawRequests(c *canvas) {
	most := 1.0
	for _, o := range r.Policies {
		most = max(most, o.Each)
	}
	step := niceStep(most)
	most = math.Ceil(most/step) * step
	x := func(n float64) float64 { return barFrom + (barTo-barFrom)*n/most }
	for n := 0.0; n <= most+step/2; n += step {
		c.line(x(n), plotTop, x(n), plotBottom, "#dddddd")
		c.text(x(n), plotBottom+20, "middle", "%g", math.Round(n*100)/100)
	}
	room := float64(plotBottom-plotTop) / float64(max(len(r.Policies), 1))
	for i, o := range r.Policies {
		top, height := plotTop+room*(float64(i)+0.2), room*0.6
		c.text(barFrom-8, top+height/2+4, "end", "%s", o.Policy)
		from := 0.0
		for _, part := range bars {
			each := float64(part.of(o.Requests)) / float64(max(o.Succeeded, 1))
			if each > 0 {
				c.box(x(from), top, x(from+each)-x(from), height, part.hue)
			}
			from += each
		}
		c.text(x(from)+6, top+height/2+4, "start", "%.2f", o.Each)
	}
	c.line(barFrom, plotTop, barFrom, plotBottom, "#333333")
	at := float64(barFrom - 130)
	for _, part := range bars {
		c.box(at, plotBottom+33, 12, 12, part.hue)
		c.text(at+17, plotBottom+43, "start", "%s", part.name)
		at += 36 + 6.6*float64(len(part.name))
	}
}

// shareWithin is the share of sorted times that are at most t.
func shareWithin(sorted []time.Duration, t time.Duration) float64 {
	lo, hi := 0, len(sorted)
	for lo < hi {
		if mid := (lo + hi) / 2; sorted[mid] <= t {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return float64(lo) / float64(len(sorted))
}

// niceStep is 1, 2 or 5 times a power of ten, so that about five steps reach most.
func niceStep(most float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(most/5)))
	for _, f := range []float64{1, 2, 5} {
		if most/(power*f) <= 6 {
			return power * f
		}
	}
	return power * 10
}

// wrap breaks a text into lines of about so many characters.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}
