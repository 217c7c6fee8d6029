package vendorjson

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzScan compares what is taken apart here with what encoding/json makes of it.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, ` { "a" : 1 , "b\n\u00e9" : [ 1, "x]\"" , {"y":"}"} ] , "a":null } `, `[1,2.5e3,true,"\\",[[]],{"":{}}]`,
		"{\"\xff\":\"\xff\"}", `{"a":"b"`, `[1,]`, `{"a" 1}`, `"text"`, `[] x`, ``, `{"a":1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		object, isObject := AsObject(raw)
		array, isArray := AsArray(raw)
		if !json.Valid(raw) {
			return // It must only not panic.
		}
		var wantObject map[string]json.RawMessage
		var wantArray []json.RawMessage
		if kind(raw) == '{' {
			if err := json.Unmarshal(raw, &wantObject); err != nil {
				t.Fatal(err)
			}
		}
		if kind(raw) == '[' {
			if err := json.Unmarshal(raw, &wantArray); err != nil {
				t.Fatal(err)
			}
		}
		if isObject != (wantObject != nil) || isArray != (wantArray != nil) {
			t.Errorf("%q: object %t, array %t", raw, isObject, isArray)
		}
		if diff := cmp.Diff(wantObject, map[string]json.RawMessage(object)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", raw, diff)
		}
		if diff := cmp.Diff(wantArray, array); diff != "" {
			t.Errorf("%q (-want +got):\n%s", raw, diff)
		}
		if diff := cmp.Diff(wantArray, slices.AppendSeq(wantArray[:0:0], Elements(raw))); diff != "" {
			t.Errorf("%q, element by element (-want +got):\n%s", raw, diff)
		}
	})
}
