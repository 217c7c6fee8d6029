package extraction

import (
	"context"
	"io"
	"time"
)

// Provider is the API of one vendor with the credentials of one account. Its methods are
// safe for concurrent use. Every error of a call is an *Error.
//
// A provider that first hands out an upload URL also implements Uploader; one whose vendor
// downloads documents by URL says so in its Traits.
type Provider interface {
	// Traits are the facts about the vendor that scheduling depends on.
	Traits() Traits
	// Check returns an error that wraps ErrInvalid, and says what to change, if the vendor
	// could never accept the submission. It makes no call.
	Check(s Submission) error
	// Submit sends the document, or its URL, in one call and returns the vendor's id. The
	// body is streamed; a body that was not read to its end was not submitted.
	Submit(ctx context.Context, s Submission) (Receipt, error)
	// Poll asks about one extraction. "Not yet" is an Outcome, not an error.
	Poll(ctx context.Context, vendorID string) (Outcome, error)
	// Ready lists one page of the extractions that the vendor has finished. A key that may
	// do everything except list gives KindForbidden.
	Ready(ctx context.Context, q ReadyQuery) (ReadyPage, error)
	// Probe makes one free call, which succeeds if the key is valid and the vendor answers.
	// KindForbidden means that the vendor knows the key, which may not make this particular
	// call.
	Probe(ctx context.Context) error
}

// Uploader is a provider that submits in two steps: Open gives the extraction its id and an
// upload URL, Put sends the bytes there. Open is free and may be repeated; only Put
// submits.
type Uploader interface {
	// Open requests an id and an upload URL. It does not read the body.
	Open(ctx context.Context, s Submission) (Upload, error)
	// Put sends the document to the upload URL.
	Put(ctx context.Context, u Upload, s Submission) error
}

// Hooker is a provider whose vendor can report the end of an extraction by webhook.
type Hooker interface {
	// Hook reads the body of a webhook. A body that is not the vendor's is an error; one
	// that reports no finished extraction gives the zero Hook.
	Hook(body []byte) (Hook, error)
}

// Hook is what a webhook says. It may be forged, so it is only a reason to ask the vendor.
type Hook struct {
	// VendorID is the vendor's id of the extraction.
	VendorID string
	// Echo is the Payload of the submission's Webhook, if the vendor returns it.
	Echo string
}

// Traits are facts about a vendor.
type Traits struct {
	// Provider is the provider's name in the configuration.
	Provider string
	// FetchesURL reports whether the vendor downloads a document by its URL. If not, the
	// document must be downloaded before it is submitted.
	FetchesURL bool
	// ReadyHasNames reports whether Ready returns the documents' names, so that a lost
	// submission can be found without polling unknown ids.
	ReadyHasNames bool
	// WarnBytes is the size above which the vendor may refuse a document; 0 means unknown.
	WarnBytes int64
}

// Submission is what a provider must know about an extraction.
type Submission struct {
	// Name is the document's name for the vendor. It contains a token, by which a
	// submission whose answer was lost can be found.
	Name string
	// ContentType is the document's media type; empty if unknown.
	ContentType string
	// Bytes is the size of the body.
	Bytes int64
	// URL is where the vendor can download the document; empty if Body has it.
	URL string
	// Body opens the document's bytes. It may be called again, for an upload that moved to
	// another address: the reader it returned before then returns no more bytes.
	Body func() (io.ReadCloser, error)

	Type        string
	Types       []string
	ConfigName  string
	Environment string
	Customer    string
	Options     map[string]any
	// Webhook is where the vendor shall report the end; nil for nowhere. Providers without
	// webhooks per request ignore it.
	Webhook *Webhook
}

// Webhook asks the vendor to report the end of an extraction.
type Webhook struct {
	// URL contains a secret: it is sent to the vendor and nowhere else.
	URL string
	// Payload is returned with the report.
	Payload string
}

// Receipt is the vendor's answer to a submission.
type Receipt struct {
	VendorID string
	// VendorStatus is the vendor's word for the status; empty if it gave none.
	VendorStatus string
}

// Upload is an opened submission that waits for its document.
type Upload struct {
	VendorID     string
	VendorStatus string
	// URL is signed and therefore secret: it is used verbatim and never shown.
	URL string
	// ExpiresAt is when the URL expires.
	ExpiresAt time.Time
}

// Outcome is the vendor's answer to a poll.
type Outcome struct {
	// Status is StatusInProgress or a final one.
	Status Status
	// VendorStatus is the vendor's own word.
	VendorStatus string
	// Unknown reports that the provider does not know the vendor's word; Status is
	// StatusInProgress then.
	Unknown bool
	// AwaitsDocument reports that the vendor has issued the id but lacks the document.
	AwaitsDocument bool
	// Name is the document's name at the vendor; empty if it gives none.
	Name string
	// Result is set with StatusSuccess. It must be written before the context's transfer
	// ends, which may hold the vendor's answer.
	Result Found
	// Failure is set with StatusError and StatusExpired.
	Failure *Failure
	// CompletedAt is when the vendor finished; zero if it does not say.
	CompletedAt time.Time
}

// Found is a result that is written piece by piece and need not be in memory. A Result is
// the kind that is.
type Found interface {
	// WriteJSON writes the JSON of a Result and a line end.
	WriteJSON(w io.Writer) error
}

// ReadyQuery narrows a ready list.
type ReadyQuery struct {
	// Customer narrows the list to one tenant, if the vendor knows tenants.
	Customer string
	// Since leaves out what was submitted earlier, if the vendor can. It is by our clock: a
	// provider whose vendor's clock is behind must ask for correspondingly more.
	Since time.Time
	// Cursor is the NextCursor of the previous page; empty for the first.
	Cursor string
}

// ReadyPage is one page of a ready list.
type ReadyPage struct {
	Items []ReadyItem
	// NextCursor is empty on the last page.
	NextCursor string
}

// ReadyItem is an extraction that the vendor has finished.
type ReadyItem struct {
	VendorID     string
	VendorStatus string
	// Name is the document's name at the vendor; empty if it gives none.
	Name string
}
