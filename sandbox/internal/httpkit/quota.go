package httpkit

import (
	"sync"
	"time"
)

// quotaPeriod is the month of the vendors' plans.
const quotaPeriod = 30 * 24 * time.Hour

// Quota is how much a plan allows in a month: submissions, or all calls. It has
// no Retry-After: a used-up quota is over with the month, or when the customer buys more.
type Quota struct {
	limit int
	all   bool
	now   func() time.Time

	mu    sync.Mutex
	since time.Time // when the present month began
	used  int
}

// NewQuota allows so many submissions a month, or so many calls of any kind; nil,
// which allows all, for 0. The first month begins now.
func NewQuota(limit int, allCalls bool, now func() time.Time) *Quota {
	if limit <= 0 {
		return nil
	}
	return &Quota{limit: limit, all: allCalls, now: now, since: now()}
}

// Take reports whether the plan allows one more call, and counts it.
func (q *Quota) Take(submission bool) bool {
	if q == nil || !submission && !q.all {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	if months := now.Sub(q.since) / quotaPeriod; months > 0 {
		q.since, q.used = q.since.Add(months*quotaPeriod), 0
	}
	if q.used >= q.limit {
		return false
	}
	q.used++
	return true
}
