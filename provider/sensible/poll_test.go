package sensible_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/providertest"
)

func asError(t *testing.T, err error) *extraction.Error {
	t.Helper()
	e, ok := errors.AsType[*extraction.Error](err)
	if !ok {
		t.Fatalf("%T %v, want an *extraction.Error", err, err)
	}
	return e
}

// TestPoll has a fixture for each state of the vendor.
func TestPoll(t *testing.T) {
	t.Parallel()
	failure := func(vendor any) *extraction.Failure {
		return extraction.NewFailure(extraction.CodeVendorFailed, "Sensible could not process the document", vendor)
	}
	for fixture, want := range map[string]extraction.Outcome{
		"poll_waiting": {Status: extraction.StatusInProgress, VendorStatus: "WAITING", AwaitsDocument: true},
		"poll_processing": {
			Status: extraction.StatusInProgress, VendorStatus: "PROCESSING", Name: "1040.pdf",
		},
		"poll_unknown": {Status: extraction.StatusInProgress, VendorStatus: "NEEDS_COFFEE", Unknown: true},
		"poll_complete": {
			Status: extraction.StatusSuccess, VendorStatus: "COMPLETE", Name: "1040.pdf",
			CompletedAt: time.Date(2026, 7, 6, 20, 19, 46, 912e6, time.UTC),
		},
		"poll_complete_portfolio": {
			Status: extraction.StatusSuccess, VendorStatus: "COMPLETE",
			CompletedAt: time.Date(2026, 7, 6, 20, 20, 13, 0, time.UTC),
		},
		"poll_failed": {
			Status: extraction.StatusError, VendorStatus: "FAILED",
			CompletedAt: time.Date(2026, 7, 6, 20, 19, 46, 0, time.UTC),
			Failure: failure(map[string]any{
				"error":  "This PDF is password protected",
				"errors": []any{map[string]any{"message": "This PDF is password protected", "type": "invalid"}},
			}),
		},
		"poll_failed_object": {
			Status: extraction.StatusError, VendorStatus: "FAILED",
			Failure: failure(map[string]any{"error": map[string]any{
				"name": "ExtractionError", "download_url": "[redacted]", "cause": []any{"x", json.Number("1")},
			}}),
		},
		"poll_failed_silent": {Status: extraction.StatusError, VendorStatus: "FAILED", Failure: failure(nil)},
	} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			f, c := start(t)
			f.On(providertest.OpPoll, providertest.Answer(providertest.FixtureReply(t, 200, fixture+".json")))
			got, err := c.Poll(t.Context(), providertest.VendorID)
			if err != nil {
				t.Fatalf("Poll: %v", err)
			}
			providertest.CheckRequest(t, f.Requests(providertest.OpPoll)[0], "poll-request.json")
			if (got.Result != nil) != (want.Status == extraction.StatusSuccess) {
				t.Errorf("result %v", got.Result)
			}
			got.Result = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPollNonsense: what is not about our extraction says nothing about it.
func TestPollNonsense(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	for name, reply := range map[string]providertest.Reply{
		"other id":               providertest.FixtureReply(t, 200, "poll_other_id.json"),
		"no status":              providertest.JSON(`{"id":"` + providertest.VendorID + `"}`),
		"null status":            providertest.JSON(`{"id":"` + providertest.VendorID + `","status":null}`),
		"a gateway's own status": providertest.JSON(`{"status":"ok"}`),
	} {
		f.On(providertest.OpPoll, providertest.Answer(reply))
		if out, err := c.Poll(t.Context(), providertest.VendorID); extraction.KindOf(err) != extraction.KindTransient || err == nil {
			t.Errorf("%s: %+v, %v, want transient", name, out, err)
		}
	}
	f.On(providertest.OpPoll, providertest.Done())
	if _, err := c.Poll(t.Context(), "a/../b c"); err != nil {
		t.Errorf("Poll: %v", err)
	}
	sent := f.Requests(providertest.OpPoll)
	if last := sent[len(sent)-1]; last.Path != "/v0/documents/a%2F..%2Fb%20c" {
		t.Errorf("an odd id was asked for as %s", last.Path)
	}
	if e := asError(t, func() error { _, err := c.Poll(t.Context(), ""); return err }()); !errors.Is(e, extraction.ErrInvalid) {
		t.Errorf("Poll without an id = %v", e)
	}
}

// TestReady follows the pages of the list.
func TestReady(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	f.On(providertest.OpReady,
		providertest.Answer(providertest.FixtureReply(t, 200, "ready.json")),
		providertest.Answer(providertest.FixtureReply(t, 200, "ready_next.json")))
	got, err := c.Ready(t.Context(), extraction.ReadyQuery{
		Customer: "acme", Since: time.Date(2026, 7, 6, 22, 0, 0, 0, time.FixedZone("", 7200)),
	})
	if err != nil {
		t.Fatalf("Ready: %v", err)
	}
	want := extraction.ReadyPage{
		Items: []extraction.ReadyItem{
			{VendorID: "id-3", VendorStatus: "COMPLETE", Name: "c~01JD8Z5KXN9Q2T4V6W8Y0A1B2C.pdf"},
			{VendorID: "id-2", VendorStatus: "FAILED"},
		},
		NextCursor: "eyJpZCI6ImlkLTEifQ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first page (-want +got):\n%s", diff)
	}
	next, err := c.Ready(t.Context(), extraction.ReadyQuery{Cursor: got.NextCursor})
	if err != nil || len(next.Items) != 0 || next.NextCursor != "" {
		t.Errorf("last page = %+v, %v", next, err)
	}
	sent := f.Requests(providertest.OpReady)
	providertest.CheckRequest(t, sent[0], "ready-request.json")
	providertest.CheckRequest(t, sent[1], "ready_next-request.json")

	// A list that leads back to itself ends.
	f.On(providertest.OpReady, providertest.Answer(providertest.FixtureReply(t, 200, "ready.json")))
	if again, err := c.Ready(t.Context(), extraction.ReadyQuery{Cursor: got.NextCursor}); err != nil || again.NextCursor != "" {
		t.Errorf("a page with its own cursor = %+v, %v", again, err)
	}
}

// TestErrorForms has a fixture for each form of the API's errors.
func TestErrorForms(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status  int
		fixture string
		header  []string
		want    extraction.Error
	}{
		"schema": {400, "error_400.json", nil, extraction.Error{
			Kind: extraction.KindRejected, Code: extraction.CodeVendorRejected,
			Vendor: map[string]any{
				"message": "Invalid body", "context": map[string]any{"authorization": "[redacted]"},
				"errors": []any{map[string]any{"path": "types", "message": "must have at least 1 item"}},
			},
		}},
		"constant": {400, "error_400.txt", nil, extraction.Error{
			Kind: extraction.KindRejected, Code: extraction.CodeVendorRejected,
			Vendor: "Specified document type tax_formz does not exist",
		}},
		"key":     {401, "error_401.txt", nil, extraction.Error{Kind: extraction.KindUnauthorized, Vendor: "Unauthorized"}},
		"feature": {403, "error_403.txt", nil, extraction.Error{Kind: extraction.KindUnauthorized, Vendor: "Feature not activated"}},
		"missing": {404, "error_404.txt", nil, extraction.Error{
			Kind: extraction.KindRejected, Code: extraction.CodeVendorRejected, Vendor: "Not found",
		}},
		"type": {415, "error_415.txt", nil, extraction.Error{
			Kind: extraction.KindRejected, Code: extraction.CodeUnsupportedDocument, Vendor: "Content-Type must be application/json",
		}},
		"rate": {429, "error_429_rate.json", []string{"Retry-After", "3"}, extraction.Error{
			Kind: extraction.KindRateLimited, RetryAfter: 3 * time.Second, Vendor: map[string]any{"error": "Rate limit exceeded"},
		}},
		"quota": {429, "error_429_quota.txt", nil, extraction.Error{
			Kind: extraction.KindQuota, Vendor: "Free accounts are limited to 150 API calls per month",
		}},
		"fault": {500, "error_500.txt", nil, extraction.Error{
			Kind: extraction.KindTransient, Vendor: "Sensible encountered an unknown error",
		}},
		"gateway": {502, "error_502.html", nil, extraction.Error{
			Kind: extraction.KindTransient, Vendor: "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, c := start(t)
			f.On(providertest.OpOpen, providertest.Answer(providertest.FixtureReply(t, tt.status, tt.fixture, tt.header...)))
			_, err := c.Open(t.Context(), extraction.Submission{Type: "a"})
			got := *asError(t, err)
			if got.Err == nil || got.Op != "submit" || got.Status != tt.status {
				t.Errorf("%+v", got)
			}
			got.Err, got.Op, got.Status = nil, "", 0
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
