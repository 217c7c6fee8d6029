package journal

import (
	"os"
	"path/filepath"
	"testing"
)

// Any journal is opened, says what it passed over, and what is written to it afterwards is
// found by the next run.
func FuzzJournal(f *testing.F) {
	line := `{"name":"a.pdf","path":"\"/in/a.pdf\"","sha256":"s","question":"q","id":"01A"}` + "\n"
	f.Add([]byte(line + `{"id":"01A","accepted":true}` + "\n"))
	f.Add([]byte(line + `{"id":"01A","vendor_id":7}` + "\n" + `{"id":"01`))
	f.Add([]byte("\x00\x00\x00" + line + "null\n[]\n\n"))
	f.Add([]byte(`{"path":"p","id":""}` + "\n" + `{"id":"01A","submitted_at":"x"}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		out := t.TempDir()
		if err := os.MkdirAll(filepath.Join(out, Folder), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(out, Folder, "journal.ndjson"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		want := Entry{Name: "new.pdf", Path: `"/in/new.pdf"`, SHA256: "fuzz", Request: "fuzz", ID: "01NEW"}
		for n := range 2 {
			j, err := Open(out)
			if err != nil {
				t.Fatalf("openJournal: %v", err)
			}
			if len(j.damaged) > 0 && j.Damage() == "" {
				t.Error("damage is not said")
			}
			if _, _, err := j.IDs("q"); err != nil {
				t.Errorf("IDs: %v", err)
			}
			// What an earlier run may have written: an error is no find, and nothing else.
			_, _, _, _ = j.Find(Entry{Name: "a.pdf", Path: `"/in/a.pdf"`, SHA256: "s", Request: "q"})
			if n == 0 {
				if want, err = j.Begin(want, "whole/new.pdf"); err != nil {
					t.Fatalf("Begin: %v", err)
				}
			}
			if got, _, ok, err := j.Find(want); !ok || err != nil || got != want {
				t.Errorf("run %d finds %+v, %t, %v, want %+v", n, got, ok, err, want)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
