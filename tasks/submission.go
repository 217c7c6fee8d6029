package tasks

import (
	"io"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/intake"
)

// Submission is a document and what is wanted of it. Account, a Type or Types, and a
// Document or a URL are required.
type Submission struct {
	// ID is the extraction's id, a ULID; empty for a fresh one. A service that gives ids may
	// repeat a submission whose answer it lost: the second is ErrExists, never a second
	// extraction, and another document under the id is ErrTaken.
	ID string
	// Account is the name of an account in the workers' configuration, and Provider that
	// account's. It may be empty; another one is refused.
	Account  string
	Provider string
	// Type is the vendor's document type, or Types those of a portfolio.
	Type  string
	Types []string

	// ConfigName and Environment choose a configuration of the type, where the vendor has
	// such.
	ConfigName  string
	Environment string
	// Customer and Batch are labels of 1 to 128 printable characters.
	Customer string
	Batch    string
	// Priority is normal where it is empty.
	Priority extraction.Priority
	// Metadata is returned with the extraction, and Options go to the vendor.
	Metadata map[string]string
	Options  map[string]any

	// CallbackURL is where the end is announced, signed with the secret of the key named
	// CallbackKey in the workers' configuration; empty for nowhere.
	CallbackURL string
	CallbackKey string

	// Name is what the service calls the document.
	Name string
	// ContentType is its media type; found out from the bytes where it is empty.
	ContentType string
	// Document is read to its end; or URL says where the vendor fetches it.
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
