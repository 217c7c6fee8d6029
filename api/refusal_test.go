package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
)

// What vendors' adapters and the queue refuse is said in whole sentences, which have
// nothing of what was sent in them and do not speak of it either.
func TestRefusalsAreSentences(t *testing.T) {
	t.Parallel()
	portfolios, err := sensible.New(sensible.Config{APIKey: "none"})
	if err != nil {
		t.Fatal(err)
	}
	invoices, err := typless.New(typless.Config{APIKey: "none"})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(c *Config) {
		c.Accounts = []Account{
			{Name: "acme", Provider: "sensible", Check: portfolios.Check, FetchesURL: true},
			{Name: "other", Provider: "typless", Check: invoices.Check},
		}
	})
	const adopt = `,"vendor_id":"v"}`
	for fields, want := range map[string]string{
		`{"account":"acme","type":"` + marker + `","options":{"` + marker + `":1,"` + marker + `2":"\"x\" y"}`: "the option is not known; the options are segment_documents_with and extra_data",
		`{"account":"acme","type":"..","config_name":"."`:                                                      "type and config_name cannot be . or ..",
		`{"account":"acme","type":"t","options":{"extra_data":"` + marker + `"}`:                               "option extra_data must be a JSON object",
		`{"account":"other","type":"t","options":{"` + marker + `":1}`:                                         "the option is not known; the only one is parse_text_blocks",
		`{"account":"other","type":"t","options":{"parse_text_blocks":"` + marker + `"}`:                       "option parse_text_blocks must be true or false",
		`{"account":"acme","type":"t","priority":"` + marker + `"`:                                             "priority is neither normal nor bulk",
		`{"account":"acme","type":"t","batch":"` + marker + strings.Repeat("x", 200) + `"`:                     "batch is not 1 to 128 printable characters",
	} {
		body := fields + adopt
		if !json.Valid([]byte(body)) {
			t.Fatalf("%s is not JSON", body)
		}
		a := r.do("POST", "/v1/extractions", body, "Content-Type", "application/json")
		a.wantProblem(t, body, 422, codeInvalid)
		if a.json["detail"] != want {
			t.Errorf("%s: the answer says %q, want %q", body, a.json["detail"], want)
		}
	}
}
