package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/polling/plan"
	"github.com/extractq/extractq/store"
)

type batchInput struct {
	Batch string `path:"batch" maxLength:"512"`
}

type batchOutput struct{ Body protocol.Batch }

type batchesInput struct {
	Limit  int    `query:"limit" default:"50" minimum:"1" maximum:"1000"`
	Cursor string `query:"cursor" maxLength:"800"`
}

type batchesOutput struct{ Body protocol.BatchPage }

func (s *Server) registerBatches(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "listBatches", Tags: tagged(tagBatches), Method: http.MethodGet, Path: "/v1/batches",
		Summary: "List batches, those with the latest extraction first",
		Description: "A batch that gets another extraction moves to the front. A page may have fewer than limit while " +
			"next_cursor says where to go on. A batch is listed for the retention after its last extraction was erased.",
	}, s.batches)
	huma.Register(api, huma.Operation{
		OperationID: "getBatch", Tags: tagged(tagBatches), Method: http.MethodGet, Path: "/v1/batches/{batch}",
		Summary: "Get how far a batch is", Errors: []int{404},
	}, s.batch)
}

func (s *Server) batch(ctx context.Context, in *batchInput) (*batchOutput, error) {
	accounts, err := s.scope(ctx)
	if err != nil {
		return nil, s.explain(err)
	}
	b, err := s.cfg.Records.Count(ctx, accounts, in.Batch, callerOf(ctx).Customer)
	if errors.Is(err, store.ErrNotFound) {
		return nil, problem(http.StatusNotFound, codeNotFound, "there is no such batch")
	}
	if err != nil {
		return nil, s.explain(err)
	}
	o, err := s.outlook(ctx, accounts)
	if err != nil {
		return nil, s.explain(err)
	}
	return &batchOutput{o.progress(b)}, nil
}

func (s *Server) batches(ctx context.Context, in *batchesInput) (*batchesOutput, error) {
	list := digestOf("batches", extraction.Filter{})
	after, err := list.after(in.Cursor)
	if err != nil {
		return nil, err
	}
	accounts, err := s.scope(ctx)
	if err != nil {
		return nil, s.explain(err)
	}
	found, next, err := s.cfg.Records.Batches(ctx, accounts, callerOf(ctx).Customer, after, in.Limit)
	if err != nil {
		return nil, s.explain(err)
	}
	o, err := s.outlook(ctx, accounts)
	if err != nil {
		return nil, s.explain(err)
	}
	out := &batchesOutput{}
	out.Body.Batches = []protocol.Batch{}
	for _, b := range found {
		out.Body.Batches = append(out.Body.Batches, o.progress(b))
	}
	if next != (store.Cursor{}) {
		out.Body.NextCursor = list.cursor(positionOf(next))
	}
	return out, nil
}

// percent is rounded down to tenths: 100 means all.
func percent(final, total int64) float64 {
	return math.Floor(float64(final)*1000/float64(total)) / 10
}

// callsPerExtraction estimates the calls that one extraction takes: one submission, and the
// polls of an ordinary vendor.
const callsPerExtraction = 4

// outlook is what the end of a batch is estimated from: the slowest of the accounts that
// may be in it. rate is zero if no account has one; last is how long the last document of a
// batch takes.
type outlook struct {
	rate float64
	last time.Duration
}

func (s *Server) outlook(ctx context.Context, accounts []string) (outlook, error) {
	o := outlook{}
	for _, name := range accounts {
		all, _, err := s.cfg.Polls.Histories(ctx, name, "")
		if err != nil {
			return o, err
		}
		law := plan.Estimate(plan.Histogram(all.Bins), nil, plan.Prior())
		o.last = max(o.last, time.Duration(law.Quantile(0.9)*float64(time.Second)))
		if a, ok := s.open(name); ok && a.Rate > 0 && (o.rate == 0 || a.Rate < o.rate) {
			o.rate = a.Rate
		}
	}
	return o, nil
}

// progress returns a batch for the answer.
func (o outlook) progress(b store.Batch) protocol.Batch {
	out := protocol.Batch{Batch: b.Name, Total: b.Total(), Counts: b.Counts}
	out.Percent = percent(b.Final(), b.Total())
	left := b.Total() - b.Final()
	if left == 0 {
		return out
	}
	wait := o.last
	if o.rate > 0 {
		wait += time.Duration(float64(left*callsPerExtraction) / o.rate * float64(time.Second))
	}
	out.EstimatedFinishAt = extraction.Time{Time: time.Now().Add(wait)}
	return out
}
