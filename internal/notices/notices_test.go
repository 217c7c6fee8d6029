package notices_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/extractq/extractq/internal/notices"
)

// TestNotices finds a module that came, went or changed without its license.
func TestNotices(t *testing.T) {
	t.Parallel()
	want, err := notices.Text(t.Context(), "../../cmd/extractq")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../THIRD_PARTY_NOTICES")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("THIRD_PARTY_NOTICES is not what is generated: run go generate ./internal/notices")
	}
}
