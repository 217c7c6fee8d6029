package typless

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// The vendor's words for the state of an extraction.
const (
	inProgress = "IN_PROGRESS"
	success    = "SUCCESS"
	failed     = "ERROR"
	expired    = "EXPIRED" // deleted 48 hours after it had finished
)

// Poll implements extraction.Provider. The answer is 200 in every state.
//
// https://typless.gitbook.io/typlessapi/typless/data-extraction/asynchronous-extraction
func (c *Client) Poll(ctx context.Context, vendorID string) (extraction.Outcome, error) {
	if vendorID == "" {
		return extraction.Outcome{}, &extraction.Error{
			Op: vendorhttp.OpPoll, Kind: extraction.KindRejected,
			Err: errors.Join(extraction.ErrInvalid, errors.New("there is no vendor id to ask for")),
		}
	}
	a, err := c.get(ctx, c.poll, vendorhttp.OpPoll, "?extraction_id="+url.QueryEscape(vendorID))
	if err != nil {
		return extraction.Outcome{}, err
	}
	var out extraction.Outcome
	err = a.Guard(func() (err error) {
		out, err = outcome(a.Body, c.api.Redactor(), a.Guard)
		return err
	})
	if err != nil {
		return extraction.Outcome{}, a.Nonsense(err)
	}
	return out, nil
}

// outcome reads the body of a poll's answer.
func outcome(body []byte, redact *vendorhttp.Redactor, guard func(func() error) error) (extraction.Outcome, error) {
	doc, err := vendorjson.Parse(body)
	if err != nil {
		return extraction.Outcome{}, err
	}
	status := doc.String("status")
	if status == "" {
		return extraction.Outcome{}, errors.New("the answer has no status")
	}
	found := doc.Object("result")
	out := extraction.Outcome{
		Status: extraction.StatusInProgress, VendorStatus: status, Name: found.String("file_name"),
	}
	switch strings.ToUpper(status) {
	case inProgress:
	case success:
		if found == nil {
			return extraction.Outcome{}, errors.New("the answer has no result")
		}
		out.Status, out.Result = extraction.StatusSuccess, result(found, body, guard)
	case failed:
		out.Status = extraction.StatusError
		out.Failure = extraction.NewFailure(extraction.CodeVendorFailed,
			"Typless could not process the document", reason(doc, redact))
	case expired:
		out.Status = extraction.StatusExpired
		out.Failure = extraction.NewFailure(extraction.CodeExpired,
			"Typless has deleted the result, which it keeps for 48 hours", reason(doc, redact))
	default:
		out.Unknown = true
	}
	return out, nil
}

// reason is what the vendor says about a failure, in whatever form.
func reason(doc vendorjson.Object, redact *vendorhttp.Redactor) any {
	raw := doc.Member("error")
	if raw == nil || string(raw) == "{}" {
		return nil
	}
	return redact.JSON(raw)
}
