package errkind_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/extractq/extractq/internal/errkind"
)

// TestOf reads the outermost mark, and keeps what is below it for errors.Is.
func TestOf(t *testing.T) {
	t.Parallel()
	cause := errors.New("refused")
	for name, test := range map[string]struct {
		err  error
		want errkind.Kind
	}{
		"nothing":   {nil, errkind.None},
		"no mark":   {cause, errkind.None},
		"wrapped":   {fmt.Errorf("ask: %w", errkind.MarkUnavailable(cause)), errkind.Unavailable},
		"usage":     {errkind.Usagef("flag: %w", cause), errkind.Usage},
		"outermost": {errkind.New(errkind.Failed, errkind.MarkUnavailable(cause)), errkind.Failed},
	} {
		if got := errkind.Of(test.err); got != test.want {
			t.Errorf("%s: Of(%v) = %v, want %v", name, test.err, got, test.want)
		}
		if test.err != nil && !errors.Is(test.err, cause) {
			t.Errorf("%s: errors.Is(%v, %v) = false", name, test.err, cause)
		}
	}
}
