package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestDeleteLeavesNoTrace deletes what workers are in the middle of, or have just
// finished: nothing is left of it but the tombstone.
func TestDeleteLeavesNoTrace(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(time.Second))
		s.worker()
		s.worker()
		var ids []string
		docs := paths(s.documents("inbox", 8))
		for range 6 {
			ids = append(ids, s.submit(d.account, append([]string{"--batch", "b", "--customer", "Jane Doe"}, docs...)...)...)
			// The oldest of them are being finished now, the youngest submitted.
			s.run(s.shared("delete", "--batch", "b", "--yes", "--until", "1500ms")...).want(t, 0)
		}
		s.run(s.shared("delete", "--batch", "b", "--yes")...).want(t, 0)
		var left []string
		defer func() {
			if len(left) > 0 {
				t.Errorf("left are\n%s", strings.Join(left, "\n"))
			}
		}()
		eventually(t, "nothing is left", func() bool {
			left = s.traces(append(ids, "Jane Doe"))
			return len(left) == 0
		})
	})
}

// traces are the places that still hold one of some words, but for tombstones.
func (s *site) traces(words []string) []string {
	s.t.Helper()
	var out []string
	for key, value := range everything(s.t, s.redis.Client()) {
		for _, word := range words {
			if strings.Contains(key, word) || strings.Contains(value, word) && !strings.HasSuffix(key, ":tombs") {
				out = append(out, key+" holds "+word)
			}
		}
	}
	entries, err := os.ReadDir(s.path("data", "documents"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		for _, word := range words {
			if e.Name() == word {
				out = append(out, "a folder "+word)
			}
		}
	}
	return out
}
