package app

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/metrics"
)

// What listens on this machine's own address answers under its own names only, so that no
// page in a browser can read the metrics by a name that leads here.
func TestMetricsAnswerOwnHostsOnly(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]int{"127.0.0.1:0": http.StatusForbidden, "0.0.0.0:0": http.StatusOK} {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", listen)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		a := &Admin{listener: l}
		a.cfg.Log, a.cfg.Metrics = slog.New(slog.DiscardHandler), metrics.New("v")
		for host, want := range map[string]int{"127.0.0.1:9464": http.StatusOK, "localhost": http.StatusOK, "rebound.example": want} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody)
			r.Host = host
			w := httptest.NewRecorder()
			a.handler().ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("listening on %s, asked as %s: %d, want %d", listen, host, w.Code, want)
			}
		}
	}
}

// A key that would go over a network in clear is said by doctor, and once at the start of
// what calls the vendor.
func TestKeyInClear(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"": false, "https://api.test/v0": false, "http://127.0.0.1:8090/v0": false, "http://localhost": false,
		"http://api.test/v0": true, "http://10.0.0.1": true, "HTTP://10.0.0.1": true,
	} {
		for provider, want := range map[string]bool{"sensible": want, "typless": want, SandboxProvider: false} {
			a := config.Account{Name: "acme", Provider: provider, BaseURL: url, APIKey: config.NewSecret("s3cret")}
			if got := InClear(a); got != want {
				t.Errorf("inClear(%s, %q) = %v, want %v", provider, url, got, want)
			}
			if url == "" {
				continue
			}
			var log bytes.Buffer
			cfg := Process{Config: &config.Config{}, Log: slog.New(slog.NewTextHandler(&log, nil))}
			if _, err := WorkerConfig(cfg, &Services{}, []config.Account{a}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(log.String(), "without encryption") == 1; got != want || strings.Contains(log.String(), "s3cret") {
				t.Errorf("%s at %s logs %q, want the warning %v", provider, url, log.String(), want)
			}
		}
	}
}
