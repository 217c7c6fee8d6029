package typless

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"

	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

// submission is the body of both submitting calls.
type submission struct {
	File         *string `json:"file"`
	FileName     *string `json:"file_name"`
	DocumentType *string `json:"document_type_name"`
	Customer     *string `json:"customer"`
	TextBlocks   *bool   `json:"parse_text_blocks"`
}

// bodyWeight is how many bytes of memory one byte of such a body takes: itself,
// its base64 text as a string, and three quarters of it decoded.
const bodyWeight = 3

// submit takes a document and answers before it is processed.
// https://typless.gitbook.io/typlessapi/typless/data-extraction/asynchronous-extraction
func (a *api) submit(w http.ResponseWriter, r *http.Request) {
	id, ok := a.receive(w, r, false)
	if ok {
		httpkit.JSON(w, http.StatusAccepted, map[string]string{"extraction_id": id})
	}
}

// extract takes a document and answers with its result at once: the sandbox does
// not let a caller wait.
func (a *api) extract(w http.ResponseWriter, r *http.Request) {
	id, ok := a.receive(w, r, true)
	if !ok {
		return
	}
	x, _ := a.Engine.Peek(id)
	if x.Failure != "" {
		fail(w, http.StatusBadRequest, "bad_request", x.Failure)
		return
	}
	httpkit.JSON(w, http.StatusOK, a.found(x))
}

// receive reads a submission and hands its document to the engine. When it
// reports false it has answered.
func (a *api) receive(w http.ResponseWriter, r *http.Request, sync bool) (id string, ok bool) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		failValidation(w, invalid{Loc: []string{"body"}, Msg: "value is not a valid dict", Type: "type_error.dict"})
		return "", false
	}
	// Names and braces beside the encoded file fit into 64 KiB.
	limit := int64(base64.StdEncoding.EncodedLen(int(a.MaxDocument))) + 64<<10
	body, release, err := a.Bodies.Read(w, r, limit, bodyWeight)
	switch {
	case errors.Is(err, httpkit.ErrTooLarge):
		fail(w, http.StatusRequestEntityTooLarge, "file_too_large", "File is too large.")
		return "", false
	case errors.Is(err, context.Canceled):
		return "", false
	case err != nil:
		fail(w, http.StatusBadRequest, "bad_request", "Bad request response. Check your input data.")
		return "", false
	}
	defer release()
	meta, document, ok := a.decode(w, body)
	if !ok {
		return "", false
	}
	meta.Sync = sync
	id = newID()
	a.Engine.Open(id, meta)
	// The id is new: nothing can be there already.
	_ = a.Engine.Receive(r.Context(), id, document, "")
	if !sync {
		a.announce(id)
	}
	return id, true
}

func (a *api) decode(w http.ResponseWriter, body []byte) (Meta, []byte, bool) {
	var s submission
	if err := json.Unmarshal(body, &s); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			failValidation(w, invalid{Loc: []string{"body", wrong.Field}, Msg: "str type expected", Type: "type_error.str"})
		} else {
			failValidation(w, invalid{Loc: []string{"body"}, Msg: "Expecting value", Type: "value_error.jsondecode"})
		}
		return Meta{}, nil, false
	}
	if errs := s.missing(); len(errs) > 0 {
		failValidation(w, errs...)
		return Meta{}, nil, false
	}
	document, err := base64.StdEncoding.DecodeString(*s.File)
	if err != nil {
		fail(w, http.StatusBadRequest, "invalid_file", "Bad request response. Check your input data: file is not base64.")
		return Meta{}, nil, false
	}
	if int64(len(document)) > a.MaxDocument {
		fail(w, http.StatusRequestEntityTooLarge, "file_too_large", "File is too large.")
		return Meta{}, nil, false
	}
	if a.StrictTypes && a.Rules[*s.DocumentType] == nil {
		fail(w, http.StatusBadRequest, "bad_request", "Bad request response. Check your input data: document type does not exist.")
		return Meta{}, nil, false
	}
	meta := Meta{FileName: *s.FileName, Type: *s.DocumentType}
	if s.Customer != nil {
		meta.Customer = *s.Customer
	}
	return meta, document, true
}

// missing names what a submission lacks.
func (s submission) missing() []invalid {
	var errs []invalid
	need := func(name string, v *string, min int) {
		switch {
		case v == nil:
			errs = append(errs, invalid{Loc: []string{"body", name}, Msg: "field required", Type: "value_error.missing"})
		case len(*v) < min:
			errs = append(errs, invalid{Loc: []string{"body", name}, Msg: "ensure this value has at least 1 characters", Type: "value_error.any_str.min_length"})
		}
	}
	need("file", s.File, 0)
	need("file_name", s.FileName, 0)
	need("document_type_name", s.DocumentType, 1)
	if s.Customer != nil {
		need("customer", s.Customer, 1)
	}
	return errs
}
