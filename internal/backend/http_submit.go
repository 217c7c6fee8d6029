package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/internal/documents"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/store"
)

// submit sends a document. An account that takes no more for now is waited for, as
// long as the document can be sent again.
func (h *overHTTP) Submit(ctx context.Context, d *documents.Document, s intake.Submission, key string) (extraction.Extraction, error) {
	sub := client.Submission{Fields: fieldsOf(s), IdempotencyKey: key}
	switch {
	case d.Body == nil:
		sub.Source = client.URL(s.URL)
	case d.File != nil:
		sub.Source = client.Reader(d.File, s.Name)
	default:
		sub.Source = client.Reader(d, s.Name)
	}
	for {
		e, err := h.api.Submit(ctx, sub)
		failed, ok := errors.AsType[*client.Error](err)
		switch {
		case err == nil:
			return bare(e), nil
		case !ok && ctx.Err() == nil:
			return e, documents.Unreadable{Err: documents.Advise(err)}
		case ok && failed.Code == client.CodeBacklog && (d.File != nil || d.Body == nil) && ctx.Err() == nil:
			h.backlog.Do(func() { h.cfg.Say("account %s takes no more for now; waiting until it does", s.Account) })
			sub.IdempotencyKey = failed.IdempotencyKey
		case ok && failed.Code == client.CodeURLRefused:
			return e, documents.RefusedURL(failed.Detail)
		case ok && beforeAPI(failed) && h.api.Check(ctx) == nil:
			return e, h.refusedBefore(failed.Status)
		default:
			return e, h.explain(ctx, err)
		}
	}
}

// beforeAPI reports whether something before the API, such as a proxy, may have refused
// one request for what is in it. Whether the server is behind it at all, only another
// request tells.
func beforeAPI(e *client.Error) bool {
	if e.Code != client.CodeNotAPI {
		return false
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotAcceptable, http.StatusRequestEntityTooLarge,
		http.StatusRequestURITooLong, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return false
}

// refusedBefore is the refusal of one document by something before the API.
func (h *overHTTP) refusedBefore(status int) error {
	if status == http.StatusRequestEntityTooLarge {
		return fmt.Errorf("%w: the server at %s or a proxy before it takes no request of this size; "+
			"let the proxy take as much as api.max_document and 1 MiB (nginx: client_max_body_size)", store.ErrTooLarge, h.cfg.ServerName)
	}
	return fmt.Errorf("%w: a proxy before the server at %s answers %d %s to this document; its log says why",
		extraction.ErrInvalid, h.cfg.ServerName, status, http.StatusText(status))
}

func (h *overHTTP) Adopt(ctx context.Context, s intake.Submission, vendorID string) (extraction.Extraction, bool, error) {
	e, err := h.api.Submit(ctx, client.Submission{Source: client.VendorID(vendorID), Fields: fieldsOf(s)})
	failed, ok := errors.AsType[*client.Error](err)
	if !ok || failed.Extraction == "" {
		return bare(e), false, h.explain(ctx, err)
	}
	first, found, err := h.Find(ctx, failed.Extraction)
	if err == nil && !found {
		err = errkind.MarkUnavailable(store.ErrNotFound) // It was erased at this moment.
	}
	return first, true, err
}

// fieldsOf are the fields of a submission as the API has them.
func fieldsOf(s intake.Submission) protocol.Fields {
	return protocol.Fields{
		Account: s.Account, Type: s.Type, Types: s.Types, ConfigName: s.ConfigName, Environment: s.Environment,
		Customer: s.Customer, Batch: s.Batch, Name: sentName(s.Name), Metadata: s.Metadata, Options: s.Options,
		Priority: s.Priority, CallbackURL: s.CallbackURL,
	}
}

// sentName is a file's name as the API takes it: with a mark in place of what could make
// it show as another.
func sentName(name string) string {
	return strings.Map(func(r rune) rune {
		if extraction.Deceptive(r) {
			return unicode.ReplacementChar
		}
		return r
	}, documents.ValidName(name))
}
