package main

import (
	"io"
	"strings"
	"testing"
)

// An address that is not one is bad usage and is answered with one that is, and without
// the password in it.
func TestBadRedisURL(t *testing.T) {
	for address, like := range map[string]string{
		"redis://:s3cret@h/notanumber":              "redis://:PASSWORD@",
		"rediss://:s3cret@h?nosuch=1":               "rediss://",
		"unix://:s3cret@":                           "unix:///",
		"redis-cluster://:s3cret@h?nosuch=1":        "redis-cluster://10",
		"redis-sentinel://:s3cret@h?master_name=":   "master_name=mymaster",
		"redis-sentinel://:s3cret@h?nosuch=1":       "master_name=mymaster",
		"redis-sentinel://:s3cret@h:notaport/0?m=1": "master_name=mymaster",
	} {
		_, err := connect(t.Context(), address, 1)
		if err == nil || report(io.Discard, err) != exitUsage || !strings.Contains(err.Error(), like) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want bad usage and an address like %s", address, err, like)
		}
	}
	for scheme, address := range exampleURL {
		rdb, err := newRedis(address, 1)
		if err != nil || !strings.HasPrefix(address, scheme+"://") {
			t.Errorf("the example for %s is %s: %v", scheme, address, err)
			continue
		}
		_ = rdb.Close()
	}
}
