package app

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/extractq/extractq/callback"
	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/errkind"
	"github.com/extractq/extractq/internal/redistest"
)

// A worker that has a sandbox without its address must not take the vendor
// for it.
func TestSandboxWithoutAddress(t *testing.T) {
	t.Parallel()
	a := config.Account{Name: "a", Provider: SandboxProvider}
	_, err := Process{}.workerAccount(a)
	if errkind.Of(err) != errkind.Usage || !strings.Contains(err.Error(), "base_url") {
		t.Errorf("workerAccount = %v, want a complaint about base_url", err)
	}
	a.BaseURL = "http://127.0.0.1:9" + SandboxPath
	if _, err := (Process{}).workerAccount(a); err != nil {
		t.Errorf("with an address: %v", err)
	}
}

// SIGHUP during a rotation: from then on callbacks are signed with both secrets.
func TestCallbackSecretsAreReloaded(t *testing.T) {
	t.Parallel()
	var signatures string
	producer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		signatures = r.Header.Get("webhook-signature")
	}))
	t.Cleanup(producer.Close)
	secret := func(c string) config.Secret { return config.NewSecret("whsec_" + strings.Repeat(c, 32)) }
	cfg := Process{Config: &config.Config{}, Log: slog.New(slog.DiscardHandler)}
	cfg.Callbacks.AllowHosts = []string{"127.0.0.1"}
	cfg.Callbacks.Secret = secret("A")
	w, err := NewServerWorker(cfg, &Services{RDB: redistest.Client(t)})
	if err != nil {
		t.Fatal(err)
	}
	count := func() int {
		t.Helper()
		e := &extraction.Extraction{ID: "01JD0Z3M9V7Q8W2R5T6Y4X1C0B", Status: extraction.StatusCanceled}
		r, err := w.sender.Send(t.Context(), callback.Delivery{URL: producer.URL, EventID: e.ID, Extraction: e})
		if err != nil || r.Outcome != callback.OutcomeDelivered {
			t.Fatalf("Send = %+v, %v", r, err)
		}
		return len(strings.Fields(signatures))
	}
	if n := count(); n != 1 {
		t.Errorf("%d signatures before, want 1", n)
	}
	next := Process{Config: &config.Config{}}
	next.Callbacks.Secret, next.Callbacks.PreviousSecret = secret("B"), secret("A")
	if err := w.Reload(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 2 {
		t.Errorf("%d signatures after, want 2", n)
	}
}
