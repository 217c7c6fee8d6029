package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
	"github.com/extractq/extractq/store"
)

// request is a submission in any of its forms.
type request struct {
	protocol.Fields

	document    io.Reader
	contentType string
	url         string
	vendorID    string
	spool       *spool
}

// idempotencyKey is the value of the header; quoted and bare forms are the same.
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(values[0])
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if key == "" || len(key) > 255 || len(values) > 1 {
		return "", problem(http.StatusUnprocessableEntity, codeInvalid, "Idempotency-Key is one value of 1 to 255 characters")
	}
	return key, nil
}

// queryFields are the fields with one value.
var queryFields = []string{
	"account", "type", "config_name", "environment", "customer", "batch", "name", "priority", "callback_url", "wait",
}

// readRequest reads a submission in any of its forms. The document of a raw body is not
// read yet.
func (s *Server) readRequest(r *http.Request) (request, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return request{}, problem(http.StatusUnsupportedMediaType, codeUnsupported, "Content-Type is no media type")
	}
	switch media {
	case "application/json":
		return s.readJSON(r)
	case "multipart/form-data":
		if params["boundary"] == "" {
			return request{}, problem(http.StatusBadRequest, codeInvalid, "the form's Content-Type has no boundary")
		}
		if len(r.URL.Query()) > 0 {
			return request{}, fmt.Errorf("%w: with a form the fields are its parts, not the query", extraction.ErrInvalid)
		}
		form, err := r.MultipartReader()
		if err != nil {
			return request{}, problem(http.StatusBadRequest, codeInvalid, "the form cannot be read")
		}
		values, doc, name, contentType, err := readMultipart(form, s.cfg.MaxDocument)
		if err != nil {
			return request{}, err
		}
		req := request{spool: doc, contentType: contentType}
		if doc != nil {
			req.document = doc.file
		}
		if err := req.take(values); err != nil {
			doc.Close()
			return request{}, err
		}
		if req.Name == "" && name != "" {
			req.Name = path.Base(strings.ReplaceAll(name, `\`, "/"))
		}
		return req, nil
	}
	if s.cfg.MaxDocument > 0 && r.ContentLength > s.cfg.MaxDocument {
		return request{}, store.ErrTooLarge
	}
	req := request{document: r.Body, contentType: media}
	return req, req.take(r.URL.Query())
}

// take reads the fields of a query or a form.
func (r *request) take(values map[string][]string) error {
	single := map[string]*string{
		"account": &r.Account, "type": &r.Type, "config_name": &r.ConfigName, "environment": &r.Environment,
		"customer": &r.Customer, "batch": &r.Batch, "name": &r.Name, "priority": (*string)(&r.Priority),
		"callback_url": &r.CallbackURL, "wait": &r.Wait, "document_url": &r.url, "vendor_id": &r.vendorID,
	}
	for name, all := range values {
		to, ok := single[name]
		key, isMetadata := strings.CutPrefix(name, "metadata.")
		option, isOption := strings.CutPrefix(name, "options.")
		switch {
		case name == "types":
			r.Types = all
			continue
		case len(all) != 1:
			return fmt.Errorf("%w: %s is given more than once", extraction.ErrInvalid, fieldName(name))
		case ok:
			*to = all[0]
		case isMetadata && key != "":
			if r.Metadata == nil {
				r.Metadata = map[string]string{}
			}
			r.Metadata[key] = all[0]
		case isOption && option != "":
			if r.Options == nil {
				r.Options = map[string]any{}
			}
			r.Options[option] = all[0]
		default:
			return fmt.Errorf("%w: there is no field of this name; the fields are %s, types, metadata.K and options.K",
				extraction.ErrInvalid, strings.Join(queryFields, ", "))
		}
	}
	return nil
}

// isField reports whether a part of a form is a field: the value of a field may come from a
// file too.
func isField(name string) bool {
	return slices.Contains(members, name) || strings.HasPrefix(name, "metadata.") || strings.HasPrefix(name, "options.")
}

// fieldName is the canonical name of a field; empty for an unknown one.
func fieldName(name string) string {
	if slices.Contains(queryFields, name) {
		return name
	}
	return "a field"
}

// readJSON reads the JSON form.
func (s *Server) readJSON(r *http.Request) (request, error) {
	rest, doc, err := jsonDocument(r.Body, s.cfg.MaxDocument)
	if err != nil {
		return request{}, err
	}
	if !utf8.Valid(rest) { // The decoder would replace the invalid bytes.
		doc.Close()
		return request{}, problem(http.StatusBadRequest, codeInvalid, "the body is not UTF-8, as JSON is")
	}
	if err := exactMembers(rest); err != nil {
		doc.Close()
		return request{}, err
	}
	var body protocol.Submission
	dec := json.NewDecoder(strings.NewReader(string(rest)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil {
		doc.Close()
		return request{}, jsonProblem(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		doc.Close()
		return request{}, problem(http.StatusBadRequest, codeInvalid, "the body is more than one JSON value")
	}
	if len(r.URL.Query()) > 0 {
		doc.Close()
		return request{}, fmt.Errorf("%w: with a JSON body the fields are its members, not the query", extraction.ErrInvalid)
	}
	req := request{Fields: body.Fields, url: body.DocumentURL, vendorID: body.VendorID, spool: doc}
	if doc != nil {
		req.document = doc.file
	}
	return req, nil
}

// members are the names of a submission's JSON members.
var members = append([]string{
	"document_url", "document_base64", "vendor_id", "types", "metadata", "options",
}, queryFields...)

// exactMembers refuses a member whose name differs from one of ours only in case: the
// decoder would accept it. The decoder reports invalid JSON.
func exactMembers(body []byte) error {
	var given map[string]json.RawMessage
	if json.Unmarshal(body, &given) != nil {
		return nil
	}
	for name := range given {
		if !slices.Contains(members, name) {
			return problem(http.StatusUnprocessableEntity, codeInvalid, "the body has a member that is none of a submission's")
		}
	}
	return nil
}

// jsonProblem says what is wrong with a JSON body, without repeating it.
func jsonProblem(err error) *Problem {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := strings.TrimPrefix(t.Field, "Fields.") // They are embedded.
		if field == "" {
			field = "the body"
		}
		return problem(http.StatusUnprocessableEntity, codeInvalid, fmt.Sprintf("%s is not a JSON %s", field, kindOf(t)))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok && len(name) < 60 {
		return problem(http.StatusUnprocessableEntity, codeInvalid, "the body has a member that is none of a submission's")
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return problem(http.StatusBadRequest, codeInvalid, "the body is not JSON, from byte "+strconv.FormatInt(e.Offset, 10)+" on")
	}
	return problem(http.StatusBadRequest, codeInvalid, "the body is not one JSON object")
}

func kindOf(t *json.UnmarshalTypeError) string {
	switch t.Type.Kind().String() {
	case "slice":
		return "array"
	case "map", "struct":
		return "object"
	case "float64":
		return "number"
	}
	return t.Type.Kind().String()
}
