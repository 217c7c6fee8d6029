package worker

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
)

// diary is a journal that keeps what it is told.
type diary struct {
	mu    sync.Mutex
	told  []string
	last  intake.Begun
	fails error // What it answers, and with it StoreFailed is told.
	heard int   // How often StoreFailed was.
}

// words is what a journal is told, without its times.
func words(b intake.Begun) string {
	switch {
	case b.VendorID != "" && !b.SubmittedAt.IsZero():
		return "submitted " + b.VendorID
	case b.VendorID != "" && b.UploadURL != "" && time.Until(b.UploadExpires) > time.Minute:
		return "opened " + b.VendorID
	case !b.SentAt.IsZero():
		return "sent"
	case b == intake.Begun{}:
		return "nothing"
	}
	return "nonsense"
}

func (d *diary) keep(_ string, b intake.Begun) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails != nil {
		return d.fails
	}
	d.told, d.last = append(d.told, words(b)), b
	return nil
}

func (d *diary) failed(error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard++
}

func (d *diary) saw() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.told...)
}

// keepDiary gives the rig's worker a journal.
func (r *rig) keepDiary() *diary {
	d := &diary{}
	r.cfg.Journal, r.cfg.StoreFailed = d.keep, d.failed
	return d
}

// What a submission costs is journalled before it can cost something.
func TestJournalComesFirst(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		steps  int
		before string
		want   []string
	}{
		"one call":  {1, "sent", []string{"sent", "submitted v1"}},
		"two steps": {2, "opened u1", []string{"opened u1", "submitted u1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			var provider extraction.Provider = v
			if test.steps == 2 {
				provider = uploader{v}
			}
			r := newRig(t, provider)
			d := r.keepDiary()
			var early []string
			v.onPut = func(int, io.Reader) error { early = d.saw(); return nil }
			v.onSubmit = func(int, extraction.Submission) error { early = d.saw(); return nil }
			id := r.submit("body")
			r.start()
			if got := r.final(id); got.Status != extraction.StatusSuccess {
				t.Fatalf("%s: %+v", got.Status, got.Failure)
			}
			if diff := cmp.Diff([]string{test.before}, early); diff != "" {
				t.Errorf("told when the document was taken (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, d.saw()); diff != "" {
				t.Errorf("told in all (-want +got):\n%s", diff)
			}
		})
	}
}

// A refusal that surely was no submission takes the journal's entry back.
func TestJournalTakesBack(t *testing.T) {
	t.Parallel()
	v := newVendor()
	v.onSubmit = func(n int, _ extraction.Submission) error {
		if n == 1 {
			return &extraction.Error{Op: "submit", Kind: extraction.KindRateLimited, RetryAfter: time.Second, Err: errors.New("429")}
		}
		return nil
	}
	r := newRig(t, v)
	d := r.keepDiary()
	id := r.submit("body")
	r.start()
	r.final(id)
	if diff := cmp.Diff([]string{"sent", "nothing", "sent", "submitted v2"}, d.saw()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Without its journal nothing is submitted, and what runs it hears of it.
func TestJournalFails(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(*vendor) extraction.Provider{
		"one call":  func(v *vendor) extraction.Provider { return v },
		"two steps": func(v *vendor) extraction.Provider { return uploader{v} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor()
			r := newRig(t, wrap(v))
			d := r.keepDiary()
			d.fails = errors.New("no space left on device")
			id := r.submit("body")
			if _, err := r.worker().submit(t.Context(), r.payload(id)); err != nil {
				t.Fatal(err)
			}
			if got := r.get(id); len(v.bodies) > 0 || got.Status.Final() || d.heard == 0 {
				t.Errorf("%d documents at the vendor, %s, StoreFailed heard %d times", len(v.bodies), got.Status, d.heard)
			}
		})
	}
}

// What a dead process has journalled is taken up by one with another Redis, and
// the vendor sees the document once.
func TestResumeFromJournal(t *testing.T) {
	t.Parallel()
	soon, ago := time.Now().Add(10*time.Minute), time.Now().Add(-time.Second)
	for name, test := range map[string]struct {
		begun intake.Begun
		setUp func(*vendor, string) extraction.Provider
		code  extraction.Code
		// What the vendor has been asked for.
		submits, opened, puts int
		vendorID              string
	}{
		"opened, without the document": {
			begun: intake.Begun{VendorID: "u7", UploadURL: "https://upload.test/", UploadExpires: soon},
			setUp: func(v *vendor, _ string) extraction.Provider {
				v.onPoll = func(id string, _ int) (extraction.Outcome, error) {
					if _, has := v.body(id); has {
						return done(), nil
					}
					return extraction.Outcome{Status: extraction.StatusInProgress, VendorStatus: "WAITING", AwaitsDocument: true}, nil
				}
				return uploader{v}
			},
			puts: 1, vendorID: "u7",
		},
		"opened, with the document": {
			begun: intake.Begun{VendorID: "u7", UploadURL: "https://upload.test/", UploadExpires: soon},
			setUp: func(v *vendor, _ string) extraction.Provider { return uploader{v} }, vendorID: "u7",
		},
		"submitted": {
			begun: intake.Begun{VendorID: "v7", SubmittedAt: ago},
			setUp: func(v *vendor, _ string) extraction.Provider { return v }, vendorID: "v7",
		},
		"sent, and listed": {
			begun: intake.Begun{SentAt: ago},
			setUp: func(v *vendor, id string) extraction.Provider {
				v.ready = []extraction.ReadyItem{{VendorID: "v9", Name: extraction.TokenName("a.pdf", id)}}
				return v
			},
			vendorID: "v9",
		},
		"sent, and nowhere": {
			begun: intake.Begun{SentAt: ago},
			setUp: func(v *vendor, _ string) extraction.Provider { return v }, code: extraction.CodeSubmitUncertain,
		},
		"nothing": {
			setUp: func(v *vendor, _ string) extraction.Provider { return v }, submits: 1, vendorID: "v1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, s := newVendor(), intake.Submission{
				ID: "01JD0Z3M9V7Q8W2R5T6Y4X1C0B", Account: "acme", Provider: "fake", Type: "t", Name: "a.pdf",
				Document: strings.NewReader("body"),
			}
			r := newRig(t, test.setUp(v, s.ID))
			if _, err := r.client.Resume(t.Context(), s, test.begun); err != nil {
				t.Fatal(err)
			}
			r.start()
			got := r.final(s.ID)
			code := extraction.Code("")
			if got.Failure != nil {
				code = got.Failure.Code
			}
			if code != test.code || got.VendorID != test.vendorID {
				t.Errorf("%s %s under %q, want %q under %q", got.Status, code, got.VendorID, test.code, test.vendorID)
			}
			if v.submits != test.submits || v.opened != test.opened || v.puts != test.puts {
				t.Errorf("%d submits, %d opened, %d puts", v.submits, v.opened, v.puts)
			}
			if !test.begun.SubmittedAt.IsZero() && got.SubmittedAt.Sub(test.begun.SubmittedAt).Abs() > time.Millisecond {
				t.Errorf("submitted at %v, want %v", got.SubmittedAt, test.begun.SubmittedAt)
			}
		})
	}
}

func (v *vendor) body(id string) (string, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	b, ok := v.bodies[id]
	return b, ok
}
