package serve

import "testing"

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1:9464": true, "127.8.9.1": true, "[::1]:80": true, "::1": true, "localhost": true, "LocalHost:1": true,
		"[::ffff:127.0.0.1]:1": true,
		"":                     false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false, "rebound.example": false,
		"localhost.example:80": false, "127.0.0.1.example": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %v, want %v", host, got, want)
		}
	}
}
