package worker

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/limiter"
)

// What concerns the account is kept with it; what is about one document is not.
func TestAccountKeepsTrouble(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err  *extraction.Error
		want string
	}{
		"refused key":   {&extraction.Error{Op: "submit", Kind: extraction.KindUnauthorized, Err: errors.New("401 Unauthorized")}, "unauthorized"},
		"used-up plan":  {&extraction.Error{Op: "submit", Kind: extraction.KindQuota, Err: errors.New("429")}, "vendor_quota"},
		"too fast":      {&extraction.Error{Op: "submit", Kind: extraction.KindRateLimited, RetryAfter: time.Minute, Err: errors.New("429")}, "rate_limited"},
		"server error":  {&extraction.Error{Op: "submit", Kind: extraction.KindTransient, Err: errors.New("502 Bad Gateway")}, "vendor_failed"},
		"bad document":  {&extraction.Error{Op: "submit", Kind: extraction.KindRejected, Err: errors.New("422")}, ""},
		"nothing wrong": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			v.onSubmit = func(int, extraction.Submission) error {
				if tt.err == nil {
					return nil
				}
				return tt.err
			}
			if name == "refused key" { // The probe is refused as well.
				v.onProbe = func() error {
					return &extraction.Error{Op: "probe", Kind: extraction.KindUnauthorized, Err: errors.New("401 Unauthorized")}
				}
			}
			r := newRig(t, v)
			if _, err := r.worker().submit(t.Context(), r.payload(r.submit("x"))); err != nil {
				t.Fatal(err)
			}
			s, err := r.limiter.State(t.Context(), "acme")
			if err != nil || s.LastError.Code != tt.want {
				t.Fatalf("last error %+v, %v, want %q", s.LastError, err, tt.want)
			}
			if tt.want != "" && s.LastError.Message != tt.err.Error() {
				t.Errorf("it says %q, want %q", s.LastError.Message, tt.err)
			}
		})
	}
}

// A probe that fails says why the account is still paused.
func TestProbeKeepsTrouble(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onProbe = func() error {
		return &extraction.Error{Op: "probe", Kind: extraction.KindUnauthorized, Err: errors.New("403 Forbidden")}
	}
	r := newRig(t, v)
	w := r.worker()
	r.paused(limiter.Unavailable)
	if err := w.tend(t.Context(), w.accounts["acme"], time.Now()); err != nil {
		t.Fatal(err)
	}
	s, err := r.limiter.State(t.Context(), "acme")
	if err != nil || s.LastError.Code != "unauthorized" || s.LastError.Message != "probe: unauthorized: 403 Forbidden" {
		t.Errorf("last error %+v, %v", s.LastError, err)
	}
}

// An extraction's trouble stays in its record, and says since when it is over.
func TestTroubleIsOver(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(n int, _ extraction.Submission) error {
		if n == 1 {
			return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Err: errors.New("503")}
		}
		return nil
	}
	r := newRig(t, v)
	w := r.worker()
	id := r.submit("x")
	for n, over := range []bool{false, true} {
		if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
			t.Fatal(err)
		}
		got := r.get(id)
		if got.Trouble == nil || got.Trouble.OverAt.IsZero() == over {
			t.Errorf("after attempt %d: %+v, want it over: %t", n+1, got.Trouble, over)
		}
	}
}

// The search of another extraction found what was lost: from the vendor's first answer on,
// that trouble is over.
func TestUncertaintyIsOver(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(int, extraction.Submission) error {
		return &extraction.Error{Op: "submit", Kind: extraction.KindTransient, Sent: true, Err: errors.New("reset")}
	}
	v.onPoll = func(string, int) (extraction.Outcome, error) { return pending(), nil }
	r := newRig(t, v)
	w := r.worker()
	id := r.submit("x")
	if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Trouble == nil || got.Trouble.Code != extraction.CodeSubmitUncertain {
		t.Fatalf("after a lost answer: %+v", got.Trouble)
	}
	if err := w.resolve(t.Context(), r.get(id), "v1"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.poll(t.Context(), r.payload(id)); err != nil {
		t.Fatal(err)
	}
	if got := r.get(id); got.Trouble == nil || got.Trouble.OverAt.IsZero() {
		t.Errorf("after the vendor's answer: %+v, want it over", got.Trouble)
	}
}

// A document that changed in the store ends its extraction at once, unpaid, and says
// nothing about the account.
func TestChangedDocument(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]func(*vendor) extraction.Provider{
		"one call":  func(v *vendor) extraction.Provider { return v },
		"two steps": func(v *vendor) extraction.Provider { return uploader{v} },
	} {
		for _, there := range []string{"the docuMent", "the doc", "the document and more", ""} {
			v := newVendor()
			r := newRig(t, p(v))
			w := r.worker()
			id := r.submit("the document")
			if err := os.WriteFile(filepath.Join(r.dir, id, "document"), []byte(there), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := w.submit(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			got := r.get(id)
			if got.Failure == nil || got.Failure.Code != extraction.CodeDocumentUnavailable || len(v.bodies) != 0 {
				t.Errorf("%s, %q: %s %+v with %d submitted, want document_unavailable and none", name, there, got.Status, got.Failure, len(v.bodies))
			}
			if s, err := r.limiter.State(t.Context(), "acme"); err != nil || s.LastError.Code != "" {
				t.Errorf("%s, %q: the account says %+v, %v", name, there, s.LastError, err)
			}
		}
	}
}
