package store

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
)

// fullLife carries one extraction through everything that writes a field, with
// the longest values that may occur, and calls look after each step.
func fullLife(r *rig, look func(after string, f Fence)) {
	r.t.Helper()
	vendorID := strings.Repeat("f", 36) // A UUID.
	word := strings.Repeat("W", 200)
	now := time.Now()
	failing := extraction.Trouble{Code: extraction.CodeVendorFailed, Message: strings.Repeat("m", 500)}
	f := r.create()
	look("create", f)
	r.overdue(f)
	if err := r.s.Touch(r.t.Context(), f, time.Second, true); err != nil {
		r.t.Fatal(err)
	}
	look("touch", f)
	f = r.begin(f).Fence
	look("begin", f)
	f = r.next(f, extraction.StepSubmit, new(Change).Phase(PhaseUncertain).Attempts(1).SubmitSeq(SubmitSeq{math.MaxInt64, math.MaxInt64}).SentAt(now).
		Uncertain(now).SubmitErrors(4, now).Trouble(failing))
	look("uncertain", f)
	f = r.begin(f).Fence
	f = r.next(f, extraction.StepSubmit, new(Change).Phase(PhaseOpened).Vendor(vendorID).VendorStatus(word).
		Upload("https://upload.test/"+strings.Repeat("x", 1500), now).UploadGone(true).WaitingSince(now))
	look("opened", f)
	f = r.begin(f).Fence
	f = r.next(f, extraction.StepPoll, new(Change).Phase(PhaseNone).Vendor(vendorID).VendorStatus(word).SubmittedAt(now).
		Upload("", time.Time{}).UploadGone(false).WaitingSince(time.Time{}))
	if _, err := r.s.Hint(r.t.Context(), "acme", f.Input.ID, vendorID, SourceHook); err != nil {
		r.t.Fatal(err)
	}
	look("in progress", f)
	f = r.begin(f).Fence
	f = r.next(f, extraction.StepPoll, new(Change).Polls(99_999).PollErrors(999).MissingSince(now).Trouble(failing))
	look("polled", f)
	f = r.begin(f).Fence
	failure := extraction.NewFailure(extraction.CodeVendorFailed, strings.Repeat("m", 500), strings.Repeat("v", 16<<10))
	if _, err := r.s.Finish(r.t.Context(), f, extraction.StatusError, testKept, new(Change).Failure(failure).Result(99)); err != nil {
		r.t.Fatal(err)
	}
	look("finish", f)
}

// The record stays in Redis's compact encoding all its life: one field of more
// than 64 bytes would more than double its size.
func TestRecordStaysCompact(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fullLife(r, func(after string, f Fence) {
		key := r.k.record(f.Input.ID)
		if got := r.rdb.ObjectEncoding(t.Context(), key).Val(); got != "listpack" && got != "ziplist" {
			t.Errorf("after %s the record is a %s", after, got)
		}
		for name, value := range r.rdb.HGetAll(t.Context(), key).Val() {
			if len(value) > 64 {
				t.Errorf("after %s field %q has %d bytes, want at most 64", after, name, len(value))
			}
		}
		if n := r.rdb.HLen(t.Context(), key).Val(); n > 128 {
			t.Errorf("after %s the record has %d fields, want at most 128", after, n)
		}
	})
}

func TestLabel(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                      "",
		"COMPLETE":              "COMPLETE",
		"in progress\n":         "inprogress",
		"fertig ✓":              "fertig",
		strings.Repeat("a", 99): strings.Repeat("a", 40),
	} {
		if got := Label(in); got != want {
			t.Errorf("Label(%q) = %q, want %q", in, got, want)
		}
	}
}

// BenchmarkMemory prints what one extraction costs in Redis, without asynq's
// task: the keys of its own, and its share of the account's indexes.
func BenchmarkMemory(b *testing.B) {
	for _, kind := range []struct {
		name string
		one  func(*rig) Fence
	}{
		{"queued", (*rig).create},
		{"in_flight", (*rig).polling},
		{"finished", func(r *rig) Fence { return r.finished(extraction.StatusSuccess) }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			r := newRig(b)
			var last Fence
			for range b.N {
				last = kind.one(r)
			}
			ctx := b.Context()
			usage := func(key string) float64 {
				n, _ := r.rdb.MemoryUsage(ctx, key, 0).Result()
				return float64(n)
			}
			own := usage(r.k.record(last.Input.ID)) + usage(r.k.detail(last.Input.ID)) + usage(r.k.upload(last.Input.ID))
			shared := 0.0
			for _, key := range []string{
				r.k.due(), r.k.list(), r.k.inFlight(), r.k.vendorIDs(), r.k.ready(), r.k.batch("b1"),
			} {
				shared += usage(key)
			}
			b.ReportMetric(usage(r.k.record(last.Input.ID)), "record-B")
			b.ReportMetric(own, "keys-B")
			b.ReportMetric(shared/float64(b.N), "indexes-B")
			b.ReportMetric(own+shared/float64(b.N), "total-B")
		})
	}
}

// BenchmarkLife is a whole life in scripts: create, submit, one poll, the end.
func BenchmarkLife(b *testing.B) {
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			r := newRig(b)
			b.SetParallelism(workers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r.finished(extraction.StatusSuccess)
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "extractions/s")
		})
	}
}
