package typless

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

// FuzzSubmission sends any body. The answer is a 202 or a 4xx, never a fault.
func FuzzSubmission(f *testing.F) {
	handler := Handler(Config{
		Engine: engine.New[Meta](engine.Config{
			Latency: func(*rand.Rand) time.Duration { return 0 }, MaxRecords: 1_000,
		}),
		Bodies: httpkit.NewBodies(1 << 20), MaxDocument: 1 << 16,
	})
	f.Add(`{"file":"JVBERi0=","file_name":"a.pdf","document_type_name":"b","customer":"c"}`)
	f.Add(`{"file":null,"parse_text_blocks":true}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/typless/api/extract-data-async", strings.NewReader(body))
		r.Header.Set("Authorization", "Token k")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("POST %s = %d %s", body, w.Code, w.Body)
		}
	})
}

func TestConfidence(t *testing.T) {
	t.Parallel()
	for rank := range 9 {
		c := confidence("total", "12.00", rank)
		if c < 0 || c > 1 || rank > 0 && c > confidence("total", "12.00", rank-1) {
			t.Errorf("confidence of rank %d = %v, want one from 0 to 1 that does not rise", rank, c)
		}
	}
}

func TestDataType(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"": "STRING", "12": "NUMBER", "-1.50": "NUMBER", "1,000": "STRING", "2025-01-31": "DATE", "INV-1": "STRING"} {
		if got := dataType(value); got != want {
			t.Errorf("dataType(%q) = %s, want %s", value, got, want)
		}
	}
}
