package store

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// A number comes back from the store as the vendor wrote it.
func TestResultKeepsNumbers(t *testing.T) {
	t.Parallel()
	b, err := OpenBlobs(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	r := extraction.NewResult(json.RawMessage(`{}`))
	for _, n := range []json.Number{"1210.00", "12345678901234567", "1e3"} {
		r.Fields["n"] = []extraction.Value{{Value: n, Type: extraction.TypeNumber}}
		if _, err := b.PutResult(t.Context(), "id", 1, r); err != nil {
			t.Fatal(err)
		}
		got, err := b.Result(t.Context(), "id", 1, "")
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(got)
		if err != nil || !bytes.Contains(body, []byte(`"value":`+n.String()+`,`)) {
			t.Errorf("%s came back in %s (%v)", n, body, err)
		}
	}
}
