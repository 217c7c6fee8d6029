// Package fault does to requests what networks and vendors in trouble do: it
// refuses them, breaks their connections before or after they were handled, and
// cuts or delays answers.
//
// It knows no vendor: what a refusal looks like is the dialect's word (Dialect).
package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Op is a kind of call.
type Op string

// The ops. Uploads go to the upload host of a vendor that has one.
const (
	Submit Op = "submit"
	Upload Op = "upload"
	Poll   Op = "poll"
	List   Op = "list"
	// Any stands for all of them in a rule.
	Any Op = "*"
)

// Kind is a kind of fault.
type Kind string

// The kinds.
const (
	// TooMany is a 429 with Retry-After.
	TooMany Kind = "429"
	// Internal is a 500 in the vendor's own words.
	Internal Kind = "500"
	// Gateway is a 502 with the HTML of a proxy, which knows no vendor's format.
	Gateway Kind = "502"
	// DropBefore breaks the connection: the request is never handled.
	DropBefore Kind = "drop-before"
	// DropAfter handles the request and breaks the connection: the answer is lost.
	DropAfter Kind = "drop-after"
	// Truncated handles the request and answers with the first half of its answer,
	// under a Content-Length that says that this is all.
	Truncated Kind = "truncated"
	// Slow handles the request and keeps its answer back for a while.
	Slow Kind = "slow"
)

const (
	defaultDelay = 5 * time.Second
	maxDelay     = time.Hour
)

// Rule is a fault that happens to some calls.
type Rule struct {
	Op          Op
	Kind        Kind
	Delay       time.Duration // of Slow
	Probability float64
}

// Parse reads OP:KIND=PROBABILITY, as in "poll:500=0.1" or "*:slow:10s=0.05".
func Parse(s string) (Rule, error) {
	wrong := func(what string) (Rule, error) {
		return Rule{}, fmt.Errorf("fault %q: %s, as in poll:500=0.1 or *:slow:10s=0.05", s, what)
	}
	what, share, ok := strings.Cut(s, "=")
	op, kind, hasKind := strings.Cut(what, ":")
	if !ok || !hasKind {
		return wrong("want OP:KIND=PROBABILITY")
	}
	r := Rule{Op: Op(op)}
	if !slices.Contains([]Op{Submit, Upload, Poll, List, Any}, r.Op) {
		return wrong("the op must be submit, upload, poll, list or *")
	}
	kind, delay, hasDelay := strings.Cut(kind, ":")
	r.Kind = Kind(kind)
	if !slices.Contains([]Kind{TooMany, Internal, Gateway, DropBefore, DropAfter, Truncated, Slow}, r.Kind) {
		return wrong("the kind must be 429, 500, 502, drop-before, drop-after, truncated or slow")
	}
	if hasDelay && r.Kind != Slow {
		return wrong("only slow has a time")
	}
	if r.Kind == Slow {
		r.Delay = defaultDelay
	}
	if hasDelay {
		d, err := time.ParseDuration(delay)
		if err != nil || d <= 0 || d > maxDelay {
			return wrong("the time must be a duration of at most 1h")
		}
		r.Delay = d
	}
	if r.Op == Upload && r.Kind == Truncated {
		return wrong("an upload is answered with nothing that could be truncated")
	}
	p, err := strconv.ParseFloat(share, 64)
	if err != nil || !(p >= 0 && p <= 1) {
		return wrong("the probability must be a number from 0 to 1")
	}
	r.Probability = p
	return r, nil
}

// String is the form that Parse reads.
func (r Rule) String() string {
	kind := string(r.Kind)
	if r.Kind == Slow {
		kind += ":" + r.Delay.String()
	}
	return string(r.Op) + ":" + kind + "=" + strconv.FormatFloat(r.Probability, 'g', -1, 64)
}

// meets reports whether r is about calls of that op.
func (r Rule) meets(op Op) bool {
	if r.Op == Any {
		return op != Upload || r.Kind != Truncated
	}
	return r.Op == op
}
