package doctor

import "testing"

func TestRedisIsNew(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"7.0.0": true, "7.0.15": true, "7.2.4": true, "8.0.1": true, "10.0.0": true, "6.2.14": false, "5.0.7": false,
		"255.255.255": true, "unstable": true,
	} {
		if got := redisIsNew(version); got != want {
			t.Errorf("redisIsNew(%q) = %v, want %v", version, got, want)
		}
	}
}
