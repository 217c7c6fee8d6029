package config

import (
	"math"
	"strings"
	"testing"
)

// What is taken for a value is within its bounds and is read again as itself; an address
// that is refused is not repeated, for it may hold a password.
func FuzzValues(f *testing.F) {
	for _, s := range []string{
		"10/s", "1/2s", "600/m", "9e9/s", "100MiB", "9223372036854775807GiB", "redis://:geheim@h:1/0", "rediss-cluster://u:geheim@a:1,b:2", "unix:///tmp/x",
		"file:///x", "s3://b?region=r", "relative/dir", "*.example.com", "10.0.0.0/8", "[::1]:80", "redis-sentinel://a,b/m?x=%zz",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseRate(s); err == nil {
			again, err := ParseRate(r.String())
			if err != nil || math.Abs(float64(again-r)) > float64(r)*1e-9 || r > maxRate {
				t.Errorf("ParseRate(%q) = %g, read again %g, %v", s, r, again, err)
			}
		}
		if n, err := ParseBytes(s); err == nil && (n <= 0 || n > 1<<50) {
			t.Errorf("ParseBytes(%q) = %d", s, n)
		}
		for what, read := range map[string]func(string) (string, error){
			"RedisURL": RedisURL, "webURL": webURL, "allowedHost": allowedHost, "ListenAddress": ListenAddress,
		} {
			got, err := read(s)
			if err == nil {
				if again, err := read(got); err != nil || again != got {
					t.Errorf("%s(%q) = %q, read again %q, %v", what, s, got, again, err)
				}
			} else if len(s) > 60 && strings.Contains(err.Error(), s) {
				t.Errorf("%s repeats what it refuses: %v", what, err)
			}
		}
	})
}
