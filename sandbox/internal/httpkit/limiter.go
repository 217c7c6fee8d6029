package httpkit

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"
)

// Limiter is a vendor's limit of calls per second.
type Limiter struct {
	bucket *rate.Limiter
	now    func() time.Time
}

// NewLimiter allows so many calls per second, with a burst of one second's worth
// (at least one); nil, which allows all, for 0.
func NewLimiter(perSecond float64, now func() time.Time) *Limiter {
	if perSecond <= 0 {
		return nil
	}
	burst := max(1, int(math.Floor(perSecond)))
	return &Limiter{bucket: rate.NewLimiter(rate.Limit(perSecond), burst), now: now}
}

// Allow reports whether a call may be made now. If not, it sets Retry-After to
// the whole seconds after which one more may.
func (l *Limiter) Allow(h http.Header) bool {
	if l == nil {
		return true
	}
	now := l.now()
	if l.bucket.AllowN(now, 1) {
		return true
	}
	missing := 1 - l.bucket.TokensAt(now)
	wait := math.Ceil(missing / float64(l.bucket.Limit()))
	h.Set("Retry-After", strconv.Itoa(max(1, int(wait))))
	return false
}
