package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// everything is what a Redis holds: each key with its value as text.
func everything(t *testing.T, rdb *redis.Client) map[string]string {
	t.Helper()
	out := map[string]string{}
	keys := rdb.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		value, err := valueOf(t, rdb, keys.Val())
		if err != nil {
			t.Fatalf("read %s: %v", keys.Val(), err)
		}
		out[keys.Val()] = value
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// valueOf is the value of a key of any type, as text.
func valueOf(t *testing.T, rdb *redis.Client, key string) (string, error) {
	t.Helper()
	kind, err := rdb.Type(t.Context(), key).Result()
	if err != nil {
		return "", err
	}
	switch kind {
	case "none": // It has expired since it was listed.
		return "", nil
	case "string":
		return rdb.Get(t.Context(), key).Result()
	case "list":
		all, err := rdb.LRange(t.Context(), key, 0, -1).Result()
		return strings.Join(all, "\n"), err
	case "set":
		all, err := rdb.SMembers(t.Context(), key).Result()
		return strings.Join(all, "\n"), err
	case "zset":
		all, err := rdb.ZRange(t.Context(), key, 0, -1).Result()
		return strings.Join(all, "\n"), err
	case "hash":
		all, err := rdb.HGetAll(t.Context(), key).Result()
		var b strings.Builder
		for field, value := range all {
			b.WriteString(field + "\n" + value + "\n")
		}
		return b.String(), err
	case "stream":
		all, err := rdb.XRange(t.Context(), key, "-", "+").Result()
		return fmt.Sprint(all), err
	}
	return "", fmt.Errorf("type %s is not known", kind)
}
