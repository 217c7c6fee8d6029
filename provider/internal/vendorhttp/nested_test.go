package vendorhttp

import (
	"strings"
	"testing"
)

// What is nested deeper than any address is removed, not searched: the time for
// it grew with the square of its length.
func TestRedactorNested(t *testing.T) {
	t.Parallel()
	r := NewRedactor("the-secret-key")
	for _, depth := range []int{3, 50, 10_000} {
		got := r.Text(strings.Repeat("a=", depth) + "token=hidden-value")
		if strings.Contains(got, "hidden-value") {
			t.Errorf("at depth %d the value is shown", depth)
		}
		if len(got) > 200 {
			t.Errorf("at depth %d %d bytes are left", depth, len(got))
		}
	}
}
