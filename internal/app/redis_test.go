package app

import (
	"strings"
	"testing"

	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/internal/errkind"
)

// An address that is not one is bad usage and is answered with one that is, and without
// the password in it.
func TestBadRedisURL(t *testing.T) {
	for where, like := range map[string]string{
		"redis://:s3cret@h/notanumber":              "redis://:PASSWORD@",
		"rediss://:s3cret@h?nosuch=1":               "rediss://",
		"unix://:s3cret@":                           "unix:///",
		"redis-cluster://:s3cret@h?nosuch=1":        "redis-cluster://10",
		"redis-sentinel://:s3cret@h?master_name=":   "master_name=mymaster",
		"redis-sentinel://:s3cret@h?nosuch=1":       "master_name=mymaster",
		"redis-sentinel://:s3cret@h:notaport/0?m=1": "master_name=mymaster",
	} {
		_, err := Connect(t.Context(), address.Server{URL: where}, 1)
		if err == nil || errkind.Of(err) != errkind.Usage || !strings.Contains(err.Error(), like) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want bad usage and an address like %s", where, err, like)
		}
	}
	for scheme, where := range exampleURL {
		rdb, err := address.NewClient(address.Server{URL: where}, 1)
		if err != nil || !strings.HasPrefix(where, scheme+"://") {
			t.Errorf("the example for %s is %s: %v", scheme, where, err)
			continue
		}
		_ = rdb.Close()
	}
}
