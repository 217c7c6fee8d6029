package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
)

type accountInput struct {
	Account string `path:"account" maxLength:"40"`
}

type accountOutput struct{ Body extraction.AccountState }

type accountsOutput struct{ Body protocol.Accounts }

func (s *Server) registerAccounts(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "listAccounts", Tags: tagged(tagAccounts), Method: http.MethodGet, Path: "/v1/accounts", Summary: "List accounts with their state",
	}, func(ctx context.Context, _ *struct{}) (*accountsOutput, error) {
		out := &accountsOutput{}
		var err error
		if out.Body.Accounts, err = s.states(ctx); err != nil {
			return nil, s.explain(err)
		}
		return out, nil
	})
	huma.Register(api, huma.Operation{
		OperationID: "getAccount", Tags: tagged(tagAccounts), Method: http.MethodGet, Path: "/v1/accounts/{account}", Summary: "Get an account's state",
		Errors: []int{404},
	}, func(ctx context.Context, in *accountInput) (*accountOutput, error) { return s.account(ctx, in.Account) })
	for name, change := range map[string]func(context.Context, string) error{
		"pause": s.cfg.States.Pause, "resume": s.cfg.States.Resume,
	} {
		huma.Register(api, huma.Operation{
			OperationID: name + "Account", Tags: tagged(tagAccounts), Method: http.MethodPost, Path: "/v1/accounts/{account}/" + name,
			Summary: name + " an account; for operators", Errors: []int{404},
		}, func(ctx context.Context, in *accountInput) (*accountOutput, error) {
			if !callerOf(ctx).Operator {
				return nil, problem(http.StatusForbidden, codeForbidden, "this needs the key of an operator")
			}
			if _, err := s.account(ctx, in.Account); err != nil {
				return nil, err
			}
			if err := change(ctx, in.Account); err != nil {
				return nil, s.explain(err)
			}
			return s.account(ctx, in.Account)
		})
	}
}

// states returns the accounts that the caller may use.
func (s *Server) states(ctx context.Context) ([]extraction.AccountState, error) {
	all, err := s.cfg.States.States(ctx)
	caller := callerOf(ctx)
	return slices.DeleteFunc(all, func(a extraction.AccountState) bool { return !caller.uses(a.Name) }), err
}

func (s *Server) account(ctx context.Context, name string) (*accountOutput, error) {
	all, err := s.states(ctx)
	if err != nil {
		return nil, s.explain(err)
	}
	for _, a := range all {
		if a.Name == name {
			return &accountOutput{a}, nil
		}
	}
	return nil, problem(http.StatusNotFound, codeNotFound, "there is no such account")
}
