package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/store"
)

type readyInput struct {
	Customer string `query:"customer"`
	Limit    int    `query:"limit" default:"50" minimum:"1" maximum:"1000"`
	Cursor   string `query:"cursor" maxLength:"200"`
	Wait     string `query:"wait" doc:"hold an empty answer until there is something, at most 60s"`
}

type ackInput struct{ Body protocol.Ack }

type ackOutput struct{ Body protocol.Acked }

func (s *Server) registerReady(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "listReady", Tags: tagged(tagReady), Method: http.MethodGet, Path: "/v1/ready",
		Summary: "List what is final and not acknowledged, the oldest first",
	}, s.ready)
	huma.Register(api, huma.Operation{
		OperationID: "acknowledge", Tags: tagged(tagReady), BodyReadTimeout: defaultReadLimits.silence, Method: http.MethodPost, Path: "/v1/ready/ack",
		Summary: "Acknowledge extractions; again does no harm",
	}, s.ack)
}

func (s *Server) ready(ctx context.Context, in *readyInput) (*listOutput, error) {
	wait, err := parseWait(in.Wait)
	if err != nil {
		return nil, err
	}
	asked := extraction.Filter{Customer: in.Customer}
	list := digestOf("ready", asked)
	after, err := list.after(in.Cursor)
	if err != nil {
		return nil, err
	}
	accounts, f, err := s.filter(ctx, asked)
	if err != nil {
		return nil, s.explain(err)
	}
	ctx, release := s.hold(ctx)
	defer release()
	changed, done := s.hub.watch("")
	defer done()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		out, err := s.readyPage(ctx, accounts, f.Customer, list, after, in.Limit)
		if errors.Is(context.Cause(ctx), errRevoked) {
			return nil, revoked()
		}
		if err != nil {
			return nil, s.explain(err)
		}
		if len(out.Body.Extractions) > 0 || wait == 0 {
			return out, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return out, nil
		case <-s.stopping.Done():
			return out, nil
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errRevoked) {
				return nil, revoked()
			}
			return out, nil
		}
	}
}

func (s *Server) readyPage(ctx context.Context, accounts []string, customer string, list listDigest, after store.Cursor, limit int) (*listOutput, error) {
	out := &listOutput{Body: protocol.Page{Extractions: []extraction.Extraction{}}}
	for r, err := range s.cfg.Records.Ready(ctx, accounts, customer, after) {
		if err != nil {
			return nil, err
		}
		if len(out.Body.Extractions) == limit {
			out.Body.NextCursor = list.cursor(positionOf(after))
			break
		}
		out.Body.Extractions = append(out.Body.Extractions, r.Extraction())
		after = store.ReadyCursorOf(r)
	}
	return out, nil
}

func (s *Server) ack(ctx context.Context, in *ackInput) (*ackOutput, error) {
	accounts, err := s.scope(ctx)
	if err != nil {
		return nil, s.explain(err)
	}
	found, err := s.cfg.Records.GetAll(ctx, accounts, in.Body.IDs...)
	if err != nil {
		return nil, s.explain(err)
	}
	byAccount := map[string][]string{}
	for _, r := range found {
		if callerOf(ctx).sees(r) {
			byAccount[r.Account] = append(byAccount[r.Account], r.ID)
		}
	}
	out := &ackOutput{}
	for account, ids := range byAccount {
		n, err := s.cfg.Records.Acknowledge(ctx, account, ids...)
		if err != nil {
			return nil, s.explain(err)
		}
		out.Body.Acknowledged += n
	}
	return out, nil
}
