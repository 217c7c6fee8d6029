package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/store"
)

func (s *Server) registerSubmit(api huma.API) {
	op := submitOperation(api)
	api.OpenAPI().AddOperation(&op)
	api.Adapter().Handle(&op, func(c huma.Context) {
		r, w := humago.Unwrap(c)
		if err := s.submit(w, r); err != nil {
			writeProblem(w, s.explain(err))
		}
	})
}

// submit accepts one document.
func (s *Server) submit(w http.ResponseWriter, r *http.Request) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(newPacedBody(w, r, s.readLimits))
	answerIn(w, receiveWithin)
	req, err := s.readRequest(r)
	if err != nil {
		return err
	}
	defer req.spool.Close()
	wait, err := parseWait(req.Wait)
	if err != nil {
		return err
	}
	if key != "" {
		key = callerOf(r.Context()).Name + "\n" + key
	}
	sub, err := s.submission(r.Context(), req)
	if err != nil {
		return err
	}
	var e extraction.Extraction
	replayed := false
	switch {
	case key != "":
		e, replayed, err = s.accepts.SubmitOnce(r.Context(), sub, req.vendorID, key)
	case req.vendorID != "":
		e, err = s.accepts.Adopt(r.Context(), sub, req.vendorID)
	default:
		e, err = s.accepts.Submit(r.Context(), sub)
	}
	if errors.Is(err, store.ErrFollowed) {
		return s.followed(r.Context(), sub.Account, req.vendorID, err)
	}
	if err != nil {
		return err
	}
	if replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	answerIn(w, wait)
	rec, err := s.awaitFinal(r.Context(), e.Account, e.ID, wait)
	if errors.Is(err, errRevoked) {
		err = nil // It was accepted, whatever happened to its key since.
	}
	if err != nil {
		return err
	}
	return s.answerOne(r.Context(), w, rec, http.StatusAccepted)
}

// followed is the problem for a vendor id that an extraction follows already. It names that
// extraction if the caller may see it.
func (s *Server) followed(ctx context.Context, account, vendorID string, err error) error {
	p := s.explain(err)
	id, err := s.cfg.Records.Follower(ctx, account, vendorID)
	if err == nil {
		_, err = s.find(ctx, id)
	}
	switch {
	case err == nil:
		p.Extraction = id
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return p
}

// answerOne answers with an extraction and its result; status is used while it is not
// final.
func (s *Server) answerOne(ctx context.Context, w http.ResponseWriter, rec store.Record, status int) error {
	e, err := s.cfg.Blobs.Whole(ctx, rec)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", "/v1/extractions/"+e.ID)
	if rec.Status.Final() {
		status = http.StatusOK
	} else {
		w.Header().Set("Retry-After", seconds(untilNext(rec)))
	}
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(e) // It fails if the client has gone.
	return nil
}

// untilNext is how long until something may change.
func untilNext(r store.Record) time.Duration {
	return min(max(time.Until(r.Due), time.Second), time.Minute)
}

// submission converts a request, within what its caller may do.
func (s *Server) submission(ctx context.Context, req request) (intake.Submission, error) {
	caller := callerOf(ctx)
	account, err := s.chosen(caller, req.Account)
	if err != nil {
		return intake.Submission{}, err
	}
	given := 0
	for _, is := range []bool{req.document != nil, req.url != "", req.vendorID != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return intake.Submission{}, fmt.Errorf("%w: give one of a document, document_url and vendor_id", extraction.ErrInvalid)
	}
	if caller.Customer != "" && req.vendorID != "" {
		// The vendor's id may belong to another customer, and so would its result.
		return intake.Submission{}, problem(http.StatusForbidden, codeForbidden, "vendor_id is not for a key that works for one customer")
	}
	if caller.Customer != "" {
		if req.Customer != "" && req.Customer != caller.Customer {
			return intake.Submission{}, problem(http.StatusUnprocessableEntity, codeForbidden, "this key works for another customer")
		}
		req.Customer = caller.Customer
	}
	sub := intake.Submission{
		Account: account.Name, Provider: account.Provider, Type: req.Type, Types: req.Types, ConfigName: req.ConfigName,
		Environment: req.Environment, Customer: req.Customer, Batch: req.Batch, Priority: req.Priority,
		Metadata: req.Metadata, Options: req.Options, Name: req.Name, URL: req.url,
		Document: req.document, ContentType: req.contentType,
	}
	if req.CallbackURL != "" {
		sub.CallbackURL, sub.CallbackKey = req.CallbackURL, caller.Name
	}
	return sub, nil
}

// rules are the limits that the client applies to an account.
func (s *Server) rules(_ context.Context, account, _ string) (intake.Rules, error) {
	a, ok := s.open(account)
	if !ok {
		return intake.Rules{}, problem(http.StatusUnprocessableEntity, codeUnknownAccount, "the account has left the configuration")
	}
	return intake.Rules{
		Provider: a.Provider, Check: a.Check, FetchesURL: a.FetchesURL, MaxBacklog: a.MaxBacklog,
		MaxDocument: s.cfg.MaxDocument, CheckCallback: s.cfg.CheckURL, CheckDocumentURL: s.cfg.CheckDocumentURL,
	}, nil
}

// chosen is the named account, or the only one that the key can use.
func (s *Server) chosen(caller Key, name string) (Account, error) {
	if a, ok := s.open(name); ok && caller.uses(name) {
		return a, nil
	}
	var usable []Account
	for _, a := range *s.accounts.Load() {
		if caller.uses(a.Name) {
			usable = append(usable, a)
		}
	}
	if name == "" && len(usable) == 1 {
		return usable[0], nil
	}
	var all []string
	for _, a := range usable {
		all = append(all, a.Name)
	}
	detail := "account is none of those that this key can use: " + strings.Join(all, ", ")
	if name == "" {
		detail = "account is required: one of " + strings.Join(all, ", ")
	}
	return Account{}, problem(http.StatusUnprocessableEntity, codeUnknownAccount, detail)
}
