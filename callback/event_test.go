package callback

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
)

// The body that a producer gets, member by member.
func TestEvent(t *testing.T) {
	t.Parallel()
	body, err := encodeEvent("https://extractq.example.com", deliveryTo("https://producer.example/hook"))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil {
		t.Fatal(err)
	}
	want := `{
  "specversion": "1.0",
  "type": "extractq.extraction.finished",
  "source": "https://extractq.example.com",
  "id": "01JD8Z3V5K7M9N0P2Q4R6S8T0W-d1",
  "subject": "01JD8Z3V5K7M9N0P2Q4R6S8T0W",
  "time": "2026-01-01T00:00:02.345Z",
  "datacontenttype": "application/json",
  "data": {
    "id": "01JD8Z3V5K7M9N0P2Q4R6S8T0W",
    "account": "acme-sensible",
    "provider": "sensible",
    "type": "tax_forms",
    "types": null,
    "config_name": null,
    "environment": null,
    "customer": "acme",
    "batch": null,
    "priority": "normal",
    "metadata": {
      "order": "7"
    },
    "options": {},
    "document": {
      "name": "1040.pdf",
      "content_type": "application/pdf",
      "bytes": 429087,
      "sha256": "ab",
      "url": null
    },
    "status": "SUCCESS",
    "vendor": {
      "id": "v1",
      "status": "COMPLETE"
    },
    "polls": 2,
    "attempts": 1,
    "next": null,
    "last_error": null,
    "created_at": "2026-01-01T00:00:00.000Z",
    "submitted_at": "2026-01-01T00:00:01.000Z",
    "finished_at": "2026-01-01T00:00:02.345Z",
    "expires_at": "2026-01-08T00:00:02.345Z",
    "retry_of": null,
    "retried_by": null,
    "callback": {
      "url": "https://producer.example/hook",
      "state": "pending",
      "attempts": 0,
      "last_status": null,
      "last_error": null,
      "next_at": null
    },
    "error": null,
    "result": {
      "fields": {
        "total": [
          {
            "value": "x",
            "type": "string",
            "text": null,
            "unit": null,
            "confidence": null,
            "page": null,
            "box": null,
            "alternatives": []
          }
        ]
      },
      "tables": {},
      "documents": [],
      "warnings": [],
      "raw": {
        "note": "a <b> & c"
      }
    }
  }
}`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// A result of exactly the limit travels along, one byte more does not.
func TestLargeResult(t *testing.T) {
	t.Parallel()
	sized := func(n int) *extraction.Result {
		r := extraction.NewResult(json.RawMessage(`""`))
		empty, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		r.Raw = json.RawMessage(`"` + strings.Repeat("x", n-len(empty)) + `"`)
		return r
	}
	for name, tt := range map[string]struct {
		status    extraction.Status
		result    *extraction.Result
		publicURL string
		null      bool
		url       string
	}{
		"the largest":             {extraction.StatusSuccess, sized(256 << 10), "https://q.example", false, ""},
		"one byte more":           {extraction.StatusSuccess, sized(256<<10 + 1), "https://q.example", true, "https://q.example/v1/extractions/01JD8Z3V5K7M9N0P2Q4R6S8T0W/result"},
		"a slash too many":        {extraction.StatusSuccess, sized(1 << 20), "https://q.example/", true, "https://q.example/v1/extractions/01JD8Z3V5K7M9N0P2Q4R6S8T0W/result"},
		"no public name":          {extraction.StatusSuccess, sized(1 << 20), "", true, "/v1/extractions/01JD8Z3V5K7M9N0P2Q4R6S8T0W/result"},
		"not loaded":              {extraction.StatusSuccess, nil, "", true, "/v1/extractions/01JD8Z3V5K7M9N0P2Q4R6S8T0W/result"},
		"there is none":           {extraction.StatusError, nil, "", false, ""},
		"there is none, and said": {extraction.StatusCanceled, &extraction.Result{}, "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deliveryTo("")
			d.Extraction.Status, d.Extraction.Result = tt.status, tt.result
			body, err := encodeEvent(tt.publicURL, d)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Source string
				Data   struct {
					Result    json.RawMessage
					ResultURL *string `json:"result_url"`
				}
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			if null := string(got.Data.Result) == "null"; null != tt.null {
				t.Errorf("the result is null: %v, want %v", null, tt.null)
			}
			if !tt.null && tt.status != extraction.StatusSuccess && string(got.Data.Result) != "{}" {
				t.Errorf("result = %s, want {}", got.Data.Result)
			}
			switch {
			case tt.url == "" && got.Data.ResultURL != nil:
				t.Errorf("result_url = %q, want none", *got.Data.ResultURL)
			case tt.url != "" && (got.Data.ResultURL == nil || *got.Data.ResultURL != tt.url):
				t.Errorf("body without result_url %s: %.300s", tt.url, body)
			}
			if want := tt.publicURL; want == "" && got.Source != "/" || want != "" && got.Source != want {
				t.Errorf("source = %q", got.Source)
			}
		})
	}
}
