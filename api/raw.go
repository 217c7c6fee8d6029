package api

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

func (s *Server) result(w http.ResponseWriter, r *http.Request, id string) error {
	rec, err := s.find(r.Context(), id)
	if err != nil {
		return err
	}
	if rec.Status != extraction.StatusSuccess {
		return problem(http.StatusNotFound, codeNotFinished, "the extraction is "+string(rec.Status)+": it has no result")
	}
	e, err := s.cfg.Blobs.WholeUpTo(r.Context(), rec, 0) // It is compared, and never in memory.
	if err != nil {
		return err
	}
	if e.Error != nil {
		return problem(http.StatusNotFound, codeResultUnavailable, e.Error.Message)
	}
	body, size, err := s.cfg.Blobs.OpenResult(r.Context(), rec)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	stream(w, body)
	return nil
}

// stream copies a stored object to the caller. If the object changes meanwhile, the answer
// breaks off, so that it does not look complete.
func stream(w http.ResponseWriter, body io.Reader) {
	answerIn(w, receiveWithin)
	if _, err := io.Copy(w, struct{ io.Reader }{body}); errors.Is(err, store.ErrChanged) {
		panic(http.ErrAbortHandler)
	} // If only the copy failed, the caller has gone.
}

func (s *Server) document(w http.ResponseWriter, r *http.Request, id string) error {
	rec, err := s.find(r.Context(), id)
	if err != nil {
		return err
	}
	body, err := s.cfg.Blobs.OpenVerified(r.Context(), id, rec.Document)
	if errors.Is(err, store.ErrNotFound) {
		return problem(http.StatusNotFound, codeDocumentGone, "the document is not kept, or not any more")
	}
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	// The document is untrusted: a browser must save it, not show it.
	w.Header().Set("Content-Disposition", "attachment")
	w.Header().Set("Content-Security-Policy", nothing+"; sandbox")
	w.Header().Set("Content-Type", "application/octet-stream")
	if t := rec.Document.ContentType; t != "" {
		w.Header().Set("Content-Type", t)
	}
	if rec.Document.Bytes != nil {
		w.Header().Set("Content-Length", strconv.FormatInt(*rec.Document.Bytes, 10))
	}
	stream(w, body)
	return nil
}
