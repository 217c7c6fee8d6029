package providertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/extractq/extractq/extraction"
)

func testTraits(t *testing.T, h Harness) {
	p := h.New(t, "http://127.0.0.1:9", Key)
	traits := p.Traits()
	if traits.Provider == "" {
		t.Errorf("Traits().Provider is empty")
	}
	if _, uploads := p.(extraction.Uploader); uploads && h.Submission.URL != "" && !traits.FetchesURL {
		t.Errorf("a provider that submits URLs must say so in FetchesURL")
	}
}

func testCheck(t *testing.T, h Harness) {
	p := h.New(t, "http://127.0.0.1:9", Key)
	doc := NewDocument(10)
	for _, s := range []extraction.Submission{h.oneStep(doc), h.twoSteps(doc)} {
		if err := p.Check(s); err != nil {
			t.Errorf("Check of a valid submission: %v", err)
		}
	}
	for name, spoil := range map[string]func(*extraction.Submission){
		"no type":        func(s *extraction.Submission) { s.Type, s.Types = "", nil },
		"type and types": func(s *extraction.Submission) { s.Type, s.Types = "a", []string{"b"} },
		"unknown option": func(s *extraction.Submission) { s.Options = map[string]any{"no_such_option": "x"} },
	} {
		s := h.oneStep(doc)
		spoil(&s)
		err := p.Check(s)
		if !errors.Is(err, extraction.ErrInvalid) {
			t.Errorf("Check with %s = %v, want an error that wraps ErrInvalid", name, err)
		}
		// What the producer sent is in quotes, which the API leaves out of its answers.
		if text := fmt.Sprint(err); strings.Contains(strings.ReplaceAll(text, `"no_such_option"`, ""), "no_such_option") {
			t.Errorf("Check with %s has what was sent without quotes: %s", name, text)
		}
		_, err = p.Submit(t.Context(), s)
		if e := asError(t, err, "submit"); e.Kind != extraction.KindRejected || e.Sent {
			t.Errorf("Submit with %s = %v, sent %t, want rejected and not sent", name, err, e.Sent)
		}
	}
	if n := doc.opened.Load(); n != 0 {
		t.Errorf("an invalid submission opened the document %d times", n)
	}
}

// testFlow is one document's way without trouble.
func testFlow(t *testing.T, h Harness) {
	f, p := h.start(t)
	f.On(OpPoll, Pending(3), Done())
	id := ""
	if up, ok := p.(extraction.Uploader); ok {
		s := h.twoSteps(NewDocument(5000))
		opened, err := up.Open(t.Context(), s)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		if opened.URL != f.SignedURL(VendorID) {
			t.Errorf("Open gave another URL than the vendor")
		}
		if err := up.Put(t.Context(), opened, s); err != nil {
			t.Fatalf("Put: %v", err)
		}
		id = opened.VendorID
	}
	receipt, err := p.Submit(t.Context(), h.oneStep(NewDocument(5000)))
	if err != nil {
		t.Fatalf("Submit: %v", err)
	}
	if id != "" && id != receipt.VendorID || receipt.VendorID != VendorID {
		t.Errorf("ids %q and %q, want %q", id, receipt.VendorID, VendorID)
	}
	for i := range 3 {
		out, err := p.Poll(t.Context(), receipt.VendorID)
		if err != nil || out.Status != extraction.StatusInProgress || out.Result != nil || out.Failure != nil {
			t.Fatalf("poll %d = %+v, %v, want in progress", i, out, err)
		}
	}
	out, err := p.Poll(t.Context(), receipt.VendorID)
	if err != nil || out.Status != extraction.StatusSuccess || out.Result == nil {
		t.Fatalf("last poll = %+v, %v, want a result", out, err)
	}
	if r := Result(t, out); len(r.Raw) == 0 || r.Fields == nil || r.Tables == nil || r.Documents == nil || r.Warnings == nil {
		t.Errorf("the result has a nil where a collection is promised: %+v", r)
	}
	for _, r := range f.Requests(OpPoll) {
		if r.ID != VendorID {
			t.Errorf("a poll asked for %q, want %q", r.ID, VendorID)
		}
	}
	if err := p.Probe(t.Context()); err != nil {
		t.Errorf("Probe: %v", err)
	}
}

// testStates polls every state the vendor has.
func testStates(t *testing.T, h Harness) {
	type state struct {
		name  string
		reply Reply
		want  extraction.Status
		code  extraction.Code
	}
	d := h.Dialect
	states := []state{
		{"done", d.Done(VendorID), extraction.StatusSuccess, ""},
		{"failed", d.Failed(VendorID, "the document is empty"), extraction.StatusError, extraction.CodeVendorFailed},
	}
	for i, reply := range d.Pending(VendorID) {
		states = append(states, state{fmt.Sprint("pending ", i), reply, extraction.StatusInProgress, ""})
	}
	if d.Expired != nil {
		states = append(states, state{"expired", d.Expired(VendorID), extraction.StatusExpired, extraction.CodeExpired})
	}
	for _, s := range states {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			f, p := h.start(t)
			f.On(OpPoll, Answer(s.reply))
			out, err := p.Poll(t.Context(), VendorID)
			if err != nil {
				t.Fatalf("Poll: %v", err)
			}
			if out.Status != s.want || out.Unknown || out.VendorStatus == "" {
				t.Errorf("Poll = %s (%s, unknown %t), want %s", out.Status, out.VendorStatus, out.Unknown, s.want)
			}
			if (out.Result != nil) != (s.want == extraction.StatusSuccess) {
				t.Errorf("a result belongs to SUCCESS and only there: %v", out.Result)
			}
			switch {
			case s.code == "" && out.Failure != nil:
				t.Errorf("failure %+v, want none", out.Failure)
			case s.code != "" && (out.Failure == nil || out.Failure.Code != s.code):
				t.Errorf("failure %+v, want %s", out.Failure, s.code)
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		t.Parallel()
		f, p := h.start(t)
		f.On(OpPoll, Answer(d.Unknown(VendorID)))
		out, err := p.Poll(t.Context(), VendorID)
		if err != nil || out.Status != extraction.StatusInProgress || !out.Unknown || out.VendorStatus == "" {
			t.Errorf("Poll = %+v, %v, want in progress, unknown, with the vendor's word", out, err)
		}
	})
	t.Run("failed says why", func(t *testing.T) {
		t.Parallel()
		f, p := h.start(t)
		f.On(OpPoll, Fail("password protected"))
		out, err := p.Poll(t.Context(), VendorID)
		if err != nil {
			t.Fatalf("Poll: %v", err)
		}
		if said := fmt.Sprint(out.Failure.Details["vendor"]); !contains(said, "password protected") {
			t.Errorf("details.vendor = %s, want the vendor's reason", said)
		}
	})
	t.Run("ready", func(t *testing.T) {
		t.Parallel()
		f, p := h.start(t)
		f.On(OpReady, Answer(d.Ready("id-1", "id-2")))
		page, err := p.Ready(t.Context(), extraction.ReadyQuery{})
		if err != nil {
			t.Fatalf("Ready: %v", err)
		}
		var ids []string
		for _, item := range page.Items {
			ids = append(ids, item.VendorID)
		}
		if !slices.Equal(ids, []string{"id-1", "id-2"}) || page.NextCursor != "" {
			t.Errorf("Ready = %v, next %q, want id-1 and id-2 on the last page", ids, page.NextCursor)
		}
	})
}

// testTogether polls and submits from many goroutines; the race detector is
// the judge.
func testTogether(t *testing.T, h Harness) {
	_, p := h.start(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := p.Submit(t.Context(), h.oneStep(NewDocument(20_000))); err != nil {
				t.Errorf("Submit: %v", err)
			}
			if _, err := p.Poll(t.Context(), VendorID); err != nil {
				t.Errorf("Poll: %v", err)
			}
		})
	}
	wg.Wait()
}
