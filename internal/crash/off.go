//go:build !crash

package crash

import (
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"
)

// Before is the point before an effect.
func Before(string) {}

// After is the point after an effect.
func After(string) {}

// Redis gives every write of a client its points.
func Redis(redis.UniversalClient) {}

// Transport gives every request its points.
func Transport(_ string, next http.RoundTripper) http.RoundTripper { return next }

// Lease is how long a step is held here, 0 for as long as always.
func Lease() time.Duration { return 0 }
