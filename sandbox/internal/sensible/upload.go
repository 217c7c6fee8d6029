package sensible

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/google/uuid"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

// s3Error is an error of S3, not of Sensible: XML, and other words.
type s3Error struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string   `xml:"Code"`
	Message   string   `xml:"Message"`
	RequestID string   `xml:"RequestId"`
	HostID    string   `xml:"HostId"`
}

// upload is the bucket that upload URLs point to.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (a *api) upload(w http.ResponseWriter, r *http.Request) {
	s3Headers(w)
	if !a.signed(w, r) {
		return
	}
	if r.ContentLength < 0 {
		s3Fail(w, http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
		return
	}
	x, known := a.Engine.Get(path.Base(r.URL.Path))
	given := r.Header.Get("Content-Type")
	differs := known && x.Meta.ContentType != "" && !strings.EqualFold(given, x.Meta.ContentType)
	if differs && a.ContentType == CheckStrict {
		s3Fail(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
		return
	}
	body, release, err := a.Bodies.Read(w, r, a.MaxDocument, 1)
	switch {
	case errors.Is(err, httpkit.ErrTooLarge):
		s3Fail(w, http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
		return
	case err != nil:
		s3Fail(w, http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header")
		return
	}
	defer release()
	sum := md5.Sum(body)
	if differs && a.ContentType == CheckFail {
		a.Engine.Fail(x.ID, "Content type of "+given+" does not match declared type of "+x.Meta.ContentType)
	}
	// A second document changes nothing, and one for an extraction that was
	// forgotten goes nowhere: S3 knows of neither.
	err = a.Engine.Receive(r.Context(), x.ID, body, x.Meta.ContentType)
	if err != nil && !errors.Is(err, engine.ErrReceived) && !errors.Is(err, engine.ErrUnknown) {
		s3Fail(w, http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
		return
	}
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	w.WriteHeader(http.StatusOK)
}

// download is where download_url points to. The sandbox keeps no documents.
func (a *api) download(w http.ResponseWriter, r *http.Request) {
	s3Headers(w)
	if a.signed(w, r) {
		s3Fail(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
}

// signed answers like S3 unless the request's URL is one that the sandbox
// signed for its method.
func (a *api) signed(w http.ResponseWriter, r *http.Request) bool {
	// Two kinds of authentication at once are refused, which catches clients that
	// send Sensible's key to S3.
	if r.Header.Get("Authorization") != "" {
		s3Fail(w, http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified")
		return false
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch err := a.verify(method, r.URL.Path, r.URL.RawQuery, a.Engine.Now()); {
	case err == nil:
		return true
	case errors.Is(err, errMalformed):
		s3Fail(w, http.StatusBadRequest, "AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter or another query parameter of the signature")
	case errors.Is(err, errExpired):
		s3Fail(w, http.StatusForbidden, "AccessDenied", "Request has expired")
	case errors.Is(err, errUnsigned):
		s3Fail(w, http.StatusForbidden, "AccessDenied", "Access Denied")
	default:
		s3Fail(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	}
	return false
}

func s3Headers(w http.ResponseWriter) {
	w.Header().Set("Server", "AmazonS3")
	w.Header().Set("X-Amz-Request-Id", strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", "")[:16]))
	w.Header().Set("X-Amz-Id-2", uuid.NewString())
}

func s3Fail(w http.ResponseWriter, status int, code, message string) {
	var buf bytes.Buffer
	buf.WriteString(xml.Header)
	h := w.Header()
	// The struct has only strings: encoding cannot fail.
	_ = xml.NewEncoder(&buf).Encode(s3Error{Code: code, Message: message, RequestID: h.Get("X-Amz-Request-Id"), HostID: h.Get("X-Amz-Id-2")})
	h.Set("Content-Type", "application/xml")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.Copy(w, &buf)
}
