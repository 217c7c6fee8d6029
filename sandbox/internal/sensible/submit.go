package sensible

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

const (
	// maxCallBody is ample: extra_data is at most 16 kB, and a webhook payload is
	// a label.
	maxCallBody  = 1 << 20
	maxExtraData = 16_000
	maxName      = 256
)

// actor is what Sensible says about the key that was used.
const actor = "api_key: sandbox"

// submission is the body of the six submitting calls. Which members a call takes
// is checked by name.
type submission struct {
	DocumentURL  string         `json:"document_url"`
	ContentType  string         `json:"content_type"`
	Types        []string       `json:"types"`
	Segment      string         `json:"segment_documents_with"`
	Webhook      *Webhook       `json:"webhook"`
	ExtraData    map[string]any `json:"extra_data"`
	OCREngine    string         `json:"ocr_engine"`
	OCREveryPage bool           `json:"ocr_every_page"`
}

// receipt is the answer to a submission. The order of its members is that of the
// recorded answers.
type receipt struct {
	ID            string         `json:"id"`
	Created       string         `json:"created"`
	Status        string         `json:"status"`
	Type          string         `json:"type,omitempty"`
	Types         []string       `json:"types,omitempty"`
	Segment       string         `json:"segment_documents_with,omitempty"`
	Configuration string         `json:"configuration,omitempty"`
	Environment   string         `json:"environment,omitempty"`
	DocumentName  string         `json:"document_name,omitempty"`
	Errors        *[]string      `json:"errors,omitempty"`
	ContentType   string         `json:"content_type,omitempty"`
	ExtraData     map[string]any `json:"extra_data,omitempty"`
	UploadURL     string         `json:"upload_url,omitempty"`
	Actor         string         `json:"actor,omitempty"`
}

// generateUploadURL registers an extraction and says where its document goes.
// https://docs.sensible.so/reference/generate-an-upload-url
func (a *api) generateUploadURL(w http.ResponseWriter, r *http.Request) {
	meta, _, ok := a.accept(w, r, false)
	if !ok {
		return
	}
	x := a.Engine.Open(uuid.NewString(), meta)
	answer := receipt{
		ID: x.ID, Created: timestamp(x.Created), Status: "WAITING",
		Type: meta.Type, Configuration: meta.ConfigName,
	}
	answer.UploadURL = a.uploadURL(httpkit.BaseURL(a.PublicURL, r), x)
	httpkit.JSON(w, http.StatusOK, answer)
}

// extractFromURL registers an extraction whose document Sensible downloads.
// https://docs.sensible.so/reference/provide-a-download-url
func (a *api) extractFromURL(w http.ResponseWriter, r *http.Request) {
	meta, source, ok := a.accept(w, r, true)
	if !ok {
		return
	}
	x := a.Engine.Open(uuid.NewString(), meta)
	if !a.Fetch.Enqueue(x.ID, source, meta.ContentType) {
		httpkit.Text(w, http.StatusInternalServerError, "Sensible encountered an unknown error")
		return
	}
	answer := receipt{
		ID: x.ID, Created: timestamp(x.Created), Status: "WAITING",
		Type: meta.Type, Types: shuffled(meta.Types), Segment: meta.Segment, Configuration: meta.ConfigName,
		Environment: meta.Environment, DocumentName: meta.DocumentName,
		ContentType: meta.ContentType, ExtraData: meta.ExtraData, Actor: actor,
	}
	if meta.Types == nil {
		answer.Errors = &[]string{}
	}
	httpkit.JSON(w, http.StatusOK, answer)
}

// shuffled gives types in another order than they were sent in, as recorded
// answers do.
func shuffled(types []string) []string {
	types = slices.Clone(types)
	slices.Reverse(types)
	return types
}

// accept checks a submission in Sensible's order: path and query (collected),
// Content-Type, body (collected), key, and then what was collected.
func (a *api) accept(w http.ResponseWriter, r *http.Request, byURL bool) (meta Meta, source string, ok bool) {
	var found problems
	meta = Meta{Type: r.PathValue("type"), ConfigName: r.PathValue("config"), ByURL: byURL}
	portfolio := meta.Type == ""
	checkPath(&found, "document_type", meta.Type, !portfolio)
	checkPath(&found, "config_name", meta.ConfigName, meta.ConfigName != "")
	checkQuery(&found, r.URL.Query(), &meta)

	body, status, message := readCall(w, r)
	if status != 0 {
		httpkit.Text(w, status, message)
		return meta, "", false
	}
	s, err := decode(&found, body, portfolio, byURL)
	if err != nil {
		httpkit.Text(w, http.StatusBadRequest, "Invalid body")
		return meta, "", false
	}
	s.check(&found, portfolio, byURL)
	if !a.authorized(w, r) || found.write(w, r) {
		return meta, "", false
	}
	if a.StrictTypes {
		types := s.Types
		if !portfolio {
			types = []string{meta.Type}
		}
		for _, t := range types {
			if a.Rules[t] == nil {
				httpkit.Text(w, http.StatusBadRequest, "Specified document type does not exist")
				return meta, "", false
			}
		}
	}
	meta.ContentType, meta.ExtraData, meta.Webhook = s.ContentType, s.ExtraData, s.Webhook
	if meta.Webhook != nil {
		meta.Base = httpkit.BaseURL(a.PublicURL, r)
	}
	if portfolio {
		meta.Types, meta.Segment = s.Types, s.Segment
		if meta.Segment == "" {
			meta.Segment = "fingerprints"
		}
	}
	return meta, s.DocumentURL, true
}

// readCall reads the JSON body of a call. A status other than 0 is the answer.
func readCall(w http.ResponseWriter, r *http.Request) (body []byte, status int, message string) {
	given := r.Header.Get("Content-Type")
	if given == "" {
		return nil, http.StatusBadRequest, "Must provide the Content-Type header"
	}
	if kind, _, err := mime.ParseMediaType(given); err != nil || kind != "application/json" {
		return nil, http.StatusUnsupportedMediaType, "Content-Type must be application/json"
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, http.StatusRequestEntityTooLarge, "Request Entity Too Large"
	}
	if err != nil {
		return nil, http.StatusBadRequest, "Invalid body"
	}
	return body, 0, ""
}

// decode reads a body and notes the members that the call does not take. An
// empty body is an empty object. The error is a body that is not a JSON object.
func decode(found *problems, body []byte, portfolio, byURL bool) (submission, error) {
	var s submission
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return s, err
	}
	if members == nil {
		return s, errors.New("body is null")
	}
	allowed := []string{"content_type", "extra_data", "webhook"}
	if portfolio {
		allowed = append(allowed, "types", "segment_documents_with")
	}
	if byURL {
		allowed = append(allowed, "document_url", "ocr_engine", "ocr_every_page")
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(allowed, name) {
			found.add("body", name, "is not allowed")
			continue
		}
		// Member by member, so that every wrong type is named.
		one, _ := json.Marshal(map[string]json.RawMessage{name: members[name]})
		if err := json.Unmarshal(one, &s); err != nil {
			found.add("body", name, "has the wrong type")
		}
	}
	return s, nil
}

// documentTypes are the content types that Sensible takes.
func documentTypes() []string {
	const office = "application/vnd.openxmlformats-officedocument."
	return []string{
		"application/pdf", "image/jpeg", "image/png", "image/tiff", "application/msword",
		office + "wordprocessingml.document", office + "spreadsheetml.sheet", "text/csv",
		"application/vnd.ms-excel", "application/vnd.ms-excel.sheet.macroenabled.12",
		"application/vnd.ms-excel.sheet.binary.macroenabled.12", "application/yaml",
		"text/plain", "text/html",
	}
}

func (s *submission) check(found *problems, portfolio, byURL bool) {
	if s.ContentType != "" && !slices.Contains(documentTypes(), s.ContentType) {
		found.add("body", "content_type", "must be a supported content type")
	}
	if portfolio && (len(s.Types) == 0 || slices.Contains(s.Types, "")) {
		found.add("body", "types", "must name at least one document type")
	}
	if s.Segment != "" && s.Segment != "fingerprints" && s.Segment != "llm" {
		found.add("body", "segment_documents_with", "must be fingerprints or llm")
	}
	if byURL && !isHTTP(s.DocumentURL) {
		found.add("body", "document_url", "must be an http or https URL")
	}
	if s.Webhook != nil {
		if !isHTTP(s.Webhook.URL) {
			found.add("body", "webhook.url", "must be an http or https URL")
		}
	}
	for name, v := range s.ExtraData {
		switch v.(type) {
		case map[string]any, []any:
			found.add("body", "extra_data."+name, "must be a string, number, boolean or null")
		}
	}
	if raw, _ := json.Marshal(s.ExtraData); len(raw) > maxExtraData {
		found.add("body", "extra_data", "must not be larger than 16 kB")
	}
}

func isHTTP(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

var (
	pathName    = regexp.MustCompile(`^[\w.~ -]{1,128}$`)
	environment = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	htmlEntity  = regexp.MustCompile(`&(#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+);`)
)

func checkPath(found *problems, name, value string, given bool) {
	if given && !pathName.MatchString(value) {
		found.add("path", name, "must be the name of a document type or configuration")
	}
}

func checkQuery(found *problems, q url.Values, meta *Meta) {
	meta.Environment = "production"
	if q.Has("environment") {
		meta.Environment = q.Get("environment")
	}
	if !environment.MatchString(meta.Environment) {
		found.add("query", "environment", "must consist of lower-case letters, digits and underscores")
	}
	meta.DocumentName = q.Get("document_name")
	if n := utf8.RuneCountInString(meta.DocumentName); n > maxName || htmlEntity.MatchString(meta.DocumentName) {
		found.add("query", "document_name", "must have at most 256 characters and no HTML entities")
	}
}
