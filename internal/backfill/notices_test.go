package backfill

import (
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/limiter"
)

// TestAccountNotices says once why the calls fail, and again each minute while that lasts.
func TestAccountNotices(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	fails := limiter.State{LastError: limiter.Trouble{Code: "vendor_failed", Message: "no such host", At: begin}}
	again := fails
	again.LastError.At = begin.Add(time.Second)
	over := again
	over.LastError.Over = begin.Add(90 * time.Second)
	paused := again
	paused.Reason, paused.Message = limiter.Unavailable, "502 Bad Gateway: upstream away"
	stopped := again
	stopped.Reason = limiter.Operator
	var h accountNotices
	for _, tt := range []struct {
		after int
		state limiter.State
		want  string
	}{
		{0, fails, ""}, // From before the run.
		{6, fails, ""},
		{7, again, ""}, // Perhaps it passes.
		{11, again, ""},
		{12, again, "the latest calls to account v failed: no such host"},
		{13, again, ""},
		{71, again, ""},
		{72, again, "the latest calls to account v failed: no such host"},
		{80, paused, "account v is paused (unavailable): 502 Bad Gateway: upstream away"},
		{81, paused, ""},
		{140, paused, "account v is paused (unavailable): 502 Bad Gateway: upstream away"},
		{141, over, ""},
		{142, again, ""},
		{147, again, "the latest calls to account v failed"},
		{148, stopped, "paused by an operator"},
	} {
		got := h.due("v", tt.state, begin.Add(time.Duration(tt.after)*time.Second))
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("after %d s: %q, want %q", tt.after, got, tt.want)
		}
	}
}
