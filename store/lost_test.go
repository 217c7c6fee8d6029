package store

import (
	"os"
	"strings"
	"testing"
)

// Redis loses its data under running processes, becomes another store's, is brought back,
// and is accepted empty; they find out each time.
func TestRedisLost(t *testing.T) {
	t.Parallel()
	r, foreign, dir := newRig(t), newRig(t), t.TempDir()
	b, looks, second := openFile(t, dir), openFile(t, dir), openFile(t, dir)
	r.want("CheckRedis before any", r.s.CheckRedis(t.Context()), nil)
	r.want("CheckPair before any", CheckPair(t.Context(), r.s, looks), nil)
	r.want("Pair", Pair(t.Context(), r.s, b, Terms{}), nil)
	r.want("Pair of another two", Pair(t.Context(), foreign.s, openFile(t, t.TempDir()), Terms{}), nil)
	if _, err := b.PutDocument(t.Context(), NewID(), strings.NewReader("x"), 0); err != nil {
		t.Fatal(err)
	}
	check := func(what string, want error) {
		t.Helper()
		r.want(what+": CheckPair", CheckPair(t.Context(), r.s, b), want)
		r.want(what+": CheckPair of one that only looked", CheckPair(t.Context(), r.s, looks), want)
		r.want(what+": CheckRedis", r.s.CheckRedis(t.Context()), want)
		if lost := want != nil; b.RedisLost() != lost {
			t.Errorf("%s: lost is %t", what, b.RedisLost())
		}
	}
	set := func(rig *rig) {
		t.Helper()
		fields, err := rig.rdb.HGetAll(t.Context(), metaKey).Result()
		if err == nil {
			err = r.rdb.HSet(t.Context(), metaKey, fields).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	check("at first", nil)
	r.want("Vanished", Vanished(t.Context(), r.s, second), nil)
	kept, err := r.rdb.HGetAll(t.Context(), metaKey).Result()
	if err != nil {
		t.Fatal(err)
	}
	flush := func() {
		t.Helper()
		if err := r.rdb.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	check("emptied", ErrRedisLost)
	r.want("Vanished when emptied", Vanished(t.Context(), r.s, second), ErrEmptyRedis)
	set(foreign)
	check("another store's", ErrRedisLost)
	flush()
	if err := r.rdb.HSet(t.Context(), metaKey, kept).Err(); err != nil {
		t.Fatal(err)
	}
	check("brought back", nil)
	flush()
	check("emptied again", ErrRedisLost)
	r.want("Pair without a word", Pair(t.Context(), r.s, second, Terms{}), ErrEmptyRedis)
	check("not accepted", ErrRedisLost)
	r.want("Pair that accepts it", Pair(t.Context(), r.s, second, Terms{AcceptEmpty: true}), nil)
	check("accepted", nil)

	// Whether an empty Redis was accepted cannot be told without the store.
	flush()
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	r.want("neither there", CheckPair(t.Context(), r.s, b), ErrRedisLost)
}
