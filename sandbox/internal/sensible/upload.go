package sensible

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

// upload is the bucket that upload URLs point to.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (a *api) upload(w http.ResponseWriter, r *http.Request) {
	s3Headers(w)
	if !a.signed(w, r) {
		return
	}
	if r.ContentLength < 0 {
		s3Fail(w, http.StatusLengthRequired, s3Error{Code: "MissingContentLength", Message: "You must provide the Content-Length HTTP header."})
		return
	}
	x, known := a.Engine.Get(path.Base(r.URL.Path))
	given := r.Header.Get("Content-Type")
	differs := known && x.Meta.ContentType != "" && !strings.EqualFold(given, x.Meta.ContentType)
	if differs && a.ContentType == CheckStrict {
		s3Fail(w, http.StatusForbidden, mismatch(r))
		return
	}
	if a.OneTime && known && !x.Received.IsZero() {
		s3Fail(w, http.StatusForbidden, used())
		return
	}
	body, release, err := a.Bodies.Read(w, r, a.MaxDocument, 1)
	switch {
	case errors.Is(err, httpkit.ErrTooLarge):
		s3Fail(w, http.StatusBadRequest, s3Error{Code: "EntityTooLarge", Message: "Your proposed upload exceeds the maximum allowed size"})
		return
	case err != nil:
		s3Fail(w, http.StatusBadRequest, s3Error{Code: "IncompleteBody", Message: "You did not provide the number of bytes specified by the Content-Length HTTP header"})
		return
	}
	defer release()
	sum := md5.Sum(body)
	// A second document changes nothing, and one for an extraction that was
	// forgotten goes nowhere: S3 knows of neither.
	if differs && a.ContentType == CheckFail {
		err = a.Engine.Fail(x.ID, "Content type of "+given+" does not match declared type of "+x.Meta.ContentType)
	} else {
		err = a.Engine.Receive(r.Context(), x.ID, body, x.Meta.ContentType)
	}
	if a.OneTime && errors.Is(err, engine.ErrReceived) {
		s3Fail(w, http.StatusForbidden, used())
		return
	}
	if err == nil {
		a.announce(x.ID)
	}
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	w.WriteHeader(http.StatusOK)
}

// download is what signed links point to: results of classifications, tables of
// extractions, and documents, which the sandbox does not keep.
func (a *api) download(w http.ResponseWriter, r *http.Request) {
	s3Headers(w)
	if !a.signed(w, r) {
		return
	}
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, downloadPrefix), "/")
	_, name, _ := strings.Cut(rest, "/") // after the account
	switch kind {
	case "CLASSIFICATION":
		a.classified(w, name)
	case "EXPORT":
		a.exported(w, name)
	default:
		s3Fail(w, http.StatusNotFound, noSuchKey())
	}
}

func noSuchKey() s3Error {
	return s3Error{Code: "NoSuchKey", Message: "The specified key does not exist."}
}

// used is what a one-time URL says the second time.
func used() s3Error { return s3Error{Code: "AccessDenied", Message: "Access Denied"} }
