package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
	"github.com/extractq/extractq/tasks"
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
	if err := store.CheckPair(r.Context(), s.cfg.Records, s.cfg.Blobs); err != nil {
		return err
	}
	r.Body = io.NopCloser(newPatient(w, r, s.patience))
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
	sub, err := s.submission(r.Context(), req, key)
	if err != nil {
		return err
	}
	var e extraction.Extraction
	replayed := false
	switch {
	case key != "":
		e, replayed, err = s.cfg.Client.SubmitOnce(r.Context(), sub, req.vendorID, key)
	case req.vendorID != "":
		e, err = s.cfg.Client.Adopt(r.Context(), sub, req.vendorID)
	default:
		e, err = s.cfg.Client.Submit(r.Context(), sub)
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
		err = nil // It was accepted, whatever became of its key since.
	}
	if err != nil {
		return err
	}
	return s.answerOne(r.Context(), w, rec, http.StatusAccepted)
}

// followed is the problem of an id of the vendor's that is followed already. It names
// the extraction that does, if the caller may see that.
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

// answerOne answers with an extraction and its result: with status while it is not
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
	_ = enc.Encode(e) // Nobody reads any more where this fails.
	return nil
}

// untilNext is how long until something may change.
func untilNext(r store.Record) time.Duration {
	return min(max(time.Until(r.Due), time.Second), time.Minute)
}

// submission is what the client accepts, checked as far as it can be before the
// document is read. key is its idempotency key, of this caller; empty for none.
func (s *Server) submission(ctx context.Context, req request, key string) (tasks.Submission, error) {
	caller := callerOf(ctx)
	account, err := s.chosen(caller, req.Account)
	if err != nil {
		return tasks.Submission{}, err
	}
	given := 0
	for _, is := range []bool{req.document != nil, req.url != "", req.vendorID != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return tasks.Submission{}, fmt.Errorf("%w: give one of a document, document_url and vendor_id", extraction.ErrInvalid)
	}
	if caller.Customer != "" && req.vendorID != "" {
		// The vendor's id may be another customer's, and so would be its result.
		return tasks.Submission{}, problem(http.StatusForbidden, codeForbidden, "vendor_id is not for a key that works for one customer")
	}
	if caller.Customer != "" {
		if req.Customer != "" && req.Customer != caller.Customer {
			return tasks.Submission{}, problem(http.StatusUnprocessableEntity, codeForbidden, "this key works for another customer")
		}
		req.Customer = caller.Customer
	}
	sub := tasks.Submission{
		Account: account.Name, Provider: account.Provider, Type: req.Type, Types: req.Types, ConfigName: req.ConfigName,
		Environment: req.Environment, Customer: req.Customer, Batch: req.Batch, Priority: req.Priority,
		Metadata: req.Metadata, Options: req.Options, Name: req.Name, URL: req.url, MaxBacklog: account.MaxBacklog,
	}
	if !extraction.ValidLabel(sub.Name) { // The command line takes the names that a file system has.
		return sub, fmt.Errorf("%w: name has control characters or marks of direction, or is not UTF-8", extraction.ErrInvalid)
	}
	if req.CallbackURL != "" {
		if err := s.checkURL(ctx, s.cfg.CheckURL, req.CallbackURL, "callback_url"); err != nil {
			return sub, err
		}
		sub.CallbackURL, sub.CallbackKey = req.CallbackURL, caller.Name
	}
	if req.url != "" {
		if !account.FetchesURL {
			return sub, fmt.Errorf("%w: %s does not fetch documents by URL; send the document itself", extraction.ErrInvalid, account.Provider)
		}
		if err := s.checkURL(ctx, s.cfg.CheckDocumentURL, req.url, "document_url"); err != nil {
			return sub, err
		}
	}
	check := extraction.Submission{
		Name: sub.Name, URL: sub.URL, Type: sub.Type, Types: sub.Types, ConfigName: sub.ConfigName,
		Environment: sub.Environment, Customer: sub.Customer, Options: sub.Options,
	}
	if err := account.Check(check); err != nil {
		return sub, err
	}
	if req.document == nil {
		return sub, nil
	}
	if req.spool == nil {
		if err := s.hasRoom(ctx, account, key); err != nil {
			return sub, err // Before the body is received in vain.
		}
	}
	head := bufio.NewReaderSize(req.document, 1024)
	first, err := head.Peek(1024)
	if err != nil && !errors.Is(err, io.EOF) {
		return sub, err
	}
	sub.Document = head
	if sub.ContentType, err = settleType(req.contentType, sub.Name, first); err != nil {
		return sub, err
	}
	check.ContentType = sub.ContentType
	if err := account.Check(check); err != nil {
		return sub, problem(http.StatusUnsupportedMediaType, codeUnsupported, plain(err))
	}
	return sub, nil
}

// hasRoom returns store.ErrBacklog where the account takes no more; what happens
// meanwhile the creation of the record finds. A repetition needs no room: who got no
// answer to the first learns of it whatever the backlog is.
func (s *Server) hasRoom(ctx context.Context, a Account, key string) error {
	if a.MaxBacklog <= 0 {
		return nil
	}
	load, err := s.cfg.Records.Load(ctx, a.Name)
	if err != nil || load.Queued+load.InFlight < int64(a.MaxBacklog) {
		return err
	}
	if key != "" {
		repeated, err := s.cfg.Client.Repeated(ctx, a.Name, key)
		if err != nil || repeated {
			return err
		}
	}
	return store.ErrBacklog
}

// settleType is the document's media type. One that is declared and plainly wrong
// is an error: somebody sent the wrong file.
func settleType(declared, name string, head []byte) (string, error) {
	declared, _, _ = strings.Cut(strings.ToLower(declared), ";")
	declared = strings.TrimSpace(declared)
	if proper, ok := properTypes[declared]; ok {
		declared = proper
	}
	found := tasks.Sniff(name, head)
	switch declared {
	case "", "application/octet-stream", "application/x-www-form-urlencoded", "binary/octet-stream":
		return found, nil
	}
	if !strings.Contains(declared, "/") {
		return "", problem(http.StatusUnsupportedMediaType, codeUnsupported, "Content-Type is no media type")
	}
	if declared == "application/pdf" && bytes.Contains(head, []byte("%PDF-")) {
		return declared, nil // Some programs put a line or a byte order mark before it; all readers take that.
	}
	sure := tasks.Sniff("", head)
	if slices.Contains(plainTypes, sure) && sure != declared || slices.Contains(plainTypes, declared) && sure != declared {
		return "", problem(http.StatusUnprocessableEntity, codeMismatch, "the document is not what its Content-Type says")
	}
	return declared, nil
}

// properTypes are names that programs give to media types which have another one.
var properTypes = map[string]string{
	"application/x-pdf": "application/pdf", "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg",
	"image/x-png": "image/png", "image/tif": "image/tiff", "image/x-tiff": "image/tiff",
	"image/x-bmp": "image/bmp", "image/x-ms-bmp": "image/bmp",
}

// plainTypes are media types whose documents are known by their first bytes.
var plainTypes = []string{"application/pdf", "image/png", "image/jpeg", "image/gif", "image/tiff", "image/bmp"}

func (s *Server) checkURL(ctx context.Context, check func(context.Context, string) error, u, field string) error {
	if check == nil {
		return problem(http.StatusUnprocessableEntity, codeURLRefused, field+" is not possible here")
	}
	if err := check(ctx, u); err != nil {
		return problem(http.StatusUnprocessableEntity, codeURLRefused, field+": "+err.Error())
	}
	return nil
}

// chosen is the account that is named, or the only one the key can use.
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
