package sandbox_test

import (
	"context"
	"math"
	"net"
	"net/http"
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
