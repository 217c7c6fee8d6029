package sandbox_test

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/sandbox"
)

func TestServeStops(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- sandbox.New(sandbox.Config{}).Serve(ctx, listener) }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET /healthz = %d, want 200", resp.StatusCode)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve = %v after its context ended, want nil", err)
	}
}

func TestParseLatency(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sandbox.Latency{
		"2s":                   sandbox.Fixed(2 * time.Second),
		"0s":                   {},
		"fixed:1m":             sandbox.Fixed(time.Minute),
		"lognormal:14s,0.54":   sandbox.LogNormal(14*time.Second, 0.54),
		"lognormal: 1m30s , 1": sandbox.LogNormal(90*time.Second, 1),
	} {
		got, err := sandbox.ParseLatency(text)
		if err != nil || got != want {
			t.Errorf("ParseLatency(%q) = %v, %v, want %v", text, got, err, want)
		}
		if again, err := sandbox.ParseLatency(got.String()); err != nil || again != want {
			t.Errorf("ParseLatency(%q) = %v, %v, want %v", got.String(), again, err, want)
		}
	}
	for _, text := range []string{"", "2", "-1s", "lognormal:14s", "14s,0.5", "lognormal:14s,x", "lognormal:14s,-1", "lognormal:14s,NaN", "9000h"} {
		if got, err := sandbox.ParseLatency(text); err == nil {
			t.Errorf("ParseLatency(%q) = %v, want an error", text, got)
		}
	}
}

func TestLatencyIsLogNormal(t *testing.T) {
	t.Parallel()
	law := sandbox.LogNormal(14*time.Second, 0.54)
	rng := rand.New(rand.NewPCG(1, 1))
	draws := make([]float64, 20_000)
	for i := range draws {
		draws[i] = law.Draw(rng).Seconds()
	}
	slices.Sort(draws)
	for share, want := range map[float64]float64{0.5: 14, 0.95: 34} {
		if got := draws[int(share*float64(len(draws)))]; math.Abs(got-want) > 0.05*want {
			t.Errorf("%g of the draws are below %.1f s, want %.0f s", share, got, want)
		}
	}
}

func TestValidateNamesAllThatIsWrong(t *testing.T) {
	t.Parallel()
	if err := (sandbox.Config{}).Validate(); err != nil {
		t.Errorf("the zero value is refused: %v", err)
	}
	err := sandbox.Config{
		RateLimit: math.NaN(), Quota: -1, UploadTTL: time.Millisecond, Expiry: -1,
		FailureRate: 2, ExpireRate: math.NaN(), ClockScale: -1,
		ContentTypeCheck: "loose", SecondUpload: "keep", PublicURL: "sandbox:8090",
	}.Validate()
	for _, want := range []string{"rate limit NaN", "quota -1", "upload TTL 1ms", "expiry -1ns", "failure rate 2", "expire rate NaN", "clock scale -1", `content type check "loose"`, `second upload "keep"`, `public URL "sandbox:8090"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want %s in it", err, want)
		}
	}
}
