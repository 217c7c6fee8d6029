package worker

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
)

func TestReact(t *testing.T) {
	t.Parallel()
	vendor := func(k extraction.Kind) *extraction.Error {
		return &extraction.Error{Op: "submit", Kind: k, Err: errors.New("trouble")}
	}
	for _, tt := range []struct {
		name     string
		err      error
		op       limiter.Op
		failures int
		others   bool
		// What is wanted; an empty code means that the step is repeated.
		code    extraction.Code
		because extraction.Because
		pause   limiter.Reason
		fault   bool
	}{
		{"rejected", vendor(extraction.KindRejected), limiter.OpSubmit, 1, false, extraction.CodeVendorRejected, "", "", false},
		{"rejected on a poll", vendor(extraction.KindRejected), limiter.OpPoll, 1, false, "", extraction.BecauseRetry, "", true},
		{"unauthorized", vendor(extraction.KindUnauthorized), limiter.OpSubmit, 1, false, "", extraction.BecauseAccountPaused, limiter.Unauthorized, false},
		{"a list that is forbidden", vendor(extraction.KindForbidden), limiter.OpReady, 9, true, "", extraction.BecauseRetry, "", false},
		{"quota", vendor(extraction.KindQuota), limiter.OpSubmit, 1, false, "", extraction.BecauseAccountPaused, limiter.Quota, false},
		{"quota on a poll", vendor(extraction.KindQuota), limiter.OpPoll, 1, false, "", extraction.BecauseRate, limiter.Quota, false},
		{"first 5xx", vendor(extraction.KindTransient), limiter.OpSubmit, 1, true, "", extraction.BecauseRetry, "", true},
		{"fifth 5xx, others succeed", vendor(extraction.KindTransient), limiter.OpSubmit, 5, true, extraction.CodeVendorFailed, "", "", true},
		{"fifth 5xx, none succeeds", vendor(extraction.KindTransient), limiter.OpSubmit, 5, false, "", extraction.BecauseRetry, "", true},
		{"upload refused", vendor(extraction.KindUploadGone), limiter.OpSubmit, 1, false, "", extraction.BecauseRetry, "", true},
		{"upload refused five times", vendor(extraction.KindUploadGone), limiter.OpSubmit, 5, false, extraction.CodeVendorRejected, "", "", true},
		{"not a vendor's error", errors.New("odd"), limiter.OpPoll, 1, false, "", extraction.BecauseRetry, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := react(tt.err, tt.op, tt.failures, 5, tt.others)
			var code extraction.Code
			if got.Failure != nil {
				code = got.Failure.Code
			}
			if code != tt.code || got.Because != tt.because || got.Pause != tt.pause || got.Fault != tt.fault {
				t.Errorf("react = %+v (code %q), want code %q because %q pause %q fault %v",
					got, code, tt.code, tt.because, tt.pause, tt.fault)
			}
			if code == "" && got.Delay <= 0 {
				t.Errorf("the step is repeated without a delay")
			}
		})
	}
}

// What a vendor asks for in Retry-After is kept within reason.
func TestReactBlock(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{
		0: time.Minute, time.Millisecond: time.Second, 7 * time.Second: 7 * time.Second, 1000 * time.Hour: maxBlock,
	} {
		err := &extraction.Error{Kind: extraction.KindRateLimited, RetryAfter: asked, Err: errors.New("429")}
		if got := react(err, limiter.OpPoll, 0, 0, false); got.Block != want || got.Delay != want {
			t.Errorf("Retry-After %v: blocked %v and delayed %v, want %v", asked, got.Block, got.Delay, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{0: time.Second, 1: time.Second, 3: 4 * time.Second, 7: time.Minute, 99: time.Minute} {
		for range 100 {
			if got := backoff(n); got < want*4/5 || got > want*6/5 {
				t.Fatalf("backoff(%d) = %v, want within a fifth of %v", n, got, want)
			}
		}
	}
}

// Whatever a vendor answers, and however often: the extraction ends, or the step comes again
// after a second or so and within an hour. A pause ends none, and a poll of an answer that is
// not too large never does.
func TestReactAlways(t *testing.T) {
	t.Parallel()
	kinds := []extraction.Kind{
		extraction.KindRejected, extraction.KindUnauthorized, extraction.KindForbidden, extraction.KindQuota,
		extraction.KindRateLimited, extraction.KindTooLarge, extraction.KindUploadGone, extraction.KindTransient,
		extraction.KindNotFound,
	}
	rapid.Check(t, func(rt *rapid.T) {
		kind := rapid.SampledFrom(kinds).Draw(rt, "kind")
		op := rapid.SampledFrom([]limiter.Op{limiter.OpSubmit, limiter.OpPoll, limiter.OpReady}).Draw(rt, "op")
		failures := rapid.IntRange(1, 1<<40).Draw(rt, "failures")
		attempts := rapid.IntRange(0, 10).Draw(rt, "attempts")
		if op != limiter.OpSubmit {
			attempts = 0
		}
		others := rapid.Bool().Draw(rt, "others")
		err := &extraction.Error{
			Op: string(op), Kind: kind, Err: errors.New("trouble"),
			RetryAfter: time.Duration(rapid.Int64Range(-int64(time.Hour), int64(1000*time.Hour)).Draw(rt, "retry after")),
		}
		got := react(err, op, failures, attempts, others)
		if ends, again := got.Failure != nil, got.Delay > 0 && got.Because != ""; ends == again {
			rt.Fatalf("%+v: want an end or a repetition", got)
		}
		if got.Failure == nil && (got.Delay < 800*time.Millisecond || got.Delay > maxBlock) || got.Block > maxBlock || got.Block < 0 {
			rt.Fatalf("%+v: again too soon or too late", got)
		}
		if got.Pause != limiter.Active && (got.Failure != nil || got.Fault) {
			rt.Fatalf("%+v: a pause ends no extraction", got)
		}
		switch {
		case got.Failure == nil, kind == extraction.KindTooLarge, kind == extraction.KindRejected && op == limiter.OpSubmit:
		case op != limiter.OpSubmit, attempts == 0, failures < attempts, kind != extraction.KindUploadGone && !others:
			rt.Fatalf("%+v: the extraction ends for what may pass", got)
		}
	})
}
