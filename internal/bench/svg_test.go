package bench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// The picture is XML that any viewer reads, has a curve and a bar for each
// policy, and nothing of it is outside the frame.
func TestSVG(t *testing.T) {
	t.Parallel()
	r, err := Replay(Config{Law: mixture, Documents: 300, WarmUp: 50, Seed: 1, Webhooks: 0.9, Rate: 20})
	if err != nil {
		t.Fatal(err)
	}
	r.Policies = append(r.Policies, Outcome{Policy: `none <of> "them" & all lost`, Lost: 300})
	var b bytes.Buffer
	if err := r.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(strings.Replace(text, "http://www.w3.org/2000/svg", "", 1), "http") {
		t.Errorf("no number, or an address: %s", text)
	}
	labels, curves := map[string]int{}, 0
	d := xml.NewDecoder(&b)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.CharData:
			labels[string(e)]++
		case xml.StartElement:
			for _, a := range e.Attr {
				var n, limit float64
				switch a.Name.Local {
				case "x", "width":
					limit = svgWidth
				case "y", "height":
					limit = svgHeight
				case "stroke-width":
					curves++
				}
				if limit > 0 {
					if _, err := fmt.Sscan(a.Value, &n); err != nil || n < 0 || n > limit {
						t.Errorf("%s of %s is %s", a.Name.Local, e.Name.Local, a.Value)
					}
				}
			}
		}
	}
	if curves != len(r.Policies)-1 {
		t.Errorf("%d curves, want one for each of %d policies with results", curves, len(r.Policies)-1)
	}
	for _, o := range r.Policies {
		if labels[o.Policy] != 2 {
			t.Errorf("%q stands there %d times, want at its bar and in the legend", o.Policy, labels[o.Policy])
		}
	}
}

func TestNiceStep(t *testing.T) {
	t.Parallel()
	for most, want := range map[float64]float64{1: 0.2, 2.7: 0.5, 4.8: 1, 30: 5, 61: 20, 0.05: 0.01} {
		if got := niceStep(most); got < want*0.999 || got > want*1.001 {
			t.Errorf("niceStep(%v) = %v, want %v", most, got, want)
		}
	}
}
