package sensible

import (
	"fmt"
	"net/http"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/fields"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

// document answers a poll. https://docs.sensible.so/reference/retrieving-results
func (a *api) document(w http.ResponseWriter, r *http.Request) {
	if !a.authorized(w, r) {
		return
	}
	x, ok := a.Engine.Get(r.PathValue("id"))
	if !ok || !visible(x) {
		a.notFound(w, r)
		return
	}
	httpkit.JSON(w, http.StatusOK, a.full(x, httpkit.BaseURL(a.PublicURL, r)))
}

// visible reports whether Sensible tells of x: it has no word for a result that it
// does not keep any more, and a classification is no extraction.
func visible(x engine.Extraction[Meta]) bool {
	return x.State != engine.Expired && !x.Meta.Classify
}

// full is all that Sensible says about x to a caller that reaches the sandbox at base.
func (a *api) full(x engine.Extraction[Meta], base string) extraction {
	answer := summary(x)
	answer.ExtraData, answer.Webhook = x.Meta.ExtraData, x.Meta.Webhook
	if x.Document == nil {
		return answer
	}
	answer.DownloadURL = a.downloadURL(base, x, a.Engine.Now())
	answer.VersionID = "sandbox"
	if x.Meta.Types == nil {
		a.single(&answer, x)
	} else {
		a.portfolio(&answer, x)
	}
	return answer
}

// extraction is one extraction as GET /documents tells it, and without its last
// part as GET /extractions does. The order of its members is that of the recorded
// answers.
type extraction struct {
	ID                string             `json:"id"`
	Created           string             `json:"created"`
	Uploaded          string             `json:"uploaded,omitempty"`
	ProcessingStarted string             `json:"processing_started,omitempty"`
	Completed         string             `json:"completed,omitempty"`
	Status            string             `json:"status"`
	Type              string             `json:"type,omitempty"`
	Types             []string           `json:"types,omitempty"`
	Segment           string             `json:"segment_documents_with,omitempty"`
	Configuration     string             `json:"configuration,omitempty"`
	ConfigVersion     string             `json:"configuration_version,omitempty"`
	Environment       string             `json:"environment"`
	DocumentName      string             `json:"document_name,omitempty"`
	Documents         []subDocument      `json:"documents,omitempty"`
	PageCount         int                `json:"page_count,omitempty"`
	ParsedDocument    map[string]any     `json:"parsed_document,omitempty"`
	Validations       *[]any             `json:"validations,omitempty"`
	ValidationSummary *validationSummary `json:"validation_summary,omitempty"`
	Classification    *[]any             `json:"classification_summary,omitempty"`
	Errors            *[]extractionError `json:"errors,omitempty"`
	Error             string             `json:"error,omitempty"`
	DownloadURL       string             `json:"download_url,omitempty"`
	ContentType       string             `json:"content_type,omitempty"`
	FileMetadata      *fileMetadata      `json:"file_metadata,omitempty"`
	Coverage          *float64           `json:"coverage,omitempty"`
	Charged           *int               `json:"charged,omitempty"`
	Actor             string             `json:"actor,omitempty"`
	VersionID         string             `json:"version_id,omitempty"`
	ReviewStatuses    []*string          `json:"reviewStatuses,omitempty"`
	ExtraData         map[string]any     `json:"extra_data,omitempty"`
	Webhook           *Webhook           `json:"webhook,omitempty"`
}

type extractionError struct {
	Message string `json:"message"`
	Type    string `json:"type,omitempty"`
}

type validationSummary struct {
	Fields        int `json:"fields"`
	FieldsPresent int `json:"fields_present"`
	Errors        int `json:"errors"`
	Warnings      int `json:"warnings"`
	Skipped       int `json:"skipped"`
}

type fileMetadata struct {
	Info map[string]string `json:"info"`
}

// configVersion is the version of every configuration here.
const configVersion = "1"

// status is Sensible's word for a state. What has expired is not listed.
func status(s engine.State) string {
	switch s {
	case engine.Waiting:
		return "WAITING"
	case engine.Processing:
		return "PROCESSING"
	case engine.Done:
		return "COMPLETE"
	case engine.Failed, engine.Expired:
		return "FAILED"
	}
	return "FAILED"
}

// summary is what both calls tell of x in any state.
func summary(x engine.Extraction[Meta]) extraction {
	s := extraction{
		ID: x.ID, Created: timestamp(x.Created), Status: status(x.State),
		Type: x.Meta.Type, Types: shuffled(x.Meta.Types), Segment: x.Meta.Segment,
		Configuration: x.Meta.ConfigName, Environment: x.Meta.Environment, DocumentName: x.Meta.DocumentName,
		ContentType: x.Meta.ContentType, Actor: actor,
	}
	if x.Meta.Types == nil {
		s.Errors = &[]extractionError{}
	}
	if !x.Received.IsZero() && x.State >= engine.Processing {
		s.Uploaded, s.ProcessingStarted = timestamp(x.Received), timestamp(x.Started)
	}
	if x.State >= engine.Done {
		s.Completed = timestamp(x.Finished)
	}
	if x.State == engine.Failed {
		s.Error = x.Failure
		s.Errors = &[]extractionError{{Message: x.Failure, Type: "invalid"}}
	}
	if x.Document != nil {
		s.PageCount = len(x.Document.Pages)
		s.ContentType = x.Document.ContentType
	}
	return s
}

// single adds the result of one document.
func (a *api) single(answer *extraction, x engine.Extraction[Meta]) {
	parsed, sum := a.parse(x, x.Meta.Type, 0, len(x.Document.Pages))
	if answer.Configuration == "" {
		answer.Configuration = x.Meta.Type
	}
	answer.ConfigVersion = configVersion
	answer.ParsedDocument = parsed
	answer.Validations = &[]any{}
	answer.ValidationSummary = &sum
	answer.Classification = &[]any{map[string]any{
		"configuration": answer.Configuration, "fingerprints": 0, "fingerprints_present": 0,
		"score": map[string]any{"value": sum.FieldsPresent, "fields_present": sum.FieldsPresent, "penalties": 0},
	}}
	answer.FileMetadata = &fileMetadata{Info: x.Document.Info}
	if answer.FileMetadata.Info == nil {
		answer.FileMetadata.Info = map[string]string{}
	}
	coverage, charged := sum.coverage(), 1
	answer.Coverage, answer.Charged = &coverage, &charged
}

// coverage is the share of the fields that were found.
func (s validationSummary) coverage() float64 {
	if s.Fields == 0 {
		return 1
	}
	return float64(s.FieldsPresent) / float64(s.Fields)
}

// parse gives parsed_document for some pages: {type, value} by field name, null
// for what was not found.
func (a *api) parse(x engine.Extraction[Meta], docType string, first, last int) (map[string]any, validationSummary) {
	parsed := map[string]any{}
	var sum validationSummary
	for _, f := range a.Rules.Of(docType, x.Document, first, last) {
		v := value(f)
		parsed[f.Name] = v
		sum.Fields++
		if v != nil {
			sum.FieldsPresent++
		}
	}
	return parsed, sum
}

func value(f fields.Field) any {
	switch v := f.Form.(type) {
	case bool:
		return map[string]any{"type": "boolean", "value": v}
	case string:
		return map[string]any{"type": "string", "value": v}
	case []string:
		list := []any{}
		for _, s := range v {
			list = append(list, map[string]any{"type": "string", "value": s})
		}
		return list
	case nil:
		if len(f.Readings) > 0 {
			return map[string]any{"type": "string", "value": f.Readings[0].Text}
		}
		return nil
	}
	return map[string]any{"type": "string", "value": fmt.Sprint(f.Form)}
}
