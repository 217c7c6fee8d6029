package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// TestRunSaysWhatItAsksForInVain lets the vendor refuse every question about one document.
// run names it with the vendor's words at once, and ends.
func TestRunSaysWhatItAsksForInVain(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(0))
		s.write("extractq.yaml", strings.ReplaceAll(s.read("extractq.yaml"), `rate: "50/s"`, `rate: "50/s"`+"\n    deadline: 20s"))
		docs := s.documents("inbox", 3)
		s.vendor.on(opPoll, always, func(x *exchange) {
			odd := ""
			for _, c := range s.vendor.log(d.takes) {
				if digest(c.Body) == docs[1].sha256 {
					odd = c.VendorID
				}
			}
			if odd != "" && strings.Contains(x.r.URL.String(), odd) {
				x.refuse(http.StatusBadRequest, `{"message":"page 3 cannot be rendered"}`)
				return
			}
			x.normal()
		})
		run := s.start("run", "--account", d.account, "--type", "tax_forms", "--out", s.path("results"), s.path("inbox"))
		run.says(docs[1].name + ": asked ")
		run.says("page 3 cannot be rendered")
		r := run.wait().want(t, 1)
		if !strings.Contains(r.stderr, "vendor_failed") || strings.Contains(r.stderr, docs[0].name+": asked") {
			t.Errorf("it says: %s", tail(r.stderr))
		}
	})
}
