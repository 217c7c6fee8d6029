package sensible

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// s3Error is an error of S3, not of Sensible: XML, and other words. Some of them
// repeat what was sent, secrets included, which a client must not take into its
// own errors and logs as it is.
type s3Error struct {
	XMLName           xml.Name `xml:"Error"`
	Code              string   `xml:"Code"`
	Message           string   `xml:"Message"`
	ArgumentName      string   `xml:"ArgumentName,omitempty"`
	ArgumentValue     string   `xml:"ArgumentValue,omitempty"`
	AmzExpires        string   `xml:"X-Amz-Expires,omitempty"`
	Expires           string   `xml:"Expires,omitempty"`
	ServerTime        string   `xml:"ServerTime,omitempty"`
	AccessKeyID       string   `xml:"AWSAccessKeyId,omitempty"`
	SignatureProvided string   `xml:"SignatureProvided,omitempty"`
	CanonicalRequest  string   `xml:"CanonicalRequest,omitempty"`
	RequestID         string   `xml:"RequestId"`
	HostID            string   `xml:"HostId"`
}

// s3Time is the form of times in S3's errors.
const s3Time = "2006-01-02T15:04:05Z"

// signed answers like S3 unless the request's URL is one that the sandbox
// signed for its method.
func (a *api) signed(w http.ResponseWriter, r *http.Request) bool {
	// Two kinds of authentication at once are refused, which catches clients that
	// send Sensible's key to S3.
	if given := r.Header.Get("Authorization"); given != "" {
		s3Fail(w, http.StatusBadRequest, s3Error{
			Code:         "InvalidArgument",
			Message:      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
			ArgumentName: "Authorization", ArgumentValue: given,
		})
		return false
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	now := a.Engine.Now()
	switch err := a.verify(method, r.URL.Path, r.URL.RawQuery, now); {
	case err == nil:
		return true
	case errors.Is(err, errMalformed):
		s3Fail(w, http.StatusBadRequest, s3Error{Code: "AuthorizationQueryParametersError", Message: "Error parsing the X-Amz-Credential parameter or another query parameter of the signature"})
	case errors.Is(err, errExpired):
		s3Fail(w, http.StatusForbidden, expired(r.URL.Query(), now))
	case errors.Is(err, errUnsigned):
		s3Fail(w, http.StatusForbidden, s3Error{Code: "AccessDenied", Message: "Access Denied"})
	default:
		s3Fail(w, http.StatusForbidden, mismatch(r))
	}
	return false
}

// expired says since when. The query was found to be well-formed.
func expired(q url.Values, now time.Time) s3Error {
	at, _ := time.Parse(amzDate, q.Get("X-Amz-Date"))
	ttl, _ := time.ParseDuration(q.Get("X-Amz-Expires") + "s")
	return s3Error{
		Code: "AccessDenied", Message: "Request has expired",
		AmzExpires: q.Get("X-Amz-Expires"), Expires: at.Add(ttl).UTC().Format(s3Time), ServerTime: now.UTC().Format(s3Time),
	}
}

// mismatch is the refusal of a signature that is not that of the request.
func mismatch(r *http.Request) s3Error {
	q := r.URL.Query()
	key, _, _ := strings.Cut(q.Get("X-Amz-Credential"), "/")
	return s3Error{
		Code:        "SignatureDoesNotMatch",
		Message:     "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
		AccessKeyID: key, SignatureProvided: q.Get("X-Amz-Signature"),
		CanonicalRequest: strings.Join([]string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, "host:" + r.Host, "", "host", "UNSIGNED-PAYLOAD"}, "\n"),
	}
}

func s3Headers(w http.ResponseWriter) {
	w.Header().Set("Server", "AmazonS3")
	w.Header().Set("X-Amz-Request-Id", strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", "")[:16]))
	w.Header().Set("X-Amz-Id-2", uuid.NewString())
}

func s3Fail(w http.ResponseWriter, status int, e s3Error) {
	h := w.Header()
	e.RequestID, e.HostID = h.Get("X-Amz-Request-Id"), h.Get("X-Amz-Id-2")
	var buf bytes.Buffer
	buf.WriteString(xml.Header)
	// The struct has only strings: encoding cannot fail.
	_ = xml.NewEncoder(&buf).Encode(e)
	h.Set("Content-Type", "application/xml")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = io.Copy(w, &buf)
}
