//go:build generated

// Command go uses the API through the client that oapi-codegen generates from its
// description: e2e's TestGeneratedClients lays that beside this file and builds both.
//
//	go URL KEY DOCUMENT
package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"

	_ "github.com/oapi-codegen/runtime" // The generated file needs it.
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: go URL KEY DOCUMENT")
		os.Exit(2)
	}
	if err := use(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("done")
}

// use takes one document through everything, and cancels another.
func use(ctx context.Context, url, key, name string) error {
	document, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	api, err := NewClientWithResponses(url, WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	}))
	if err != nil {
		return err
	}
	const account, batch, kind = "sandbox", "by-go", "tax_forms"

	refused, err := api.SubmitDocumentWithResponse(ctx, &SubmitDocumentParams{}, Submission{Account: new(account)})
	if err != nil {
		return err
	}
	if p := refused.ApplicationproblemJSON422; p == nil || p.Code != "invalid_request" || p.Detail == "" {
		return fmt.Errorf("submit of nothing: %s %s", refused.Status(), refused.Body)
	}

	paused, err := api.PauseAccountWithResponse(ctx, account)
	if err != nil {
		return err
	}
	if paused.JSON200 == nil || paused.JSON200.State != "paused" {
		return fmt.Errorf("pause: %s %s", paused.Status(), paused.Body)
	}
	queued, err := api.SubmitDocumentWithResponse(ctx, &SubmitDocumentParams{}, Submission{
		Account: new(account), Type: new(kind), Batch: new(batch), DocumentBase64: new("JVBERi0xLjQK"),
	})
	if err != nil {
		return err
	}
	if queued.JSON202 == nil || queued.JSON202.Status != "QUEUED" || queued.Headers202 == nil {
		return fmt.Errorf("submit to a paused account: %s %s", queued.Status(), queued.Body)
	}
	canceled, err := api.CancelExtractionWithResponse(ctx, queued.JSON202.Id)
	if err != nil {
		return err
	}
	if e := canceled.JSON200; e == nil || e.Status != "CANCELED" || e.Error == nil || e.Error.Code != "canceled" {
		return fmt.Errorf("cancel: %s %s", canceled.Status(), canceled.Body)
	}
	if resumed, err := api.ResumeAccountWithResponse(ctx, account); err != nil || resumed.JSON200 == nil {
		return fmt.Errorf("resume: %v, %v", resumed, err)
	}

	submitted, err := api.SubmitDocumentWithBodyWithResponse(ctx, &SubmitDocumentParams{
		Account: new(account), Type: new(kind), Batch: new(batch), Priority: new(Priority("bulk")),
	}, "application/pdf", bytes.NewReader(document))
	if err != nil {
		return err
	}
	if submitted.JSON202 == nil {
		return fmt.Errorf("submit: %s %s", submitted.Status(), submitted.Body)
	}
	id := submitted.JSON202.Id
	e := submitted.JSON202
	for range 3 { // The sandbox takes a second.
		got, err := api.GetExtractionWithResponse(ctx, id, &GetExtractionParams{Wait: new("60s")})
		if err != nil {
			return err
		}
		if got.JSON200 == nil {
			return fmt.Errorf("get: %s %s", got.Status(), got.Body)
		}
		if e = got.JSON200; e.FinishedAt != nil {
			break
		}
	}
	if e.Status != "SUCCESS" || e.Priority != "bulk" || e.Next != nil || e.Types != nil || e.Result == nil || e.Result.Fields == nil {
		return fmt.Errorf("the extraction is %+v", e)
	}
	listed, err := api.ListExtractionsWithResponse(ctx, &ListExtractionsParams{
		Batch: new(batch), Status: &[]Status{"SUCCESS", "CANCELED"},
	})
	if err != nil {
		return err
	}
	if listed.JSON200 == nil || len(listed.JSON200.Extractions) != 2 || listed.JSON200.Extractions[0].Id != id {
		return fmt.Errorf("list: %s %s", listed.Status(), listed.Body)
	}
	result, err := api.GetResultWithResponse(ctx, id)
	if err != nil {
		return err
	}
	if r := result.JSON200; r == nil || r.Fields == nil || len(*r.Fields) == 0 || r.Raw == nil {
		return fmt.Errorf("result: %s %s", result.Status(), result.Body)
	}
	original, err := api.GetDocumentWithResponse(ctx, id)
	if err != nil {
		return err
	}
	if !bytes.Equal(original.Body, document) {
		return fmt.Errorf("document: %s, %d bytes", original.Status(), len(original.Body))
	}
	if deleted, err := api.DeleteExtractionWithResponse(ctx, id); err != nil || deleted.StatusCode() != http.StatusNoContent {
		return fmt.Errorf("delete: %v, %v", deleted, err)
	}
	gone, err := api.GetExtractionWithResponse(ctx, id, nil)
	if err != nil {
		return err
	}
	if p := gone.ApplicationproblemJSON404; p == nil || p.Code != "not_found" {
		return fmt.Errorf("get of a deleted one: %s %s", gone.Status(), gone.Body)
	}
	return nil
}
