package api

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/browsertest"
	"github.com/extractq/extractq/internal/httpauth"
)

// The reference page works in a browser that reaches no other host, with nothing in
// its console, and its requests are answered.
func TestReferenceInABrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := browsertest.New(t, r.url, "")
	b.Open("/docs", "extractq", "/v1/extractions/{id}", "/v1/ready/ack", "/v1/hooks/{account}/{token}")
	b.WantNothingWrong("the reference")
	b.Click(`#operations-ready-listReady .opblock-summary-control`)
	b.Click(`#operations-ready-listReady .try-out__btn`)
	b.Click(`#operations-ready-listReady .execute`)
	b.Shows(`"next_cursor": null`)
	b.WantNothingWrong("a request from the reference")
	if browsertest.Eval[bool](b, `(() => {
		const s = document.createElement("script")
		s.textContent = "window.slipped = true"
		document.body.append(s)
		return window.slipped === true
	})()`) {
		t.Error("a script that was slipped into the page ran")
	}
}

// With keys the browser asks for one, as it does for the dashboard. It opens the
// reference, and nothing else: the requests that are made there have a key of their own.
func TestReferenceWithAKey(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.Keys = []Key{{Name: "billing", Digest: httpauth.Digest("secret")}} })
	named := strings.Replace(r.url, "127.0.0.1", browsertest.Name, 1)
	b := browsertest.New(t, named, "secret")
	b.Open("/docs", "extractq", "/v1/extractions/{id}", "Authorize")
	b.WantNothingWrong("the reference")
	if got := browsertest.Eval[int](b, `fetch("/v1/accounts").then(r => r.status)`); got != 401 {
		t.Errorf("what the browser sends on its own gets %d from the API", got)
	}
}

// docs/api.md explains every code, and none besides.
func TestCodesAreExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, errors, _ := strings.Cut(string(text), "\n## Errors\n")
	ofProblems, ofExtractions, _ := strings.Cut(errors, "`last_error`")
	ofExtractions, _, _ = strings.Cut(ofExtractions, "\n## ")
	for part, all := range map[string][]string{ofProblems: texts(protocol.ProblemCodes()), ofExtractions: texts(extraction.Codes())} {
		var explained []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(part, -1) {
			explained = append(explained, row[1])
		}
		slices.Sort(explained)
		slices.Sort(all)
		if diff := cmp.Diff(all, explained); diff != "" {
			t.Errorf("codes and what docs/api.md explains (-want +got):\n%s", diff)
		}
	}
}

func texts[T ~string](all []T) []string {
	var out []string
	for _, one := range all {
		out = append(out, string(one))
	}
	return out
}
