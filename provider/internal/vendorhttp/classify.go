package vendorhttp

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/retryafter"
)

// Reply is an answer other than a success.
type Reply struct {
	Op     string
	Status int
	Header http.Header
	// Vendor is the body, redacted and bounded: nil, a string or a JSON value.
	Vendor any
}

// Class is what a Reply means.
type Class struct {
	Kind       extraction.Kind
	Code       extraction.Code
	RetryAfter time.Duration
}

// Classify says what an answer of the vendor's API means: what is about the key or the plan
// concerns the account, what is about the submitted document ends the extraction, and
// everything else is transient.
func Classify(r Reply) Class {
	wait, asked := retryafter.Read(r.Header, time.Now)
	switch {
	case r.Status == http.StatusForbidden && (r.Op == OpReady || r.Op == OpProbe):
		// Both are the list, which some keys may not read although they may submit and
		// poll.
		return Class{Kind: extraction.KindForbidden}
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden:
		return Class{Kind: extraction.KindUnauthorized}
	case r.Status == http.StatusTooManyRequests && asked:
		return Class{Kind: extraction.KindRateLimited, RetryAfter: wait}
	case r.Status == http.StatusPaymentRequired, r.Status == http.StatusTooManyRequests && speaksOfPlan(r.Vendor):
		return Class{Kind: extraction.KindQuota}
	case r.Status == http.StatusTooManyRequests:
		return Class{Kind: extraction.KindRateLimited} // It does not say when to retry.
	case r.Op == OpPoll && (r.Status == http.StatusNotFound || r.Status == http.StatusGone):
		return Class{Kind: extraction.KindNotFound}
	case r.Op == OpSubmit && r.Status >= 400 && r.Status < 500 && !passing(r):
		return Class{Kind: extraction.KindRejected, Code: rejection(r.Status)}
	}
	return Class{Kind: extraction.KindTransient, RetryAfter: wait}
}

// passing reports whether a 4xx is about the way to the vendor rather than the document: a
// proxy wants authentication or limits the size (the vendor's own 413 is JSON), or the
// request came too slowly or too early.
func passing(r Reply) bool {
	switch r.Status {
	case http.StatusRequestTimeout, http.StatusProxyAuthRequired, http.StatusTooEarly:
		return true
	case http.StatusRequestEntityTooLarge:
		page, ok := r.Vendor.(string)
		return strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") ||
			ok && strings.HasPrefix(strings.TrimSpace(page), "<")
	}
	return false
}

// aboutPlan matches texts that speak of a used-up plan and not only of a rate.
var aboutPlan = regexp.MustCompile(`(?i)\b(plan|quota|subscription|billing|credits?|(per|a|this|your) (month|billing)|monthly)\b`)

// speaksOfPlan reports whether an answer names a plan, a quota or a limit per month.
func speaksOfPlan(vendor any) bool {
	if vendor == nil {
		return false
	}
	text, err := json.Marshal(vendor)
	return err == nil && aboutPlan.Match(text)
}

// rejection is the code of a 4xx about a document.
func rejection(status int) extraction.Code {
	switch status {
	case http.StatusRequestEntityTooLarge:
		return extraction.CodeDocumentTooLarge
	case http.StatusUnsupportedMediaType:
		return extraction.CodeUnsupportedDocument
	}
	return extraction.CodeVendorRejected
}

// classifyForeign is for a redirect to a host other than the API: a 403 there is an expired
// link and says nothing about our key.
func classifyForeign(r Reply) Class {
	wait, _ := retryafter.Read(r.Header, time.Now)
	return Class{Kind: extraction.KindTransient, RetryAfter: wait}
}
