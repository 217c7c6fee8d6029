package providertest

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// Result is what an outcome's result writes. It must be what the JSON encoder makes of
// the same result in memory, byte for byte.
func Result(t testing.TB, out extraction.Outcome) *extraction.Result {
	t.Helper()
	var written, again bytes.Buffer
	if err := out.Result.WriteJSON(&written); err != nil {
		t.Fatalf("the result cannot be written: %v", err)
	}
	var r extraction.Result
	dec := json.NewDecoder(bytes.NewReader(written.Bytes()))
	dec.UseNumber()
	if err := dec.Decode(&r); err != nil {
		t.Fatalf("the result is written as %q: %v", written.Bytes(), err)
	}
	if err := r.WriteJSON(&again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written.Bytes(), again.Bytes()) {
		t.Errorf("the result is written as\n%s\nand in memory it is\n%s", written.Bytes(), again.Bytes())
	}
	return &r
}

// Compact is JSON without the blanks between its values, as results are stored.
func Compact(t testing.TB, body string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
