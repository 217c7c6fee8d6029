package callback

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/extractq/extractq/extraction"
)

const (
	contentType = "application/cloudevents+json"
	eventType   = "extractq.extraction.finished"
	// maxResult is the size of the largest result that is sent along, as encoded bytes.
	maxResult = 256 << 10
)

// event is a CloudEvents 1.0 event in its structured JSON form.
type event struct {
	SpecVersion     string          `json:"specversion"`
	Type            string          `json:"type"`
	Source          string          `json:"source"`
	ID              string          `json:"id"`
	Subject         string          `json:"subject"`
	Time            extraction.Time `json:"time,omitzero"`
	DataContentType string          `json:"datacontenttype"`
	Data            eventData       `json:"data"`
}

// eventData is the extraction with a result that may be left out.
type eventData struct {
	extraction.Extraction

	// Result shadows the extraction's own.
	Result    json.RawMessage `json:"result"`
	ResultURL string          `json:"result_url,omitempty"`
}

// encodeEvent is the body of a callback. If the result is too large or was not loaded, it
// is null, and result_url says where to fetch it.
func encodeEvent(publicURL string, d Delivery) ([]byte, error) {
	e := d.Extraction
	source := publicURL
	if source == "" {
		source = "/"
	}
	data := eventData{Extraction: *e}
	switch {
	case e.Result != nil:
		result, err := encode(e.Result)
		if err != nil {
			return nil, fmt.Errorf("result: %w", err)
		}
		data.Result = result
	case e.Status != extraction.StatusSuccess:
		data.Result = json.RawMessage("{}")
	}
	if data.Result == nil || len(data.Result) > maxResult {
		data.Result = nil
		data.ResultURL = strings.TrimRight(publicURL, "/") + "/v1/extractions/" + e.ID + "/result"
	}
	return encode(event{
		SpecVersion: "1.0", Type: eventType, Source: source, ID: d.EventID, Subject: e.ID, Time: e.FinishedAt,
		DataContentType: "application/json", Data: data,
	})
}

// encode returns JSON without a line end and without escaping the vendor's text.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
