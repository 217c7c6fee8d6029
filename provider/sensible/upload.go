package sensible

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/retryafter"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
)

// Open implements extraction.Uploader.
//
// https://docs.sensible.so/reference/generate-an-upload-url
func (c *Client) Open(ctx context.Context, s extraction.Submission) (extraction.Upload, error) {
	answer, err := c.send(ctx, "generate_upload_url", s, false)
	if err != nil {
		return extraction.Upload{}, err
	}
	doc, err := answer.id()
	if err != nil {
		return extraction.Upload{}, answer.Nonsense(err)
	}
	signed := doc.String("upload_url")
	if err := c.checkUploadURL(signed); err != nil {
		return extraction.Upload{}, answer.Nonsense(err)
	}
	return extraction.Upload{
		VendorID: doc.String("id"), VendorStatus: doc.String("status"),
		URL: signed, ExpiresAt: expiry(signed, c.now()),
	}, nil
}

// checkUploadURL accepts a URL that can be used verbatim. A document is never sent over
// plain HTTP unless the API itself is plain HTTP.
func (c *Client) checkUploadURL(signed string) error {
	u, err := url.Parse(signed)
	switch {
	case signed == "":
		return errors.New("the answer has no upload_url")
	case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the upload_url is not an http or https URL")
	case !strings.HasSuffix(signed, u.RequestURI()):
		return errors.New("the upload_url cannot be used as it is")
	case u.Scheme == "http" && strings.HasPrefix(c.api.Base(), "https:"):
		return errors.New("the upload_url is plain http")
	}
	return nil
}

// Put implements extraction.Uploader: it sends the raw bytes with their length and the
// content type that Open declared, and without the key, which the store would treat as a
// second signature and refuse.
//
// https://docs.sensible.so/reference/generate-an-upload-url
func (c *Client) Put(ctx context.Context, u extraction.Upload, s extraction.Submission) error {
	fail := func(kind extraction.Kind, err error) error {
		return &extraction.Error{Op: vendorhttp.OpUpload, Kind: kind, Err: err}
	}
	if !u.ExpiresAt.IsZero() && !c.now().Before(u.ExpiresAt) {
		return fail(extraction.KindUploadGone, errors.New("the upload URL has expired"))
	}
	if err := c.checkUploadURL(u.URL); err != nil {
		return fail(extraction.KindUploadGone, err)
	}
	if s.Body == nil {
		return invalid(vendorhttp.OpUpload, "the document has no body")
	}
	doc, err := s.Body()
	redact := c.api.Redactor().WithURL(u.URL)
	if err != nil {
		return fail(extraction.KindTransient, redact.Err(fmt.Errorf("open the document: %w", err)))
	}
	body := func(doc io.ReadCloser) *vendorhttp.Body {
		return vendorhttp.Stream(mediaType(s.ContentType), vendorhttp.Exact(doc, s.Bytes), s.Bytes)
	}
	answer, err := c.api.Do(ctx, vendorhttp.Call{
		Op: vendorhttp.OpUpload, Method: http.MethodPut, URL: u.URL, Foreign: true, Submits: true,
		Body: body(doc),
		// A store redirects uploads to the region of the bucket.
		Reopen: func() (*vendorhttp.Body, error) {
			doc, err := s.Body()
			if err != nil {
				return nil, err
			}
			return body(doc), nil
		},
		Classify: classifyStore, Redact: redact,
	})
	if err == nil && !answer.Taken {
		return answer.Nonsense(errors.New("it came before the document was read"))
	}
	return err
}

// classifyStore says what a refusal by the store means. Its 401 and 403 are about the
// signed URL, never about our key, and its throttling concerns only this upload.
func classifyStore(r vendorhttp.Reply) vendorhttp.Class {
	code := ""
	if xml, ok := r.Vendor.(map[string]any); ok {
		code, _ = xml["code"].(string)
	}
	switch {
	case code == "EntityTooLarge", r.Status == http.StatusRequestEntityTooLarge:
		return vendorhttp.Class{Kind: extraction.KindRejected, Code: extraction.CodeDocumentTooLarge}
	case code == "ExpiredToken", code == "InvalidToken":
		return vendorhttp.Class{Kind: extraction.KindUploadGone}
	}
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return vendorhttp.Class{Kind: extraction.KindUploadGone}
	case http.StatusUnsupportedMediaType:
		return vendorhttp.Class{Kind: extraction.KindRejected, Code: extraction.CodeUnsupportedDocument}
	}
	wait, _ := retryafter.Read(r.Header, time.Now)
	return vendorhttp.Class{Kind: extraction.KindTransient, RetryAfter: wait}
}

// uploadLife is how long an upload URL is valid if it does not say.
const uploadLife = 15 * time.Minute

// maxLife is the longest validity of an S3 signature. A document and its slot are held
// until the URL expires, so longer ones are not believed.
const maxLife = 7 * 24 * time.Hour

// maxSkew is the largest difference of the vendor's clock and ours at which the URL's own
// date is used.
const maxSkew = 5 * time.Minute

// expiry is when a signed URL expires, by our clock: as stated in one of the two forms of
// S3 signatures, else 15 minutes from now. If the clocks differ much, a URL just received
// would count as expired forever; its lifetime then counts from now.
func expiry(signed string, now time.Time) time.Time {
	u, err := url.Parse(signed)
	if err != nil {
		return now.Add(uploadLife)
	}
	q := u.Query()
	if life, err := strconv.Atoi(q.Get("X-Amz-Expires")); err == nil && life > 0 {
		lasts := time.Duration(min(life, int(maxLife/time.Second))) * time.Second
		if from, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date")); err == nil &&
			from.Sub(now).Abs() <= maxSkew {
			return from.Add(lasts)
		}
		return now.Add(lasts)
	}
	if epoch, err := strconv.ParseInt(q.Get("Expires"), 10, 64); err == nil {
		if at := time.Unix(epoch, 0).UTC(); at.After(now) && !at.After(now.Add(maxLife)) {
			return at
		}
	}
	return now.Add(uploadLife)
}
