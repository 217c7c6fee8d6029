package sensible

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// The vendor's words for the state of an extraction.
const (
	waiting    = "WAITING"    // the id exists, the document has not arrived
	processing = "PROCESSING" // the document has arrived
	complete   = "COMPLETE"
	failed     = "FAILED"
)

// Poll implements extraction.Provider. A large result is fetched through a redirect to the
// vendor's store, which never sees the key.
//
// https://docs.sensible.so/reference/retrieve-extraction-by-id
func (c *Client) Poll(ctx context.Context, vendorID string) (extraction.Outcome, error) {
	if vendorID == "" {
		return extraction.Outcome{}, invalid(vendorhttp.OpPoll, "there is no vendor id to ask for")
	}
	a, err := c.api.Do(ctx, vendorhttp.Call{
		Op: vendorhttp.OpPoll, Method: http.MethodGet,
		URL: c.api.Base() + "/documents/" + url.PathEscape(vendorID),
	})
	if err != nil {
		return extraction.Outcome{}, err
	}
	var out extraction.Outcome
	err = a.Guard(func() (err error) {
		out, err = outcome(a.Body, vendorID, c.api.Redactor(), a.Guard)
		return err
	})
	if err != nil {
		return extraction.Outcome{}, a.Nonsense(err)
	}
	return out, nil
}

var (
	errNoStatus = errors.New("the answer has no status")
	errOtherID  = errors.New("the answer is about another extraction")
)

// outcome reads the body of a poll's answer.
func outcome(body []byte, vendorID string, redact *vendorhttp.Redactor, guard func(func() error) error) (extraction.Outcome, error) {
	doc, err := vendorjson.Parse(body)
	if err != nil {
		return extraction.Outcome{}, err
	}
	id, status := doc.String("id"), doc.String("status")
	switch {
	case status == "":
		return extraction.Outcome{}, errNoStatus
	case id != "" && !strings.EqualFold(id, vendorID):
		return extraction.Outcome{}, errOtherID
	}
	out := extraction.Outcome{
		Status: extraction.StatusInProgress, VendorStatus: status, Name: doc.String("document_name"),
	}
	switch strings.ToUpper(status) {
	case waiting:
		out.AwaitsDocument = true
	case processing:
	case complete:
		out.Status, out.CompletedAt = extraction.StatusSuccess, instant(doc.String("completed"))
		out.Result = result(doc, body, guard)
	case failed:
		out.Status, out.CompletedAt = extraction.StatusError, instant(doc.String("completed"))
		out.Failure = extraction.NewFailure(extraction.CodeVendorFailed,
			"Sensible could not process the document", reason(doc, redact))
	default:
		// An unknown word of the vendor's, unless the answer is not the vendor's at all:
		// its answers name the extraction.
		if id == "" {
			return extraction.Outcome{}, errNoID
		}
		out.Unknown = true
	}
	return out, nil
}

// reason is what the vendor says about a failure: the member error, whose form is
// undocumented, and the list errors.
func reason(doc vendorjson.Object, redact *vendorhttp.Redactor) any {
	said := map[string]json.RawMessage{}
	for _, name := range []string{"error", "errors"} {
		if raw := doc.Member(name); raw != nil && string(raw) != "[]" && string(raw) != "{}" {
			said[name] = raw
		}
	}
	if len(said) == 0 {
		return nil
	}
	raw, err := json.Marshal(said)
	if err != nil {
		return nil
	}
	return redact.JSON(raw)
}

// instant parses a time of the vendor's; zero if it is not one.
func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
