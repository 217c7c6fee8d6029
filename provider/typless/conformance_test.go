package typless_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/providertest"
	"github.com/extractq/extractq/provider/typless"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Harness{
		Dialect: dialect(),
		New: func(t *testing.T, baseURL, key string) extraction.Provider {
			// With the version, so that each call is one request; routes_test.go
			// has the rest.
			return newClient(t, typless.Config{APIKey: key, BaseURL: baseURL + "/api/v1"})
		},
		Submission: extraction.Submission{
			Name: "invoice~01JD.pdf", ContentType: "application/pdf", Type: "invoice", Customer: "acme",
		},
	})
}

func newClient(t testing.TB, cfg typless.Config) *typless.Client {
	t.Helper()
	if cfg.APIKey == "" {
		cfg.APIKey = providertest.Key
	}
	c, err := typless.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

// dialect is how Typless talks.
func dialect() providertest.Dialect {
	body := func(status, errorValue, result string) providertest.Reply {
		return providertest.JSON(fmt.Sprintf(`{"error":%s,"result":%s,"status":%q}`, errorValue, result, status))
	}
	return providertest.Dialect{
		Op: func(r *http.Request) (providertest.Op, string) {
			switch r.Method + " " + r.URL.Path {
			case "POST /api/extract-data-async", "POST /api/v1/extract-data-async":
				return providertest.OpSubmit, ""
			case "GET /api/get-extraction-data", "GET /api/v1/get-extraction-data":
				return providertest.OpPoll, r.URL.Query().Get("extraction_id")
			case "GET /api/awaiting-poll", "GET /api/v1/awaiting-poll":
				return providertest.OpReady, ""
			}
			return "unknown", ""
		},
		Document: func(body []byte) ([]byte, error) {
			var sent struct {
				File string `json:"file"`
			}
			if err := json.Unmarshal(body, &sent); err != nil {
				return nil, err
			}
			return base64.StdEncoding.DecodeString(sent.File)
		},
		Submitted: func(id string) providertest.Reply {
			reply := providertest.JSON(fmt.Sprintf(`{"extraction_id":%q}`, id))
			reply.Status = http.StatusAccepted
			return reply
		},
		Pending: func(string) []providertest.Reply { return []providertest.Reply{body("IN_PROGRESS", "{}", "{}")} },
		Unknown: func(string) providertest.Reply { return body("PARKED", "{}", "{}") },
		Done: func(string) providertest.Reply {
			return body("SUCCESS", "{}", `{"file_name":"invoice.pdf","extracted_fields":[],"line_items":[],"vat_rates":[]}`)
		},
		Failed: func(_, reason string) providertest.Reply {
			text, _ := json.Marshal(reason)
			return body("ERROR", `{"code":"BAD_FILE","message":`+string(text)+`,"details":[`+string(text)+`]}`, "{}")
		},
		Expired: func(string) providertest.Reply { return body("EXPIRED", "{}", "{}") },
		Ready: func(ids ...string) providertest.Reply {
			b, _ := json.Marshal(map[string]any{"extraction_ids": append([]string{}, ids...)})
			return providertest.JSON(string(b))
		},
	}
}
