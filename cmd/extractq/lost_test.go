package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/address"
	"github.com/extractq/extractq/store"
)

// recover says what it cannot judge yet: what was accepted a moment ago may be having its
// record written, or have lost it. A name that no account has is refused.
func TestRecoverSaysWhatItCannotJudge(t *testing.T) {
	t.Parallel()
	d := newDoors(t)
	recovering := func(args ...string) (code int, said string) {
		var stderr bytes.Buffer
		app := newApp(strings.NewReader(""), new(bytes.Buffer), &stderr)
		parsing.Lock()
		defer parsing.Unlock()
		code = report(&stderr, app.RunContext(t.Context(), append([]string{"extractq", "--config", d.file, "recover"}, args...)))
		return code, stderr.String()
	}
	if code, said := recovering("--account", "nope"); code != exitUsage || !strings.Contains(said, `"nope": the accounts are acme`) {
		t.Errorf("recover of an unknown account: %d, %s", code, said)
	}
	if code, said := recovering(); code != exitOK || strings.Contains(said, "minute") {
		t.Errorf("recover with nothing to do: %d, %s", code, said)
	}
	blobs, err := store.OpenBlobs(t.Context(), address.Documents("file://"+filepath.Join(d.dir, "data")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blobs.Close() }()
	if err := store.CheckPair(t.Context(), d.records, blobs); err != nil {
		t.Fatal(err)
	}
	accepted := store.Accepted{
		Input:      store.Input{ID: "01JD8Z3V5K7M9N0P2Q4R6S8T0W", Account: "acme", Provider: "sensible", Type: "t"},
		AcceptedAt: extraction.Time{Time: time.Now()},
	}
	if err := blobs.PutAccepted(t.Context(), accepted, false); err != nil {
		t.Fatal(err)
	}
	for account, want := range map[string]bool{"acme": true, "plain": false} {
		code, said := recovering("--account", account)
		left := exitOK
		if want {
			left = exitFailed
		}
		if code != left || strings.Contains(said, "1 extraction accepted in the last minute") != want {
			t.Errorf("recover --account %s: %d, %s; want the young one named: %v", account, code, said, want)
		}
	}
}
