package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/fixtures"
)

func newReader(b []byte) *bytes.Reader { return bytes.NewReader(b) }

// wantCode fails the test unless err is an *client.Error with a status and a code.
func wantCode(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Status != status || e.Code != code || e.Detail == "" {
		t.Errorf("%s: %v, want %d %s", what, err, status, code)
	}
}

// must is what a call returned that must succeed.
func must[T any](t *testing.T, what string) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

// A document goes through everything, from a file to its erasure.
func TestStory(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), newClient(t, newService(t, true).url+"/", key)
	path := filepath.Join(t.TempDir(), "Zürich \"1040\".pdf")
	body := fixtures.TaxForm(1)
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	s := client.Submission{Source: client.File(path).Typed("application/pdf"), IdempotencyKey: "po 4711", Fields: client.Fields{
		Account: "acme", Type: "tax_forms", Batch: "may/1", Customer: "blue",
		Metadata: map[string]string{"po": "a=b&c", "ü": "\n"}, Options: map[string]any{},
	}}
	e := must[client.Extraction](t, "Submit")(c.Submit(ctx, s))
	if e.Document.Name != filepath.Base(path) || e.Document.Bytes == nil || *e.Document.Bytes != int64(len(body)) {
		t.Errorf("document %+v, want %s of %d bytes", e.Document, path, len(body))
	}
	if diff := cmp.Diff(s.Fields.Metadata, e.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if again := must[client.Extraction](t, "Submit again")(c.Submit(ctx, s)); again.ID != e.ID {
		t.Errorf("the same key gave %s, want %s", again.ID, e.ID)
	}
	other := s
	other.Fields.Batch = "june"
	_, err := c.Submit(ctx, other)
	wantCode(t, "key reused", err, 422, client.CodeKeyReused)
	done := must[client.Extraction](t, "Wait")(c.Wait(ctx, e.ID))
	if done.Status != extraction.StatusSuccess || done.Result == nil || len(done.Result.Fields) == 0 {
		t.Fatalf("ended as %s with %+v", done.Status, done.Result)
	}
	result := must[*extraction.Result](t, "Result")(c.Result(ctx, e.ID))
	if diff := cmp.Diff(done.Result, result); diff != "" {
		t.Errorf("Result differs from Wait's (-want +got):\n%s", diff)
	}
	stream := must[io.ReadCloser](t, "OpenResult")(c.OpenResult(ctx, e.ID))
	var streamed extraction.Result
	if err := errors.Join(json.NewDecoder(stream).Decode(&streamed), stream.Close()); err != nil || len(streamed.Fields) != len(result.Fields) {
		t.Errorf("streamed: %v, %d fields, want %d", err, len(streamed.Fields), len(result.Fields))
	}
	d := must[*client.Document](t, "Document")(c.Document(ctx, e.ID))
	kept, err := io.ReadAll(d)
	if _ = d.Close(); err != nil || !bytes.Equal(kept, body) || d.ContentType != "application/pdf" || d.Bytes != int64(len(body)) {
		t.Errorf("Document: %d bytes of %s (%d), %v", len(kept), d.ContentType, d.Bytes, err)
	}
	if b := must[client.Batch](t, "Batch")(c.Batch(ctx, "may/1")); b.Total != 1 || b.Percent != 100 {
		t.Errorf("batch %+v", b)
	}
	ready := must[client.Page](t, "Ready")(c.Ready(ctx, client.ReadyQuery{Wait: time.Second, Customer: "blue"}))
	if len(ready.Extractions) != 1 || ready.Extractions[0].ID != e.ID {
		t.Errorf("ready: %+v", ready)
	}
	if n := must[int64](t, "Ack")(c.Ack(ctx, e.ID)); n != 1 {
		t.Errorf("acknowledged %d, want 1", n)
	}
	_, err = c.Cancel(ctx, e.ID)
	wantCode(t, "Cancel", err, 409, client.CodeFinal)
	_, err = c.Retry(ctx, e.ID, false)
	wantCode(t, "Retry", err, 409, client.CodeConflict)
	wantCode(t, "Redeliver", c.Redeliver(ctx, e.ID), 409, client.CodeConflict)
	wantCode(t, "Redeliver an unknown one", c.Redeliver(ctx, "01JD0Z3M9V7Q8W2R5T6Y4X1C0B"), 404, client.CodeNotFound)
	for range 2 { // One that is gone is no error.
		if err := c.Delete(ctx, e.ID); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	_, err = c.Get(ctx, e.ID)
	wantCode(t, "Get what is gone", err, 404, client.CodeNotFound)
	_, err = c.Get(ctx, "../accounts")
	wantCode(t, "Get a path", err, 404, client.CodeNotFound)
}

// What waits in the queue is listed in pages, changed one by one and all at once.
func TestManage(t *testing.T) {
	t.Parallel()
	s := newService(t, false)
	ctx, c := t.Context(), newClient(t, s.url, key)
	var ids []string
	for i := range 5 {
		ids = append(ids, must[client.Extraction](t, "Submit")(c.Submit(ctx, form(fmt.Sprintf("b%d", i%2)))).ID)
	}
	slices.Reverse(ids)
	var listed []string
	cursor := ""
	for {
		p := must[client.Page](t, "Page")(c.Page(ctx, client.Filter{Account: []string{"acme"}}, 2, cursor))
		for _, e := range p.Extractions {
			listed = append(listed, e.ID)
		}
		if p.NextCursor == nil {
			break
		}
		cursor = *p.NextCursor
	}
	if diff := cmp.Diff(ids, listed); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	count := func(f client.Filter) int {
		n := 0
		for _, err := range c.List(ctx, f) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	soon := extraction.Time{Time: time.Now().Add(time.Minute)}
	for _, tc := range []struct {
		name string
		f    client.Filter
		want int
	}{
		{"all", client.Filter{}, 5},
		{"batch", client.Filter{Batch: "b1"}, 2},
		{"since", client.Filter{Since: soon}, 0},
		{"until", client.Filter{Until: soon}, 5},
		{"status", client.Filter{Status: []extraction.Status{extraction.StatusSuccess, extraction.StatusQueued}}, 5},
		{"type", client.Filter{Type: "other"}, 0},
	} {
		if n := count(tc.f); n != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, n, tc.want)
		}
	}
	for _, err := range c.List(ctx, client.Filter{}) {
		if err != nil {
			t.Error(err)
		}
		break // An iterator may be left.
	}
	dry := must[client.BulkResult](t, "dry run")(c.CancelMany(ctx, client.Bulk{Filter: &client.Filter{Batch: "b1"}, DryRun: true}))
	if diff := cmp.Diff(client.BulkResult{Matched: 2, Done: 2}, dry); diff != "" {
		t.Errorf("dry run (-want +got):\n%s", diff)
	}
	if e := must[client.Extraction](t, "Cancel")(c.Cancel(ctx, ids[0])); e.Status != extraction.StatusCanceled {
		t.Errorf("canceled: %s", e.Status)
	}
	all := client.Bulk{Filter: &client.Filter{Account: []string{"acme"}, Until: soon}}
	if r := must[client.BulkResult](t, "CancelMany")(c.CancelMany(ctx, all)); r != (client.BulkResult{Matched: 5, Done: 4, Skipped: 1}) {
		t.Errorf("CancelMany: %+v", r)
	}
	if next := must[client.Extraction](t, "Retry")(c.Retry(ctx, ids[1], true)); string(next.RetryOf) != ids[1] {
		t.Errorf("retried: %+v", next)
	}
	if r := must[client.BulkResult](t, "RetryMany")(c.RetryMany(ctx, client.Bulk{IDs: ids[:3]})); r != (client.BulkResult{Matched: 3, Done: 2, Skipped: 1}) {
		t.Errorf("RetryMany: %+v", r)
	}
	if r := must[client.BulkResult](t, "DeleteMany")(c.DeleteMany(ctx, client.Bulk{Filter: &client.Filter{Batch: "b1"}})); r.Done != r.Matched || r.Done == 0 {
		t.Errorf("DeleteMany: %+v", r)
	}
	_, err := c.DeleteMany(ctx, client.Bulk{Filter: &client.Filter{}})
	wantCode(t, "an empty filter", err, 422, client.CodeInvalid)
	names := 0
	for b, err := range c.Batches(ctx) {
		if names++; err != nil || b.Batch == "" {
			t.Errorf("Batches: %+v, %v", b, err)
		}
	}
	if names == 0 {
		t.Error("no batches")
	}
	paused := must[extraction.AccountState](t, "PauseAccount")(c.PauseAccount(ctx, "acme"))
	resumed := must[extraction.AccountState](t, "ResumeAccount")(c.ResumeAccount(ctx, "acme"))
	if paused.State != extraction.AccountPaused || resumed.State != extraction.AccountActive {
		t.Errorf("paused: %+v, resumed: %+v", paused, resumed)
	}
	_, err = c.Account(ctx, "other")
	wantCode(t, "an unknown account", err, 404, client.CodeNotFound)
}

// What the server refuses keeps its status, code and faults.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := newService(t, false)
	ctx := t.Context()
	c, blue := newClient(t, s.url, key), newClient(t, s.url, "k-blue")
	e := must[client.Extraction](t, "Submit")(c.Submit(ctx, form("")))
	_, err := newClient(t, s.url, "wrong").Accounts(ctx)
	wantCode(t, "a wrong key", err, 401, client.CodeUnauthorized)
	wantCode(t, "Check with a wrong key", newClient(t, s.url, "").Check(ctx), 401, client.CodeUnauthorized)
	_, err = blue.Get(ctx, e.ID)
	wantCode(t, "another customer's", err, 404, client.CodeNotFound)
	for _, odd := range []string{".", "..", "a/b", "?"} {
		_, err = c.Get(ctx, odd)
		wantCode(t, "the id "+odd, err, 404, client.CodeNotFound)
		_, err = c.Batch(ctx, odd)
		wantCode(t, "the batch "+odd, err, 404, client.CodeNotFound)
	}
	_, err = blue.PauseAccount(ctx, "acme")
	wantCode(t, "no operator", err, 403, client.CodeForbidden)
	_, err = c.Result(ctx, e.ID)
	wantCode(t, "not finished", err, 404, client.CodeNotFinished)
	bad := form("")
	bad.Fields.Account = "nobody"
	_, err = c.Submit(ctx, bad)
	wantCode(t, "an unknown account", err, 422, client.CodeUnknownAccount)
	if failed, ok := errors.AsType[*client.Error](err); ok && failed.IdempotencyKey == "" {
		t.Error("the error of a submission has no key to repeat it with")
	}
	html := form("")
	html.Source = client.Reader(newReader([]byte("<html>")), "x.pdf").Typed("application/pdf")
	_, err = c.Submit(ctx, html)
	wantCode(t, "a wrong type", err, 422, client.CodeMismatch)
	large := form("")
	large.Source = client.Reader(newReader(make([]byte, 6<<20)), "large.pdf")
	_, err = c.Submit(ctx, large)
	wantCode(t, "too large", err, 413, client.CodeTooLarge)
	inside := form("")
	inside.Source = client.URL("http://127.0.0.1/x.pdf")
	_, err = c.Submit(ctx, inside)
	wantCode(t, "an internal URL", err, 422, client.CodeURLRefused)
	empty := form("")
	empty.Source = client.Reader(newReader(nil), "empty.pdf")
	_, err = c.Submit(ctx, empty)
	wantCode(t, "an empty document", err, 422, client.CodeInvalid)
	_, err = c.Page(ctx, client.Filter{}, 10, "nonsense")
	wantCode(t, "a bad cursor", err, 422, client.CodeCursor)
	_, err = c.Page(ctx, client.Filter{}, 5000, "")
	if failed, ok := errors.AsType[*client.Error](err); !ok || len(failed.Errors) != 1 || failed.Errors[0].Location != "query.limit" {
		t.Errorf("a limit of 5000: %v", err)
	}
	_, err = c.Submit(ctx, client.Submission{Fields: client.Fields{Account: "acme", Type: "t"}})
	if err == nil {
		t.Error("a submission without a document was sent")
	}
	_, err = c.Submit(ctx, client.Submission{Source: client.File(filepath.Join(t.TempDir(), "none.pdf"))})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// Options that are not text, and ids of the vendor's, arrive as what they are.
func TestForms(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), newClient(t, newService(t, false).url, key)
	for _, size := range []int{0, 1, 2, 3, 24576, 24577, 100000} {
		s := form("")
		s.Fields.Options = map[string]any{"extra_data": map[string]any{"size": size}}
		s.Source = client.Reader(newReader(append([]byte("%PDF-1.7 "), make([]byte, size)...)), "x.pdf")
		e, err := c.Submit(ctx, s)
		if err != nil {
			t.Fatalf("%d bytes as JSON: %v", size, err)
		}
		extra, _ := e.Options["extra_data"].(map[string]any)
		if *e.Document.Bytes != int64(size+9) || extra["size"] != json.Number(strconv.Itoa(size)) {
			t.Errorf("%d bytes as JSON arrived as %d with %v", size+9, *e.Document.Bytes, e.Options)
		}
	}
	adopted := form("")
	adopted.Source = client.VendorID("14d82783-45a7-4f1c-9d7b-0c2f5a6f8e11")
	e := must[client.Extraction](t, "adopt")(c.Submit(ctx, adopted))
	if e.Vendor.ID != "14d82783-45a7-4f1c-9d7b-0c2f5a6f8e11" {
		t.Errorf("adopted %+v", e.Vendor)
	}
	_, err := c.Submit(ctx, adopted)
	wantCode(t, "adopted twice", err, 409, client.CodeConflict)
	if failed, ok := errors.AsType[*client.Error](err); ok && failed.Extraction != e.ID {
		t.Errorf("adopted twice: the error names %q, want %q", failed.Extraction, e.ID)
	}
}
