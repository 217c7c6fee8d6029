package sensible

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/extractq/extractq/sandbox/internal/engine"
)

const (
	uploadPrefix   = Prefix + "/upload/"
	downloadPrefix = Prefix + "/download/"
	// account is the tenant in the paths of the bucket; the sandbox has one.
	account       = "5a4db0c5-0000-4000-8000-000000000000"
	signAlgorithm = "AWS4-HMAC-SHA256"
	amzDate       = "20060102T150405Z"
	// downloadTTL is how long links to results work.
	downloadTTL = 15 * time.Minute
)

// uploadURL is the pre-signed URL for x's document, in the shape of a recorded
// one. x-amz-checksum-crc32 is the checksum of an empty body, whatever is sent:
// an artefact of the SDK that Sensible signs with, and harmless.
func (a *api) uploadURL(base string, x engine.Extraction[Meta]) string {
	path := uploadPrefix + "EXTRACTION_UPLOAD/" + account
	if x.Meta.Types == nil {
		path += "/" + typeID(x.Meta.Type) + "/EXTRACTION/" + x.ID
	} else {
		path += "/MULTIDOC_EXTRACTION/" + x.ID
	}
	return base + path + "?" + a.sign("PUT", path, x.Created, a.UploadTTL, "PutObject")
}

// downloadURL is the pre-signed URL that a finished extraction names for its
// document.
func (a *api) downloadURL(base string, x engine.Extraction[Meta], now time.Time) string {
	path := downloadPrefix + "EXTRACTION_UPLOAD/" + account + "/" + x.ID
	return base + path + "?" + a.sign("GET", path, now, downloadTTL, "GetObject")
}

// typeID is the uuid of a document type. It is the same in every run.
func typeID(name string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://sandbox.invalid/document_types/"+name)).String()
}

// sign gives the query of a pre-signed URL.
func (a *api) sign(method, path string, at time.Time, ttl time.Duration, operation string) string {
	q := url.Values{
		"X-Amz-Algorithm":              {signAlgorithm},
		"X-Amz-Content-Sha256":         {"UNSIGNED-PAYLOAD"},
		"X-Amz-Credential":             {"ASIASANDBOX/" + at.UTC().Format("20060102") + "/us-west-2/s3/aws4_request"},
		"X-Amz-Date":                   {at.UTC().Format(amzDate)},
		"X-Amz-Expires":                {strconv.FormatInt(int64((ttl+time.Second-1)/time.Second), 10)},
		"X-Amz-Security-Token":         {"sandbox-token"},
		"X-Amz-SignedHeaders":          {"host"},
		"x-amz-checksum-crc32":         {"AAAAAA=="},
		"x-amz-sdk-checksum-algorithm": {"CRC32"},
		"x-id":                         {operation},
	}
	q.Set("X-Amz-Signature", a.signature(method, path, q))
	return q.Encode()
}

// signature signs what Signature Version 4 signs: method, path and all other
// parameters, in whatever order they come. The host is left out, so that the
// sandbox works behind a forwarded port.
func (a *api) signature(method, path string, q url.Values) string {
	mac := hmac.New(sha256.New, a.SigningKey)
	rest := url.Values{}
	for k, v := range q {
		if k != "X-Amz-Signature" {
			rest[k] = v
		}
	}
	mac.Write([]byte(method + "\n" + path + "\n" + rest.Encode()))
	return hex.EncodeToString(mac.Sum(nil))
}

// Errors of verify.
var (
	errUnsigned  = errors.New("request is not signed")
	errMalformed = errors.New("query parameters of the signature are malformed")
	errExpired   = errors.New("request has expired")
	errSignature = errors.New("signature does not match")
)

// verify checks the query of a pre-signed URL. Like S3 it says that a URL has
// expired before it looks at the signature.
func (a *api) verify(method, path, rawQuery string, now time.Time) error {
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return errMalformed
	}
	if !q.Has("X-Amz-Signature") {
		return errUnsigned
	}
	at, err := time.Parse(amzDate, q.Get("X-Amz-Date"))
	if err != nil || q.Get("X-Amz-Algorithm") != signAlgorithm {
		return errMalformed
	}
	// S3 allows at most seven days.
	ttl, err := strconv.ParseInt(q.Get("X-Amz-Expires"), 10, 32)
	if err != nil || ttl < 1 || ttl > 7*24*3600 {
		return errMalformed
	}
	if now.After(at.Add(time.Duration(ttl) * time.Second)) {
		return errExpired
	}
	if !hmac.Equal([]byte(q.Get("X-Amz-Signature")), []byte(a.signature(method, path, q))) {
		return errSignature
	}
	return nil
}
