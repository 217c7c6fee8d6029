package sensible_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/providertest"
	"github.com/extractq/extractq/provider/sensible"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Harness{
		Dialect: dialect(),
		New: func(t *testing.T, baseURL, key string) extraction.Provider {
			return newClient(t, sensible.Config{APIKey: key, BaseURL: baseURL + "/v0"})
		},
		Submission: extraction.Submission{
			Name: "1040~01JD.pdf", ContentType: "application/pdf", Type: "tax_forms",
			URL: "https://example.com/1040.pdf?signature=abc",
		},
	})
}

func newClient(t testing.TB, cfg sensible.Config) *sensible.Client {
	t.Helper()
	if cfg.APIKey == "" {
		cfg.APIKey = providertest.Key
	}
	c, err := sensible.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return c
}

// dialect is how Sensible talks.
func dialect() providertest.Dialect {
	body := func(id, status, more string) providertest.Reply {
		return providertest.JSON(fmt.Sprintf(
			`{"id":%q,"created":"2026-07-06T20:19:44.829Z","status":%q,"type":"tax_forms"%s}`, id, status, more))
	}
	quote := func(s string) string {
		b, _ := json.Marshal(s)
		return string(b)
	}
	return providertest.Dialect{
		Op: func(r *http.Request) (providertest.Op, string) {
			path := strings.TrimPrefix(r.URL.Path, "/v0/")
			switch {
			case r.Method == http.MethodPost && strings.HasPrefix(path, "extract_from_url"):
				return providertest.OpSubmit, ""
			case r.Method == http.MethodPost && strings.HasPrefix(path, "generate_upload_url"):
				return providertest.OpOpen, ""
			case r.Method == http.MethodGet && path == "extractions":
				return providertest.OpReady, ""
			case r.Method == http.MethodGet && strings.HasPrefix(path, "documents/"):
				return providertest.OpPoll, strings.TrimPrefix(path, "documents/")
			}
			return "unknown", ""
		},
		Document:  func(body []byte) ([]byte, error) { return body, nil },
		Submitted: func(id string) providertest.Reply { return body(id, "WAITING", `,"errors":[]`) },
		Opened: func(id, uploadURL string) providertest.Reply {
			return body(id, "WAITING", `,"upload_url":`+quote(uploadURL))
		},
		Pending: func(id string) []providertest.Reply {
			return []providertest.Reply{body(id, "WAITING", ""), body(id, "PROCESSING", "")}
		},
		Unknown: func(id string) providertest.Reply { return body(id, "PARKED", "") },
		Done: func(id string) providertest.Reply {
			return body(id, "COMPLETE", `,"parsed_document":{"year":{"type":"number","value":2020}},"errors":[]`)
		},
		Failed: func(id, reason string) providertest.Reply {
			return body(id, "FAILED", `,"error":`+quote(reason)+`,"errors":[{"message":`+quote(reason)+`}]`)
		},
		Ready: func(ids ...string) providertest.Reply {
			items := []string{}
			for _, id := range ids {
				items = append(items, body(id, "COMPLETE", `,"document_name":"a.pdf"`).Body)
			}
			return providertest.JSON(`{"extractions":[` + strings.Join(items, ",") + `],"continuation_token":null}`)
		},
	}
}
