package typless

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// Check implements extraction.Provider.
func (c *Client) Check(s extraction.Submission) error {
	_, err := newSubmission(s)
	return err
}

// submission is the JSON object of a submission without its document.
type submission struct {
	FileName        string `json:"file_name"`
	DocumentType    string `json:"document_type_name"`
	Customer        string `json:"customer,omitempty"`
	ParseTextBlocks *bool  `json:"parse_text_blocks,omitempty"`
}

// newSubmission checks s and puts it in the API's form.
func newSubmission(s extraction.Submission) (submission, error) {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w: "+format, append([]any{extraction.ErrInvalid}, args...)...))
	}
	out := submission{FileName: s.Name, DocumentType: s.Type, Customer: s.Customer}
	if out.FileName == "" {
		out.FileName = "document" // the API takes no empty name
	}
	if s.Type == "" {
		bad("give a document type")
	}
	if len(s.Types) > 0 {
		bad("Typless has no portfolios; give one document type")
	}
	if s.ConfigName != "" {
		bad("Typless has no configurations; leave config_name out")
	}
	if s.Environment != "" {
		bad("Typless has no environments; leave environment out")
	}
	for name, value := range s.Options {
		if name != "parse_text_blocks" {
			bad("the option %q is not known; the only one is parse_text_blocks", name)
			continue
		}
		on, err := boolean(value)
		if err != nil {
			bad("option %s %w", name, err)
		}
		out.ParseTextBlocks = &on
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return out, errors.Join(problems...)
}

// boolean reads true and false, also as text: the command line has only text.
func boolean(value any) (bool, error) {
	switch value {
	case true, "true":
		return true, nil
	case false, "false":
		return false, nil
	}
	return false, errors.New("must be true or false")
}

// Submit implements extraction.Provider. Where the path is not there the other
// one is used from the next attempt on: the document's reader opens only once
// an attempt, and nothing was submitted.
//
// https://typless.gitbook.io/typlessapi/typless/data-extraction/asynchronous-extraction
func (c *Client) Submit(ctx context.Context, s extraction.Submission) (extraction.Receipt, error) {
	fail := func(kind extraction.Kind, err error) (extraction.Receipt, error) {
		return extraction.Receipt{}, &extraction.Error{Op: vendorhttp.OpSubmit, Kind: kind, Err: err}
	}
	sub, err := newSubmission(s)
	if err != nil {
		return fail(extraction.KindRejected, err)
	}
	if s.Body == nil {
		return fail(extraction.KindRejected, fmt.Errorf("%w: the document has no body", extraction.ErrInvalid))
	}
	open, err := envelope(sub)
	if err != nil {
		return fail(extraction.KindRejected, fmt.Errorf("%w: %w", extraction.ErrInvalid, err))
	}
	doc, err := s.Body()
	if err != nil {
		return fail(extraction.KindTransient, c.api.Redactor().Err(fmt.Errorf("open the document: %w", err)))
	}
	body := vendorhttp.Stream("application/json", encode(open, doc, s.Bytes), encodedLength(open, s.Bytes))
	url, index := c.submit.url()
	answer, err := c.api.Do(ctx, vendorhttp.Call{
		Op: vendorhttp.OpSubmit, Method: http.MethodPost, URL: url, Body: body, Submits: true,
	})
	if noRoute(err) {
		c.submit.missed(index)
		e, _ := errors.AsType[*extraction.Error](err)
		e.Kind, e.Code = extraction.KindTransient, ""
		return extraction.Receipt{}, e
	}
	if err != nil {
		return extraction.Receipt{}, err
	}
	said, err := vendorjson.Parse(answer.Body)
	if err != nil {
		return extraction.Receipt{}, answer.Nonsense(err)
	}
	id := said.String("extraction_id")
	if id == "" {
		return extraction.Receipt{}, answer.Nonsense(errors.New("the answer has no extraction_id"))
	}
	return extraction.Receipt{VendorID: id}, nil
}
