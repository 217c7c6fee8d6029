package store

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

func TestAdopt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in, token := testInput(), NewToken()
	f := Fence{Input: in}
	made, err := r.s.Create(t.Context(), in, Creation{Token: token, VendorID: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	got := r.get(f)
	if diff := cmp.Diff(got, made); diff != "" {
		t.Errorf("Adopt returned another record (-stored +returned):\n%s", diff)
	}
	if got.Status != extraction.StatusInProgress || got.Step != extraction.StepPoll || got.VendorID != "v1" ||
		got.SubmittedAt.IsZero() || !r.inFlight(f) {
		t.Errorf("adopted as %+v, in flight %v", got, r.inFlight(f))
	}
	if diff := cmp.Diff([]extraction.Status{extraction.StatusInProgress}, r.statuses(f)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	before := r.dump()
	_, err = r.s.Create(t.Context(), in, Creation{Token: token, VendorID: "v1"})
	r.want("replayed Adopt", err, nil)
	_, err = r.s.Create(t.Context(), testInput(), Creation{Token: NewToken(), VendorID: "v1"})
	r.want("Adopt of a followed id", err, ErrFollowed)
	if diff := cmp.Diff(before, r.dump()); diff != "" {
		t.Errorf("a replay or a refusal changed Redis (-before +after):\n%s", diff)
	}
	if id, err := r.s.Follower(t.Context(), "acme", "v1"); id != in.ID || err != nil {
		t.Errorf("Follower = %q, %v, want %q", id, err, in.ID)
	}
	if id, err := r.s.Follower(t.Context(), "acme", "v2"); id != "" || err != nil {
		t.Errorf("Follower of an unknown id = %q, %v", id, err)
	}
}

// A submission that a dead process had begun is taken up where it stood.
func TestCreateBegun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in := testInput()
	if _, err := r.s.Create(t.Context(), in, Creation{Token: NewToken(), Change: new(Change).Phase(PhaseOpened).Vendor("v1")}); err != nil {
		t.Fatal(err)
	}
	l := r.begin(Fence{Input: in, Seq: 1, Token: NewToken()})
	if l.Record.Phase != PhaseOpened || l.Record.VendorID != "v1" || l.Record.Step != extraction.StepSubmit {
		t.Errorf("taken up as %+v", l.Record)
	}
	if id, err := r.s.Follower(t.Context(), "acme", "v1"); id != in.ID || err != nil {
		t.Errorf("Follower = %q, %v", id, err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	opened := r.begin(r.create()).Fence
	if err := r.s.Mark(t.Context(), opened, new(Change).Phase(PhaseOpened).Vendor("v1").Upload("https://u", time.Now())); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]Fence{
		"queued": r.create(), "held": r.begin(r.create()).Fence, "opened": opened, "polling": r.polling(),
	} {
		token := NewToken()
		r.want("Cancel of one "+name, r.s.Cancel(t.Context(), f.Input, token, testKept), nil)
		got := r.get(f)
		if got.Status != extraction.StatusCanceled || got.Failure == nil || got.Failure.Code != extraction.CodeCanceled ||
			got.Owner != "" || got.Phase != PhaseNone || r.inFlight(f) {
			t.Errorf("%s is canceled as %+v", name, got)
		}
		if left := got.ExpiresAt.Sub(got.FinishedAt); left != testKept.Record {
			t.Errorf("%s is kept for %v", name, left)
		}
		// Its document goes earlier, as that of one that succeeded.
		if left := r.due(f).Sub(got.FinishedAt); left != testKept.Document {
			t.Errorf("the document of %s is kept for %v", name, left)
		}
		if url, err := r.s.UploadURL(t.Context(), f.Input); url != "" || err != nil {
			t.Errorf("%s keeps the upload URL %q, %v", name, url, err)
		}
		before := r.dump()
		r.want("replayed Cancel", r.s.Cancel(t.Context(), f.Input, token, testKept), nil)
		r.want("second Cancel", r.s.Cancel(t.Context(), f.Input, NewToken(), testKept), ErrFinal)
		_, err := r.s.Next(t.Context(), f, extraction.StepPoll, 0, "", new(Change).Vendor("late"))
		r.want("what its holder writes afterwards", err, ErrFinal)
		if diff := cmp.Diff(before, r.dump()); diff != "" {
			t.Errorf("a replay or a refusal changed Redis (-before +after):\n%s", diff)
		}
	}
	if l, err := r.s.Load(t.Context(), "acme"); err != nil || l.Queued != 0 || l.InFlight != 0 {
		t.Errorf("load %+v, %v", l, err)
	}
}

// The vendor id of a submission that was canceled, or given up, in the middle is
// kept: it says what is left at the vendor.
func TestLateVendorID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.begin(r.create()).Fence
	r.want("Cancel", r.s.Cancel(t.Context(), f.Input, NewToken(), testKept), nil)
	_, err := r.s.Resolve(t.Context(), f.Input, NewToken(), "late")
	r.want("Resolve of a final one", err, ErrFinal)
	if got := r.get(f); got.VendorID != "late" || got.Status != extraction.StatusCanceled {
		t.Errorf("now %s with vendor id %q", got.Status, got.VendorID)
	}
	_, err = r.s.Resolve(t.Context(), f.Input, NewToken(), "later")
	r.want("second Resolve", err, ErrSupplanted)
	if got := r.get(f); got.VendorID != "late" {
		t.Errorf("the vendor id is now %q", got.VendorID)
	}
}

func TestClaimRetry(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	f := r.finished(extraction.StatusError)
	for _, id := range []string{"first", "second"} {
		if got, err := r.s.ClaimRetry(t.Context(), f.Input, id); got != "first" || err != nil {
			t.Errorf("ClaimRetry(%s) = %q, %v, want first", id, got, err)
		}
	}
	if got := r.get(f).Extraction(); got.RetriedBy != "first" {
		t.Errorf("retried_by %q", got.RetriedBy)
	}
	_, err := r.s.ClaimRetry(t.Context(), r.polling().Input, "third")
	r.want("ClaimRetry of a running one", err, ErrStale)
}

// A vendor id that the repetition has taken over stays with it when the original
// goes.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := r.finished(extraction.StatusError)
	vid := r.get(old).VendorID
	f := r.next(r.begin(r.create()).Fence, extraction.StepPoll, new(Change).Vendor(vid))
	r.want("Erase", r.s.Erase(t.Context(), old.Input, true, testKept), nil)
	if id, err := r.s.Follower(t.Context(), "acme", vid); id != f.Input.ID || err != nil {
		t.Errorf("%s is followed by %q, %v, want %s", vid, id, err, f.Input.ID)
	}
}

func TestEraseByForce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	running := r.polling()
	r.want("Erase of a running one", r.s.Erase(t.Context(), running.Input, true, testKept), ErrStale)
	f, other := r.finished(extraction.StatusSuccess), r.finished(extraction.StatusSuccess)
	r.want("Erase", r.s.Erase(t.Context(), f.Input, true, testKept), nil)
	if err := r.s.ForgetEvents(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	for key, body := range r.dump() {
		if strings.Contains(key, f.Input.ID) || key != r.k.tombs() && strings.Contains(body, f.Input.ID) {
			t.Errorf("%s still names the extraction", key)
		}
	}
	if len(r.statuses(other)) == 0 {
		t.Error("the events of another one are gone")
	}
	for id, want := range map[string]bool{f.Input.ID: true, other.Input.ID: false} {
		if got, err := r.s.Erased(t.Context(), "acme", id); got != want || err != nil {
			t.Errorf("Erased = %v, %v, want %v", got, err, want)
		}
	}
	_, err := r.s.Create(t.Context(), f.Input, Creation{Token: NewToken()})
	r.want("Create of what was erased", err, ErrErased)
	// A tombstone is forgotten after its time, and not before what it says of the events.
	r.want("Erase", r.s.Erase(t.Context(), other.Input, true, testKept), nil)
	if err := r.rdb.ZAdd(t.Context(), r.k.tombs(), z(1, other.Input.ID)).Err(); err != nil {
		t.Fatal(err)
	}
	r.want("Erase", r.s.Erase(t.Context(), r.finished(extraction.StatusSuccess).Input, true, testKept), nil)
	r.want("ForgetEvents", r.s.ForgetEvents(t.Context(), "acme"), nil)
	r.want("ForgetTombs", r.s.ForgetTombs(t.Context(), "acme"), nil)
	if left := r.statuses(other); len(left) != 0 {
		t.Errorf("the events %v of what was erased are left", left)
	}
	for id, want := range map[string]bool{f.Input.ID: true, other.Input.ID: false} {
		if got, err := r.s.Erased(t.Context(), "acme", id); got != want || err != nil {
			t.Errorf("Erased after its time = %v, %v, want %v", got, err, want)
		}
	}
}

func TestCopyDocument(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"mem://", "file://" + t.TempDir()} {
		b, err := OpenBlobs(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.PutDocument(t.Context(), "a", strings.NewReader("%PDF"), 0); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := b.CopyDocument(t.Context(), "a", "b"); err != nil {
				t.Fatal(err)
			}
		}
		f, err := b.OpenDocument(t.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(f); string(body) != "%PDF" || err != nil {
			t.Errorf("copied %q, %v", body, err)
		}
		_ = f.Close()
		if err := b.CopyDocument(t.Context(), "none", "c"); !errors.Is(err, ErrNotFound) {
			t.Errorf("copy of nothing = %v", err)
		}
		for id, want := range map[string]bool{"a": true, "b": true, "c": false} {
			if got, err := b.HasDocument(t.Context(), id); got != want || err != nil {
				t.Errorf("HasDocument(%s) = %v, %v, want %v", id, got, err, want)
			}
		}
	}
}
