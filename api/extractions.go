package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/store"
)

// IDInput names one extraction.
type IDInput struct {
	ID string `path:"id" maxLength:"64" doc:"the extraction's id"`
}

type oneOutput struct{ Body extraction.Extraction }

type retryOutput struct {
	Status   int
	Location string `header:"Location"`
	Body     extraction.Extraction
}

type getInput struct {
	IDInput

	Wait string `query:"wait" doc:"hold the answer until the extraction is final, at most 60s" example:"30s"`
}

type listOutput struct{ Body protocol.Page }

func (s *Server) registerExtractions(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "listExtractions", Tags: tagged(tagExtractions), Method: http.MethodGet, Path: "/v1/extractions", Summary: "List extractions, the newest first",
	}, s.list)
	huma.Register(api, huma.Operation{
		OperationID: "getExtraction", Tags: tagged(tagExtractions), Method: http.MethodGet, Path: "/v1/extractions/{id}", Summary: "Get an extraction, and wait for it",
		Errors: []int{404},
	}, s.get)
	huma.Register(api, huma.Operation{
		OperationID: "cancelExtraction", Tags: tagged(tagExtractions), Method: http.MethodPost, Path: "/v1/extractions/{id}/cancel", Summary: "Cancel an extraction",
		Description: "It stops neither the vendor nor its charge.", Errors: []int{404, 409},
	}, s.cancel)
	huma.Register(api, huma.Operation{
		OperationID: "retryExtraction", Tags: tagged(tagExtractions), Method: http.MethodPost, Path: "/v1/extractions/{id}/retry",
		BodyReadTimeout: defaultReadLimits.silence, Summary: "Repeat an extraction that did not succeed",
		Description: "Where the vendor may have the old one after all, it is asked for that first. " +
			"A SUCCESS whose stored result is damaged or gone (result_unavailable) is answered with 200 under its own id: " +
			"its result is fetched from the vendor again, and nothing is submitted.",
		DefaultStatus: http.StatusAccepted, Errors: []int{404, 409},
	}, s.retry)
	repeated := api.OpenAPI().Paths["/v1/extractions/{id}/retry"].Post.Responses
	fetched := *repeated["202"]
	fetched.Description = http.StatusText(http.StatusOK)
	repeated["200"] = &fetched
	huma.Register(api, huma.Operation{
		OperationID: "deleteExtraction", Tags: tagged(tagExtractions), Method: http.MethodDelete, Path: "/v1/extractions/{id}", Summary: "Erase an extraction and all that belongs to it",
		DefaultStatus: http.StatusNoContent, Errors: []int{404},
	}, s.delete)
	s.registerRaw(api, huma.Operation{
		OperationID: "getResult", Path: "/v1/extractions/{id}/result", Summary: "Get the result alone",
	}, "application/json", api.OpenAPI().Components.Schemas.Schema(typeOf[extraction.Result](), true, "Result"), s.result)
	s.registerRaw(api, huma.Operation{
		OperationID: "getDocument", Path: "/v1/extractions/{id}/document", Summary: "Get the original document, while it is kept",
	}, "*/*", binary(""), s.document)
}

// registerRaw registers a route that answers with bytes.
func (s *Server) registerRaw(
	api huma.API, op huma.Operation, media string, schema *huma.Schema, h func(http.ResponseWriter, *http.Request, string) error,
) {
	op.Method, op.Tags = http.MethodGet, tagged(tagExtractions)
	op.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}}
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{media: {Schema: schema}}}}
	describeProblems(api, &op, 404)
	api.OpenAPI().AddOperation(&op)
	api.Adapter().Handle(&op, func(c huma.Context) {
		r, w := humago.Unwrap(c)
		if err := h(w, r, c.Param("id")); err != nil {
			writeProblem(w, s.explain(err))
		}
	})
}

func (s *Server) get(ctx context.Context, in *getInput) (*oneOutput, error) {
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, err
	}
	r, err := s.find(ctx, in.ID)
	if err == nil && wait > 0 {
		r, err = s.awaitFinal(ctx, r.Account, r.ID, wait)
	}
	if errors.Is(err, errRevoked) {
		return nil, revoked()
	}
	if err != nil {
		return nil, s.explain(err)
	}
	e, err := s.cfg.Blobs.Whole(ctx, r)
	if err != nil {
		return nil, s.explain(err)
	}
	return &oneOutput{e}, nil
}

func (s *Server) list(ctx context.Context, in *protocol.List) (*listOutput, error) {
	list := digestOf("extractions", in.Filter)
	after, err := list.after(in.Cursor)
	if err != nil {
		return nil, err
	}
	accounts, f, err := s.filter(ctx, in.Filter)
	if err != nil {
		return nil, s.explain(err)
	}
	out := &listOutput{Body: protocol.Page{Extractions: []extraction.Extraction{}}}
	for r, err := range s.cfg.Records.List(ctx, accounts, f, after) {
		if err != nil {
			return nil, s.explain(err)
		}
		if len(out.Body.Extractions) == in.Limit {
			out.Body.NextCursor = list.cursor(positionOf(after))
			break
		}
		out.Body.Extractions = append(out.Body.Extractions, r.Extraction())
		after = store.CursorOf(r)
	}
	return out, nil
}

// filter narrows f to what the caller may see: the accounts returned, and the caller's
// customer.
func (s *Server) filter(ctx context.Context, f extraction.Filter) ([]string, extraction.Filter, error) {
	accounts, err := s.scope(ctx, f.Account...)
	if only := callerOf(ctx).Customer; only != "" {
		if f.Customer != "" && f.Customer != only {
			accounts = nil // Extractions of others do not exist for the caller.
		}
		f.Customer = only
	}
	return accounts, f, err
}

func (s *Server) cancel(ctx context.Context, in *IDInput) (*oneOutput, error) {
	r, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, s.explain(err)
	}
	e, err := s.cfg.Client.Cancel(ctx, r.Account, r.ID)
	if err != nil {
		return nil, s.explain(err)
	}
	e.Result = &extraction.Result{}
	return &oneOutput{e}, nil
}

type retryInput struct {
	IDInput

	Resubmit bool `query:"resubmit" doc:"submit, and pay, again without asking the vendor for the old one"`
	Body     *struct {
		Resubmit bool `json:"resubmit,omitempty" doc:"as in the query"`
	}
}

func (s *Server) retry(ctx context.Context, in *retryInput) (*retryOutput, error) {
	r, err := s.find(ctx, in.ID)
	if err != nil {
		return nil, s.explain(err)
	}
	e, err := s.cfg.Client.Retry(ctx, r.Account, r.ID, in.Resubmit || in.Body != nil && in.Body.Resubmit)
	if err != nil {
		return nil, s.explain(err)
	}
	e.Result = &extraction.Result{}
	status := http.StatusAccepted
	if e.ID == r.ID { // Its result is fetched again.
		status = http.StatusOK
	}
	return &retryOutput{Status: status, Location: "/v1/extractions/" + e.ID, Body: e}, nil
}

func (s *Server) delete(ctx context.Context, in *IDInput) (*struct{}, error) {
	r, err := s.find(ctx, in.ID)
	if err != nil {
		gone, goneErr := s.wasErased(ctx, in.ID)
		if goneErr == nil && gone {
			return nil, nil
		}
		return nil, s.explain(err)
	}
	if _, err := s.cfg.Client.Delete(ctx, r.Account, r.ID); err != nil {
		return nil, s.explain(err)
	}
	if err := s.cfg.Client.ForgetEvents(ctx, r.Account); err != nil {
		return nil, s.explain(err)
	}
	return nil, nil
}

// wasErased reports whether an id is that of an erased extraction that the caller may know
// of.
func (s *Server) wasErased(ctx context.Context, id string) (bool, error) {
	accounts, err := s.scope(ctx)
	if err != nil {
		return false, err
	}
	for _, account := range accounts {
		if erased, err := s.cfg.Records.ErasedOf(ctx, account, id, callerOf(ctx).Customer); erased || err != nil {
			return erased, err
		}
	}
	return false, nil
}
