package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/store"
)

type bulkInput struct{ Body protocol.Bulk }

type bulkOutput struct{ Body protocol.BulkResult }

// bulkOp is an operation on each of many extractions.
type bulkOp struct {
	name string
	// refuse says why an extraction is left unchanged.
	refuse func(ctx context.Context, s *Server, r store.Record) error
	do     func(ctx context.Context, s *Server, r store.Record, in *bulkInput) error
}

var bulkOps = []bulkOp{
	{
		"cancel",
		func(_ context.Context, _ *Server, r store.Record) error {
			if r.Status.Final() {
				return store.ErrFinal
			}
			return nil
		},
		func(ctx context.Context, s *Server, r store.Record, _ *bulkInput) error {
			_, err := s.cfg.Client.Cancel(ctx, r.Account, r.ID)
			return err
		},
	},
	{
		"retry",
		func(ctx context.Context, s *Server, r store.Record) error { return s.cfg.Client.Retryable(ctx, r) },
		func(ctx context.Context, s *Server, r store.Record, in *bulkInput) error {
			_, err := s.cfg.Client.Retry(ctx, r.Account, r.ID, in.Body.Resubmit)
			return err
		},
	},
	{
		"delete",
		func(context.Context, *Server, store.Record) error { return nil },
		func(ctx context.Context, s *Server, r store.Record, _ *bulkInput) error {
			_, err := s.cfg.Client.Delete(ctx, r.Account, r.ID)
			return err
		},
	},
	{
		"redeliver",
		func(_ context.Context, _ *Server, r store.Record) error { return intake.Redeliverable(r.Extraction()) },
		func(ctx context.Context, s *Server, r store.Record, _ *bulkInput) error {
			_, err := s.cfg.Client.Redeliver(ctx, r.Account, r.ID)
			return err
		},
	},
}

func (s *Server) registerBulk(api huma.API) {
	for _, op := range bulkOps {
		huma.Register(api, huma.Operation{
			OperationID: op.name + "Extractions", Tags: tagged(tagMany), BodyReadTimeout: defaultReadLimits.silence, Method: http.MethodPost, Path: "/v1/extractions/" + op.name,
			Summary: op.name + " many extractions, by ids or by a filter",
		}, func(ctx context.Context, in *bulkInput) (*bulkOutput, error) { return s.bulk(ctx, op, in) })
	}
}

// bulk applies op to the chosen extractions. If it is interrupted, the same request
// completes it: each operation skips what is done.
func (s *Server) bulk(ctx context.Context, op bulkOp, in *bulkInput) (*bulkOutput, error) {
	f := in.Body.Filter
	if (f == nil) == (len(in.Body.IDs) == 0) || f != nil && f.IsZero() {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "give either ids or a filter with at least one member")
	}
	out := &bulkOutput{}
	touched := map[string]bool{} // The accounts.
	one := func(r store.Record) error {
		out.Body.Matched++
		err := op.refuse(ctx, s, r)
		if err == nil && !in.Body.DryRun {
			err = op.do(ctx, s, r, in)
		}
		switch {
		case err == nil:
			out.Body.Done++
			touched[r.Account] = true
			return nil
		case s.concernsOne(err):
			out.Body.Skipped++
			return nil
		}
		return err
	}
	err := s.eachNamed(ctx, in, one)
	if op.name == "delete" && !in.Body.DryRun {
		forget, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		for account := range touched {
			err = errors.Join(err, s.cfg.Client.ForgetEvents(forget, account))
		}
	}
	if err != nil {
		return nil, s.explain(err)
	}
	return out, nil
}

// concernsOne reports whether an error is about one extraction and not about a service.
func (s *Server) concernsOne(err error) bool {
	return errors.Is(err, store.ErrStale) || s.explain(err).Status < 500
}

// eachNamed calls use for each chosen extraction that the caller may see.
func (s *Server) eachNamed(ctx context.Context, in *bulkInput, use func(store.Record) error) error {
	if f := in.Body.Filter; f != nil {
		accounts, filter, err := s.filter(ctx, *f)
		if err != nil {
			return err
		}
		for r, err := range s.cfg.Records.List(ctx, accounts, filter, store.Cursor{}) {
			if err == nil {
				err = use(r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	accounts, err := s.scope(ctx)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, id := range in.Body.IDs {
		if seen[id] {
			continue // An id that is listed twice counts once.
		}
		seen[id] = true
		found, err := s.cfg.Records.GetAll(ctx, accounts, id)
		if err != nil {
			return err
		}
		for _, r := range found {
			if callerOf(ctx).sees(r) {
				if err := use(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
