package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// A damaged record is an error or a record: never the end of a process, and what is shown
// of it always has a JSON form.
func FuzzRecord(f *testing.F) {
	input := `{"id":"01JD","account":"a","provider":"sensible","document":{"name":"x"}}`
	f.Add(input, "", "", "st=QUEUED,seq=1,step=submit,v=1")
	f.Add(input, `{"code":"vendor_failed","message":"m"}`, `{"code":"internal","at":"2026-01-02T03:04:05Z"}`, "st=ERROR,fin=99999999999999999")
	f.Add(input, "null", "null", "st=SUCCESS,step=poll,no=1 2 3,due=-9223372036854775808")
	f.Add("null", "{}", "[]", "v=99")
	f.Add(`{"document":{"url":"http://u:p@h/x?sig=1#f"},"metadata":null,"options":{"a":1e400}}`, "", "", "st=CANCELED,cr=x")
	f.Fuzz(func(t *testing.T, input, failure, trouble, list string) {
		fields := map[string]string{}
		for pair := range strings.SplitSeq(list, ",") {
			name, value, _ := strings.Cut(pair, "=")
			fields[name] = value
		}
		r, err := decodeRecord(fields, map[string]string{
			detailInput: input, detailFailure: failure, detailTrouble: trouble, detailOver: fields[fieldFinishedAt],
		})
		if err != nil {
			return
		}
		if _, err := json.Marshal(r.Extraction()); err != nil {
			t.Errorf("the extraction has no JSON form: %v", err)
		}
	})
}

// What lies in the document store in the place of our own notes is read as they are, or is
// damaged.
func FuzzNotes(f *testing.F) {
	f.Add([]byte(`{"attempt":1,"at":"2026-01-02T03:04:05Z","vendor_id":"v"}`))
	f.Add([]byte(`{"id":"01JD","account":"a","accepted_at":"2026-01-02T03:04:05Z","begun":{"x":1},"key":"k"}`))
	f.Add([]byte(`{"store":"01A","redis":"01B","since":1}`))
	f.Add([]byte("null"))
	f.Add([]byte(`{"at":"0000-00-00T00:00:00Z"}`))
	f.Add([]byte(`{"at":"99999-01-01T00:00:00Z"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := OpenBlobs(t.Context(), "mem://")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = b.Close() }()
		const id = "01JDAAAAAAAAAAAAAAAAAAAAAA"
		for _, key := range []string{sentKey(id), acceptedKey(id), identityKey} {
			if err := b.put(t.Context(), key, bytes.NewReader(body)); err != nil {
				t.Fatal(err)
			}
		}
		var a Accepted
		_, sent := b.Sent(t.Context(), id)
		for what, err := range map[string]error{"sent": sent, "accepted": b.readJSON(t.Context(), acceptedKey(id), &a)} {
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: %v, want that it is damaged", what, err)
			}
			if err == nil {
				if _, err := json.Marshal(a); err != nil {
					t.Errorf("what was accepted has no JSON form: %v", err)
				}
			}
		}
		_, _ = b.identity(t.Context())
	})
}
