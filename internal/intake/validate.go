package intake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"github.com/extractq/extractq/extraction"
)

// The limits of what stands in a record, which lists of a thousand show: maxLabel in
// characters, the others in bytes.
const (
	maxLabel    = 128
	maxType     = 255
	maxName     = 1024
	maxURL      = 8 << 10
	maxMetadata = 16 << 10
	maxOptions  = 64 << 10
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", extraction.ErrInvalid, fmt.Sprintf(format, args...))
}

func invalidAccount(name string) error {
	return invalid("account %q is not a name of 1 to 40 characters a-z, 0-9 and -", name)
}

// plain is an error without the words that only mark it as the caller's.
func plain(err error) string {
	return strings.ReplaceAll(err.Error(), extraction.ErrInvalid.Error()+": ", "")
}

// Validate reports what is wrong with a submission, whatever the provider.
func (s Submission) Validate() error {
	if (s.Document == nil) == (s.URL == "") {
		return invalid("either a document or a URL is required")
	}
	return s.validate()
}

// validate is Validate but for the document.
func (s Submission) validate() error {
	switch {
	case !extraction.ValidAccount(s.Account):
		return invalidAccount(s.Account)
	case s.ID != "" && !validID(s.ID):
		return invalid("id %q is not a ULID", s.ID)
	case s.Provider == "":
		return invalid("the account's provider is missing")
	case s.Type == "" && len(s.Types) == 0:
		return invalid("a type, or types for a portfolio, is required")
	case s.Type != "" && len(s.Types) > 0:
		return invalid("type and types exclude each other")
	case !label(s.Customer):
		return invalid("customer is not 1 to %d printable characters", maxLabel)
	case !label(s.Batch):
		return invalid("batch is not 1 to %d printable characters", maxLabel)
	case hidden(s.Type, s.ConfigName, s.Environment) || hidden(s.Types...) || hidden(slices.Collect(maps.Keys(s.Metadata))...):
		return invalid("name, type, types, config_name, environment and the keys of metadata are without control characters and marks of direction")
	case hidden(s.ContentType, s.URL, s.CallbackURL):
		return invalid("the Content-Type, document_url and callback_url are without control characters and marks of direction")
	case hasUser(s.URL):
		return invalid("document_url has a user or password in it, which everyone would see who sees the extraction")
	case len(s.Name) > maxName:
		return invalid("the document's name is longer than %d bytes", maxName)
	case len(s.ContentType) > maxType:
		return invalid("the document's Content-Type is longer than %d bytes", maxType)
	case len(s.URL) > maxURL || len(s.CallbackURL) > maxURL:
		return invalid("the document's URL or the callback's is longer than %d bytes", maxURL)
	case len(s.Type)+len(strings.Join(s.Types, "")) > maxName || len(s.ConfigName)+len(s.Environment) > maxName:
		return invalid("type, types, config_name and environment are longer than %d bytes", maxName)
	}
	if err := s.bounded(); err != nil {
		return err
	}
	switch s.Priority {
	case "", extraction.PriorityNormal, extraction.PriorityBulk:
		return nil
	}
	return invalid("priority is neither normal nor bulk")
}

// bounded reports metadata and options that are too large: every list shows them.
func (s Submission) bounded() error {
	size := 0
	for k, v := range s.Metadata {
		size += len(k) + len(v)
		if !utf8.ValidString(v) {
			return invalid("a value of metadata is not UTF-8")
		}
	}
	if size > maxMetadata {
		return invalid("metadata is larger than %d bytes", maxMetadata)
	}
	for k, v := range s.Options {
		if text, ok := v.(string); !utf8.ValidString(k) || ok && !utf8.ValidString(text) {
			return invalid("options are not UTF-8")
		}
	}
	options, err := json.Marshal(s.Options)
	if err != nil {
		return invalid("options have no JSON form")
	}
	if len(options) > maxOptions {
		return invalid("options are larger than %d bytes", maxOptions)
	}
	return nil
}

// validID reports whether an id is a ULID as NewID makes them: it names files,
// and the vendor's name of a document carries it.
func validID(id string) bool {
	u, err := ulid.ParseStrict(id)
	return err == nil && u.String() == id
}

// CheckName refuses a document's name that could show as another than it is.
func CheckName(name string) error {
	if hidden(name) {
		return invalid("name has control characters or marks of direction, or is not UTF-8")
	}
	return nil
}

// hidden reports whether any of the texts could show as another than it is.
func hidden(texts ...string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return !extraction.ValidLabel(s) })
}

// hasUser reports whether a URL has a user or a password in it.
func hasUser(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.User != nil
}

// label reports whether a customer or batch is empty or well formed.
func label(s string) bool {
	if !extraction.ValidLabel(s) || utf8.RuneCountInString(s) > maxLabel {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
