package tasks

import (
	"io"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
)

// Submission is a document and how it is to be extracted. Account, Type or Types, and
// Document or URL are required.
type Submission struct {
	// ID is the extraction's id, a ULID; empty for a new one. A service that chooses ids
	// can repeat a submission whose answer was lost: the repetition returns ErrExists and
	// never makes a second extraction. Another document under the same id returns ErrTaken.
	ID string
	// Account is an account of the workers' configuration. Provider is that account's
	// provider; it may be empty, and another one is refused.
	Account  string
	Provider string
	// Type is the vendor's document type; Types are those of a portfolio.
	Type  string
	Types []string

	// ConfigName and Environment select a configuration of the type, if the vendor has
	// several.
	ConfigName  string
	Environment string
	// Customer and Batch are labels of 1 to 128 printable characters.
	Customer string
	Batch    string
	// Priority is normal if it is empty.
	Priority extraction.Priority
	// Metadata is returned with the extraction; Options go to the vendor.
	Metadata map[string]string
	Options  map[string]any

	// CallbackURL is where the end is reported, signed with the secret of the key
	// CallbackKey in the workers' configuration; empty for nowhere.
	CallbackURL string
	CallbackKey string

	// Name is the service's name for the document.
	Name string
	// ContentType is the media type; if it is empty, it is detected from the document's
	// first bytes.
	ContentType string
	// Document is read to its end. Alternatively, URL is where the vendor downloads it.
	Document io.Reader
	URL      string
}

func (s Submission) intake() intake.Submission {
	return intake.Submission{
		ID: s.ID, Account: s.Account, Provider: s.Provider, Type: s.Type, Types: s.Types,
		ConfigName: s.ConfigName, Environment: s.Environment, Customer: s.Customer, Batch: s.Batch,
		Priority: s.Priority, Metadata: s.Metadata, Options: s.Options,
		CallbackURL: s.CallbackURL, CallbackKey: s.CallbackKey,
		Name: s.Name, ContentType: s.ContentType, Document: s.Document, URL: s.URL,
	}
}
