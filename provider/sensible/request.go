package sensible

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// maxName is the longest document_name the API takes.
const maxName = 256

// maxExtraData is the largest extra_data the API takes.
const maxExtraData = 16 << 10

// submission is the body of the calls that start an extraction. The API refuses unknown
// members, and empty ones must be left out.
type submission struct {
	DocumentURL  string         `json:"document_url,omitempty"`
	Types        []string       `json:"types,omitempty"`
	SegmentWith  string         `json:"segment_documents_with,omitempty"`
	ContentType  string         `json:"content_type,omitempty"`
	ExtraData    map[string]any `json:"extra_data,omitempty"`
	Webhook      *webhook       `json:"webhook,omitempty"`
	documentName string
	environment  string
}

type webhook struct {
	URL     string `json:"url"`
	Payload string `json:"payload,omitempty"`
}

// Check implements extraction.Provider.
func (c *Client) Check(s extraction.Submission) error {
	_, err := newSubmission(s)
	if t := mediaType(s.ContentType); t != "" && !slices.Contains(documentTypes, t) {
		err = errors.Join(err, fmt.Errorf("%w: Sensible does not take documents of this media type", extraction.ErrInvalid))
	}
	return err
}

// documentTypes are the values of content_type that the API accepts; it answers 400 to any
// other. Only Check applies them: without Check, the API decides, which may accept more one
// day.
var documentTypes = []string{
	"application/pdf", "image/jpeg", "image/png", "image/tiff", "text/csv", "text/plain", "text/html", "application/yaml",
	"application/msword", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/vnd.ms-excel",
	"application/vnd.ms-excel.sheet.macroenabled.12", "application/vnd.ms-excel.sheet.binary.macroenabled.12",
}

// newSubmission checks s and converts it to the API's form.
func newSubmission(s extraction.Submission) (submission, error) {
	var problems []error
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w: "+format, append([]any{extraction.ErrInvalid}, args...)...))
	}
	out := submission{
		Types: s.Types, ContentType: mediaType(s.ContentType),
		documentName: documentName(s.Name), environment: s.Environment,
	}
	switch {
	case s.Type == "" && len(s.Types) == 0:
		bad("give a document type, or the types of a portfolio")
	case s.Type != "" && len(s.Types) > 0:
		bad("give either one document type or the types of a portfolio")
	case len(s.Types) > 0 && s.ConfigName != "":
		bad("a portfolio takes no config_name")
	case slices.Contains(s.Types, ""):
		bad("a type of the portfolio is empty")
	}
	if isDots(s.Type) || isDots(s.ConfigName) {
		bad("type and config_name cannot be . or ..")
	}
	if s.URL != "" {
		if u, err := url.Parse(s.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			bad("the document's URL is not an http or https URL")
		}
		out.DocumentURL = s.URL
	}
	for name, value := range s.Options {
		err := out.option(name, value, len(s.Types) > 0)
		switch {
		case errors.Is(err, errOption):
			bad("the option %q %w", name, err) // Quoted like all values of the producer.
		case err != nil:
			bad("option %s %w", name, err)
		}
	}
	if s.Webhook != nil {
		out.Webhook = &webhook{URL: s.Webhook.URL, Payload: s.Webhook.Payload}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return out, errors.Join(problems...)
}

// isDots reports whether a path segment would be resolved to another path.
func isDots(segment string) bool { return segment == "." || segment == ".." }

// entity matches an HTML entity, which the API refuses in a name.
var entity = regexp.MustCompile(`&(#?\w+);`)

// documentName is the name in the form that the API accepts. No document is refused for its
// name, which is only the vendor's label.
func documentName(name string) string {
	name = entity.ReplaceAllString(strings.ToValidUTF8(name, "_"), "$1")
	if runes := []rune(name); len(runes) > maxName {
		name = string(runes[:maxName])
	}
	return name
}

// option sets one option of the producer.
func (b *submission) option(name string, value any, portfolio bool) error {
	switch name {
	case "segment_documents_with":
		s, ok := value.(string)
		switch {
		case !portfolio:
			return errors.New("is for a portfolio only")
		case !ok || s == "":
			return errors.New("must be fingerprints or llm")
		}
		b.SegmentWith = s
		return nil
	case "extra_data":
		data, err := extraData(value)
		b.ExtraData = data
		return err
	}
	return errOption
}

var errOption = errors.New("is not known; the options are segment_documents_with and extra_data")

// extraData accepts an object, or a string that contains one: the command line has only
// strings.
func extraData(value any) (map[string]any, error) {
	var raw []byte
	if s, ok := value.(string); ok {
		raw = []byte(s)
	} else {
		var err error
		if raw, err = json.Marshal(value); err != nil {
			return nil, errors.New("must be a JSON object")
		}
	}
	if len(raw) > maxExtraData {
		return nil, fmt.Errorf("must be at most %d KiB", maxExtraData>>10)
	}
	if !json.Valid(raw) {
		return nil, errors.New("must be a JSON object")
	}
	members, ok := vendorjson.AsObject(raw)
	if !ok {
		return nil, errors.New("must be a JSON object")
	}
	data := make(map[string]any, len(members))
	for k, m := range members {
		if _, nested := vendorjson.AsObject(m); nested || vendorjson.IsArray(m) {
			return nil, errors.New("must be a flat object: its values may not be objects or arrays")
		}
		data[k] = m
	}
	return data, nil
}

// mediaType is the declared type without parameters, which the API's list does not have;
// empty if nothing useful was declared.
func mediaType(contentType string) string {
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil || t == "application/octet-stream" {
		return ""
	}
	return t
}

// send makes one of the two calls that start an extraction.
func (c *Client) send(ctx context.Context, call string, s extraction.Submission, submits bool) (answer, error) {
	sub, err := newSubmission(s)
	if err != nil {
		return answer{}, rejected(vendorhttp.OpSubmit, err)
	}
	if !submits {
		sub.DocumentURL = ""
	}
	body, err := vendorhttp.JSON(sub)
	if err != nil {
		return answer{}, rejected(vendorhttp.OpSubmit, fmt.Errorf("%w: %w", extraction.ErrInvalid, err))
	}
	a, err := c.api.Do(ctx, vendorhttp.Call{
		Op: vendorhttp.OpSubmit, Method: http.MethodPost, Body: body, Submits: submits,
		URL: c.api.Base() + "/" + call + path(s.Type, s.ConfigName) + sub.query(),
	})
	return answer{a}, err
}

// path is /TYPE/CONFIG, as far as they are given.
func path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		if s != "" {
			b.WriteString("/" + url.PathEscape(s))
		}
	}
	return b.String()
}

func (b *submission) query() string {
	q := url.Values{}
	if b.environment != "" {
		q.Set("environment", b.environment)
	}
	if b.documentName != "" {
		q.Set("document_name", b.documentName)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// invalid is the error for a call with wrong arguments.
func invalid(op, why string) error {
	return rejected(op, fmt.Errorf("%w: %s", extraction.ErrInvalid, why))
}

// rejected is the error for a submission that was refused without asking the vendor.
func rejected(op string, err error) error {
	return &extraction.Error{Op: op, Kind: extraction.KindRejected, Err: err}
}
