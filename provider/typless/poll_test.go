package typless_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/providertest"
)

// id is the vendor's id in the fixtures: 39 characters, for it is opaque.
const id = "0d14338251a6db69bfec36face27f7edcab7322"

// TestPoll has a fixture for each state of the vendor.
func TestPoll(t *testing.T) {
	t.Parallel()
	failed := func(vendor any) extraction.Outcome {
		return extraction.Outcome{
			Status: extraction.StatusError, VendorStatus: "ERROR",
			Failure: extraction.NewFailure(extraction.CodeVendorFailed, "Typless could not process the document", vendor),
		}
	}
	for fixture, want := range map[string]extraction.Outcome{
		"poll_in_progress": {Status: extraction.StatusInProgress, VendorStatus: "IN_PROGRESS"},
		"poll_unknown":     {Status: extraction.StatusInProgress, VendorStatus: "WAITING_FOR_REVIEW", Unknown: true},
		"poll_success":     {Status: extraction.StatusSuccess, VendorStatus: "SUCCESS", Name: "invoice.pdf"},
		"poll_success_old": {Status: extraction.StatusSuccess, VendorStatus: "SUCCESS", Name: "old.pdf"},
		"poll_error": failed(map[string]any{
			"code": "INVALID_FILE", "message": "File is password protected", "details": map[string]any{"file_name": "invoice.pdf"},
		}),
		"poll_error_text":   failed("unsupported file"),
		"poll_error_list":   failed([]any{map[string]any{"code": json.Number("17"), "message": nil}}),
		"poll_error_silent": failed(nil),
		"poll_expired": {
			Status: extraction.StatusExpired, VendorStatus: "EXPIRED",
			Failure: extraction.NewFailure(extraction.CodeExpired,
				"Typless has deleted the result, which it keeps for 48 hours", nil),
		},
	} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			f, c := start(t)
			f.On(providertest.OpPoll, providertest.Answer(providertest.FixtureReply(t, 200, fixture+".json")))
			got, err := c.Poll(t.Context(), id)
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

func TestPollNonsense(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	for name, said := range map[string]string{
		"no status":      `{"error":{},"result":{}}`,
		"null status":    `{"error":{},"result":{},"status":null}`,
		"odd status":     `{"error":{},"result":{},"status":{}}`,
		"no result":      `{"error":{},"status":"SUCCESS"}`,
		"null result":    `{"error":{},"result":null,"status":"SUCCESS"}`,
		"list as result": `{"error":{},"result":[],"status":"SUCCESS"}`,
	} {
		f.On(providertest.OpPoll, providertest.Answer(providertest.JSON(said)))
		if out, err := c.Poll(t.Context(), id); err == nil || extraction.KindOf(err) != extraction.KindTransient {
			t.Errorf("%s: %+v, %v, want transient", name, out, err)
		}
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	f.On(providertest.OpReady, providertest.Answer(providertest.FixtureReply(t, 200, "ready.json")))
	want := extraction.ReadyPage{Items: []extraction.ReadyItem{
		{VendorID: id}, {VendorID: "0e895e08e170ec2d89ddc313792d7f7b89c0a203"},
	}}
	for _, customer := range []string{"", "acme & co"} {
		got, err := c.Ready(t.Context(), extraction.ReadyQuery{Customer: customer})
		if err != nil {
			t.Fatalf("Ready: %v", err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	sent := f.Requests(providertest.OpReady)
	providertest.CheckRequest(t, sent[0], "ready-request.json")
	providertest.CheckRequest(t, sent[1], "ready_customer-request.json")

	f.On(providertest.OpReady, providertest.Answer(providertest.JSON(`["a","b"]`)))
	if got, err := c.Ready(t.Context(), extraction.ReadyQuery{}); err != nil || len(got.Items) != 2 {
		t.Errorf("a bare list = %+v, %v", got, err)
	}
}

// TestErrorForms has a fixture for each form of the API's errors at a submit.
func TestErrorForms(t *testing.T) {
	t.Parallel()
	rejected := extraction.Error{Kind: extraction.KindRejected, Code: extraction.CodeVendorRejected}
	with := func(e extraction.Error, vendor any) extraction.Error { e.Vendor = vendor; return e }
	for fixture, tt := range map[string]struct {
		status int
		want   extraction.Error
	}{
		"error_400.json": {400, with(rejected, map[string]any{
			"code": "BAD_REQUEST", "message": "File format is not supported", "details": map[string]any{},
		})},
		"error_401.json": {401, extraction.Error{
			Kind: extraction.KindUnauthorized, Vendor: map[string]any{"detail": "Invalid token [redacted]."},
		}},
		"error_403.json": {403, extraction.Error{Kind: extraction.KindUnauthorized, Vendor: map[string]any{
			"code": "FORBIDDEN", "message": "Check the URL and your authentication token.", "details": nil,
		}}},
		"error_404_type.json": {404, with(rejected, map[string]any{
			"code": "NOT_FOUND", "message": "Document type does not exist", "details": map[string]any{},
		})},
		// The vendor's framework repeats the document that it refuses.
		"error_422.json": {422, with(rejected, map[string]any{"detail": []any{map[string]any{
			"type": "string_too_short", "loc": []any{"body", "document_type_name"},
			"msg":   "String should have at least 1 character",
			"input": map[string]any{"file": "[redacted]", "document_type_name": ""},
		}}})},
		"error_500.html": {500, extraction.Error{
			Kind: extraction.KindTransient, Sent: true, Vendor: "<html><body><h1>Server Error (500)</h1></body></html>",
		}},
	} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			f, c := start(t)
			f.On(providertest.OpSubmit, providertest.Answer(providertest.FixtureReply(t, tt.status, fixture)))
			_, err := c.Submit(t.Context(), extraction.Submission{Type: "a", Bytes: int64(len(pdf)), Body: body(pdf)})
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
