package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// aside is what may stand on stderr beside a complaint: how far a run has come,
// and what it has skipped.
var aside = regexp.MustCompile(`^\d+ of \d+ done, | are skipped$|^extractq: (no|a) worker has `)

// wantComplaint fails the test unless a command ended with code after one clear
// line on stderr that holds says, and nothing on stdout.
func wantComplaint(t *testing.T, r result, code int, says string) {
	t.Helper()
	r.want(t, code)
	var said []string
	for _, line := range lines(r.stderr) {
		if !aside.MatchString(line) {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], "extractq: ") || !strings.Contains(said[0], says) {
		t.Errorf("stderr %q, want one line with %q", r.stderr, says)
	}
	for _, trace := range []string{"goroutine ", "panic:", "runtime error", "0xc0"} {
		if strings.Contains(r.stderr, trace) {
			t.Errorf("stderr looks like a crash: %q", tail(r.stderr))
		}
	}
	if r.stdout != "" {
		t.Errorf("stdout %q, want nothing", tail(r.stdout))
	}
}
