package worker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
)

// A document that draws only errors at its polls ends once its deadline is over, but
// only where the account works. Until then its last error has the vendor's words.
func TestOnlyErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		submitted time.Duration
		failed    int // Polls before this one.
		others    bool
		probe     error
		want      extraction.Status
	}{
		"the first":             {2 * time.Hour, 0, true, nil, extraction.StatusInProgress},
		"before the deadline":   {time.Minute, 40, true, nil, extraction.StatusInProgress},
		"others are answered":   {2 * time.Hour, 4, true, errors.New("down"), extraction.StatusError},
		"a probe succeeds":      {2 * time.Hour, 4, false, nil, extraction.StatusError},
		"the list is forbidden": {2 * time.Hour, 4, false, &extraction.Error{Kind: extraction.KindForbidden, Err: errors.New("403")}, extraction.StatusError},
		"the vendor is away":    {48 * time.Hour, 400, false, errors.New("down"), extraction.StatusInProgress},
		"the fourth in a row":   {2 * time.Hour, 3, true, nil, extraction.StatusInProgress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onProbe = func() error { return tt.probe }
			v.onPoll = func(string, int) (extraction.Outcome, error) {
				return extraction.Outcome{}, &extraction.Error{
					Op: "poll", Kind: extraction.KindTransient, Status: 400, Err: errors.New("400 Bad Request"),
					Vendor: map[string]any{"message": "this one cannot be read"},
				}
			}
			r := newRig(t, v)
			w := r.worker()
			id := r.polling(w, "x", tt.submitted)
			r.hset(id, "pe", tt.failed, "fs", ago(time.Minute))
			if tt.others {
				if _, err := r.limiter.Report(t.Context(), "acme", "another", limiter.OpPoll, true); err != nil {
					t.Fatal(err)
				}
			} else if err := r.rdb.HDel(t.Context(), "extractq:{acme}:account", "last_ok").Err(); err != nil {
				t.Fatal(err)
			}
			if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			got := r.get(id)
			if got.Status != tt.want {
				t.Fatalf("now %s %+v, want %s", got.Status, got.Failure, tt.want)
			}
			if tt.want == extraction.StatusError {
				if f := got.Failure; f.Code != extraction.CodeVendorFailed || f.Details["vendor"] == nil ||
					!strings.Contains(f.Message, "this one cannot be read") {
					t.Errorf("ended with %+v", f)
				}
				return
			}
			if got.Trouble == nil || !strings.Contains(got.Trouble.Message, "this one cannot be read") {
				t.Errorf("last error %+v", got.Trouble)
			}
		})
	}
}

// An answer larger than the account takes ends the extraction.
func TestResultTooLarge(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onPoll = func(string, int) (extraction.Outcome, error) {
		return extraction.Outcome{}, &extraction.Error{Op: "poll", Kind: extraction.KindTooLarge, Err: errors.New("too long")}
	}
	r := newRig(t, v)
	w := r.worker()
	id := r.polling(w, "x", time.Second)
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Status != extraction.StatusError || got.Failure.Code != extraction.CodeResultTooLarge {
		t.Errorf("now %s %+v", got.Status, got.Failure)
	}
}
