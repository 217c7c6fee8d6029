package extraction

import (
	"encoding/json"
	"errors"
	"net/url"
	"time"
)

// Filter chooses extractions; an empty member chooses all. Lists and bulk operations use
// this one type: as JSON, as a URL's query (Values), and in the store.
type Filter struct {
	// Status and Account list alternatives.
	Status   OneOrMore[Status] `json:"status,omitempty"   nullable:"true"   query:"status,explode" `
	Account  OneOrMore[string] `json:"account,omitempty"  nullable:"true"   query:"account,explode"`
	Customer string            `json:"customer,omitempty" query:"customer"`
	Batch    string            `json:"batch,omitempty"    query:"batch"`
	// Type is the document type, or one of the types of a portfolio.
	Type string `json:"type,omitempty" query:"type"`
	// Error is the code of a final error.
	Error Code `json:"error,omitempty" query:"error" doc:"the code of a final error"`
	// Since and Until bound when an extraction was accepted; Until itself is excluded.
	Since Time `json:"since,omitzero" query:"since" doc:"accepted at or after this time"`
	Until Time `json:"until,omitzero" query:"until" doc:"accepted before this time"`
}

// IsZero reports whether a filter chooses all extractions.
func (f Filter) IsZero() bool {
	return len(f.Status)+len(f.Account) == 0 &&
		f.Customer == "" && f.Batch == "" && f.Type == "" && f.Error == "" && f.Since.IsZero() && f.Until.IsZero()
}

// Values returns the filter as the query of a URL.
func (f Filter) Values() url.Values {
	q := url.Values{}
	add := func(name, value string) {
		if value != "" {
			q.Add(name, value)
		}
	}
	for _, s := range f.Status {
		add("status", string(s))
	}
	for _, a := range f.Account {
		add("account", a)
	}
	add("customer", f.Customer)
	add("batch", f.Batch)
	add("type", f.Type)
	add("error", string(f.Error))
	add("since", f.Since.precise())
	add("until", f.Until.precise())
	return q
}

// OneOrMore is a list; in JSON, a single value may stand without the array.
type OneOrMore[T ~string] []T

// UnmarshalJSON takes a string or an array of strings.
func (o *OneOrMore[T]) UnmarshalJSON(data []byte) error {
	var one *T
	if json.Unmarshal(data, &one) == nil && one != nil {
		*o = OneOrMore[T]{*one}
		return nil
	}
	return json.Unmarshal(data, (*[]T)(o))
}

// precise formats the time with all its digits; empty for the zero time.
func (t Time) precise() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

var errTime = errors.New("want a time such as 2026-05-17T08:00:00Z")

// UnmarshalText accepts an RFC 3339 time. Its error does not repeat the text.
func (t *Time) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return errTime
	}
	t.Time = at.UTC()
	return nil
}
