package limiter

import "testing"

// An account is served while any worker says so, or has said so lately.
func TestServed(t *testing.T) {
	t.Parallel()
	l, rdb := newLimiter(t)
	want := func(what string, want bool) {
		t.Helper()
		if got, err := l.Served(t.Context(), "acme"); err != nil || got != want {
			t.Errorf("%s: served %v, %v, want %v", what, got, err, want)
		}
	}
	serve := func(worker string) {
		t.Helper()
		if _, err := l.Serve(t.Context(), "acme", worker); err != nil {
			t.Fatal(err)
		}
	}
	leave := func(worker string) {
		t.Helper()
		if err := l.Leave(t.Context(), "acme", worker); err != nil {
			t.Fatal(err)
		}
	}
	want("nobody", false)
	serve("a")
	serve("b")
	leave("a")
	want("one of two has left", true)
	leave("b")
	leave("b")
	want("both have left", false)

	// A worker that died said so the last time half a minute ago.
	serve("a")
	workers := accountKeys("acme").workers()
	late := -(servedFor + ServeEvery).Milliseconds()
	if err := rdb.ZIncrBy(t.Context(), workers, float64(late), "a").Err(); err != nil {
		t.Fatal(err)
	}
	want("the only one is silent", false)
	serve("b")
	want("another one came", true)
	if got, err := rdb.ZRange(t.Context(), workers, 0, -1).Result(); err != nil || len(got) != 1 || got[0] != "b" {
		t.Errorf("workers %q, %v, want the silent one forgotten", got, err)
	}
}
