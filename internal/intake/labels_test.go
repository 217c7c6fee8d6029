package intake

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// badLabels are texts that no label may be.
var badLabels = map[string]string{
	"a control": "a\x1b[2J", "a NUL": "a\x00.pdf", "a line feed": "a\n", "a C1": "a\u009b2J", "not UTF-8": "a\xff",
	"an override": "a\u202efdp.exe", "an isolate": "a\u2066", "a separator": "a\u2028", "too long": strings.Repeat("x", 17<<10),
}

// newRegistered returns a rig whose client accepts by what workers registered.
func newRegistered(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	if err := store.Pair(t.Context(), r.records, r.blobs, store.Terms{}); err != nil {
		t.Fatal(err)
	}
	if err := r.records.Register(t.Context(), "acme", store.Registration{
		Provider: "sensible", FetchesURL: true, CallbackHosts: []string{"127.0.0.1"},
	}); err != nil {
		t.Fatal(err)
	}
	r.Client = r.WithRegistered()
	return r
}

// There is one rule for what names something, whatever field it is in, and nothing of a
// submission that is refused is kept.
func TestLabels(t *testing.T) {
	t.Parallel()
	s := newRegistered(t)
	for field, set := range map[string]func(s *Submission, v string){
		"type":         func(s *Submission, v string) { s.Type = v },
		"types":        func(s *Submission, v string) { s.Type, s.Types = "", []string{"t", v} },
		"config_name":  func(s *Submission, v string) { s.ConfigName = v },
		"environment":  func(s *Submission, v string) { s.Environment = v },
		"customer":     func(s *Submission, v string) { s.Customer = v },
		"batch":        func(s *Submission, v string) { s.Batch = v },
		"name":         func(s *Submission, v string) { s.Name = v },
		"metadata":     func(s *Submission, v string) { s.Metadata = map[string]string{v: "1"} },
		"content_type": func(s *Submission, v string) { s.ContentType = "application/pdf; x=" + v },
		"document_url": func(s *Submission, v string) { s.Document, s.URL = nil, "https://93.184.216.34/"+v },
		"callback_url": func(s *Submission, v string) { s.CallbackURL = "https://127.0.0.1/" + v },
	} {
		for what, label := range badLabels {
			good := Submission{Account: "acme", Type: "t", Name: "a.pdf", Document: strings.NewReader("%PDF-1.7")}
			set(&good, label)
			if e, err := s.Submit(t.Context(), good); !errors.Is(err, extraction.ErrInvalid) {
				t.Errorf("%s with %s: Submit = %s, %v, want it invalid", field, what, e.ID, err)
			}
			good.Document, good.URL = nil, ""
			if field == "document_url" {
				continue
			}
			if e, err := s.Adopt(t.Context(), good, "v-1"); !errors.Is(err, extraction.ErrInvalid) {
				t.Errorf("%s with %s: Adopt = %s, %v, want it invalid", field, what, e.ID, err)
			}
		}
	}
	for what, sub := range map[string]Submission{
		"a value of metadata": {Metadata: map[string]string{"k": "a\xff"}}, "an option": {Options: map[string]any{"extra_data": "a\xff"}},
	} {
		sub.Account, sub.Type, sub.Document = "acme", "t", strings.NewReader("%PDF-1.7")
		if _, err := s.Submit(t.Context(), sub); !errors.Is(err, extraction.ErrInvalid) {
			t.Errorf("%s that is not UTF-8: %v", what, err)
		}
	}
	if files, err := filepath.Glob(s.dir + "/*/*"); err != nil || len(files) != 0 {
		t.Errorf("the document store has %q, %v", files, err)
	}
	for r, err := range s.records.List(t.Context(), []string{"acme"}, extraction.Filter{}, store.Cursor{}) {
		t.Errorf("a record %s, %v", r.ID, err)
	}
}
