package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// A document that changed in the store is never given out whole, however it changed.
func TestOpenVerified(t *testing.T) {
	t.Parallel()
	const accepted = "the document that was accepted"
	for name, there := range map[string]string{
		"as it was": accepted,
		"edited":    "the document that was replaced",
		"shorter":   "the document that was",
		"longer":    accepted + "!",
		"empty":     "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b := openFile(t, dir)
			stored, err := b.PutDocument(t.Context(), "ID1", strings.NewReader(accepted), 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "ID1", documentPart), []byte(there), 0o600); err != nil {
				t.Fatal(err)
			}
			d := extraction.Document{Bytes: &stored.Bytes, SHA256: extraction.Null(stored.SHA256)}
			r, err := b.OpenVerified(t.Context(), "ID1", d)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			got, err := io.ReadAll(r)
			if there == accepted {
				if err != nil || string(got) != accepted {
					t.Errorf("read %q, %v", got, err)
				}
				return
			}
			if !errors.Is(err, ErrChanged) || len(got) >= len(accepted) {
				t.Errorf("read %q, %v, want ErrChanged before the end", got, err)
			}
		})
	}
}

// A damaged result is shown as such with its extraction, and is never served.
func TestDamagedResult(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(file string) error{
		"edited": func(file string) error { return os.WriteFile(file, []byte(`{"raw":{"iban":"another"}}`), 0o600) },
		"cut":    func(file string) error { return os.Truncate(file, 5) },
		"gone":   os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b := openFile(t, dir)
			sum, err := b.PutResult(t.Context(), "ID1", 3, extraction.NewResult([]byte(`{"iban":"mine"}`)))
			if err != nil {
				t.Fatal(err)
			}
			r := Record{Input: Input{ID: "ID1"}, Status: extraction.StatusSuccess, ResultSeq: 3, ResultSum: sum}
			if e, err := b.Whole(t.Context(), r); err != nil || e.Error != nil || len(e.Result.Raw) == 0 {
				t.Fatalf("before: %+v, %v", e, err)
			}
			if err := damage(filepath.Join(dir, "ID1", "3")); err != nil {
				t.Fatal(err)
			}
			e, err := b.Whole(t.Context(), r)
			if err != nil || e.Status != extraction.StatusSuccess || e.Error == nil ||
				e.Error.Code != extraction.CodeResultUnavailable || !strings.Contains(e.Error.Message, "ID1") || len(e.Result.Raw) != 0 {
				t.Errorf("after: %+v with %+v, %v, want result_unavailable", e, e.Error, err)
			}
			if r.ResultSum = ""; name == "edited" { // An earlier version stored it without a digest.
				if e, err := b.Whole(t.Context(), r); err != nil || e.Error != nil {
					t.Errorf("without a digest: %+v, %v", e.Error, err)
				}
			}
		})
	}
}

// A result is read from the store as it was stored, and never whole where it has changed.
func TestOpenResult(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openFile(t, dir)
	sum, err := b.PutResult(t.Context(), "ID1", 3, extraction.NewResult([]byte(`{"iban":"mine"}`)))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ID1", "3")
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := Record{Input: Input{ID: "ID1"}, Status: extraction.StatusSuccess, ResultSeq: 3, ResultSum: sum}
	for what, there := range map[string]string{
		"as it was": string(stored), "edited": strings.Replace(string(stored), "mine", "hers", 1),
		"cut": string(stored[:9]), "longer": string(stored) + " ", "empty": "",
	} {
		if err := os.WriteFile(file, []byte(there), 0o600); err != nil {
			t.Fatal(err)
		}
		body, size, err := b.OpenResult(t.Context(), r)
		if err != nil || size != int64(len(there)) {
			t.Fatalf("%s: %d bytes, %v", what, size, err)
		}
		got, err := io.ReadAll(body)
		_ = body.Close()
		whole := there == string(stored)
		if whole != (err == nil) || whole != (string(got) == there && there != "") || !whole && !errors.Is(err, ErrChanged) {
			t.Errorf("%s: read %q, %v", what, got, err)
		}
		for most, left := range map[int64]bool{0: true, int64(len(there)): false} {
			e, err := b.WholeUpTo(t.Context(), r, most)
			if err != nil || whole != (e.Error == nil) || whole && left != (e.Result == nil) {
				t.Errorf("%s, up to %d bytes: %+v with %+v, %v", what, most, e.Result, e.Error, err)
			}
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.OpenResult(t.Context(), r); !errors.Is(err, ErrNotFound) {
		t.Errorf("gone: %v", err)
	}
	if e, err := b.WholeUpTo(t.Context(), r, 0); err != nil || e.Error == nil || e.Error.Code != extraction.CodeResultUnavailable {
		t.Errorf("gone: %+v, %v", e.Error, err)
	}
}
