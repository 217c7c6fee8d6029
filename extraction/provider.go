package extraction

import (
	"context"
	"io"
	"time"
)

// Provider is one vendor's API for one account. All methods may be called by
// many goroutines at once. Every error of a call is an *Error.
//
// A provider that hands out an upload URL first also implements Uploader; one
// that fetches a document by its URL says so in its Traits.
type Provider interface {
	// Traits are the facts about the vendor that the queue plans with.
	Traits() Traits
	// Check returns an error that wraps ErrInvalid and says what to change when
	// the vendor could never take the submission. It makes no call.
	Check(s Submission) error
	// Submit sends the document, or its URL, in one call and returns the
	// vendor's id. The body is streamed; a body that was not read to its end
	// was not submitted.
	Submit(ctx context.Context, s Submission) (Receipt, error)
	// Poll asks for one extraction. "Not yet" is an Outcome, not an error.
	Poll(ctx context.Context, vendorID string) (Outcome, error)
	// Ready lists one page of what the vendor has finished. A key that may do all but
	// that is KindForbidden.
	Ready(ctx context.Context, q ReadyQuery) (ReadyPage, error)
	// Probe makes one free call that succeeds when the key is good and the
	// vendor answers. KindForbidden says that it answers and knows the key, which may
	// not make this very call.
	Probe(ctx context.Context) error
}

// Uploader is a provider whose submission has two steps: open gives the
// extraction its id and an upload URL, put sends the bytes there. Opening is
// free and may be repeated; only the put makes it an extraction.
type Uploader interface {
	// Open asks for an id and an upload URL. It does not read the body.
	Open(ctx context.Context, s Submission) (Upload, error)
	// Put sends the document to the upload URL.
	Put(ctx context.Context, u Upload, s Submission) error
}

// Hooker is a provider whose vendor can report by a webhook that it has finished.
type Hooker interface {
	// Hook reads the body of a webhook. A body that is not one of the vendor's is an
	// error; one that says nothing of a finished extraction gives the zero Hook.
	Hook(body []byte) (Hook, error)
}

// Hook is what a vendor's webhook says. Anybody may have written it: it is a reason
// to ask the vendor, and nothing else.
type Hook struct {
	// VendorID is the vendor's id of the extraction.
	VendorID string
	// Echo is the Payload of the submission's Webhook, where the vendor repeats it.
	Echo string
}

// Traits are what the queue must know about a vendor.
type Traits struct {
	// Provider is the provider's name in the configuration.
	Provider string
	// FetchesURL reports whether the vendor downloads a document by its URL.
	// Where it does not, the worker downloads it.
	FetchesURL bool
	// ReadyHasNames reports whether Ready says the document's name, so that a
	// lost submission is found without polling foreign ids.
	ReadyHasNames bool
	// WarnBytes is a size above which the vendor may refuse; 0 means unknown.
	WarnBytes int64
}

// Submission is what a provider needs to know about one extraction.
type Submission struct {
	// Name is what the vendor is told the document is called. It carries a
	// token, so that a submission whose answer was lost can be found again.
	Name string
	// ContentType is the document's media type; empty if unknown.
	ContentType string
	// Bytes is the size of the body.
	Bytes int64
	// URL is where the vendor can fetch the document; empty when Body has it.
	URL string
	// Body opens the document's bytes. It may be called again, for an upload that is
	// sent elsewhere: what it gave before gives nothing any more.
	Body func() (io.ReadCloser, error)

	Type        string
	Types       []string
	ConfigName  string
	Environment string
	Customer    string
	Options     map[string]any
	// Webhook is where the vendor shall report that it has finished; nil where
	// none is wanted. Providers without webhooks per request ignore it.
	Webhook *Webhook
}

// Webhook asks the vendor for a report when it has finished.
type Webhook struct {
	// URL has a secret in it: it goes to the vendor and nowhere else.
	URL string
	// Payload comes back with the report.
	Payload string
}

// Receipt is the vendor's answer to a submission.
type Receipt struct {
	VendorID string
	// VendorStatus is the vendor's word for the state; empty where it gave none.
	VendorStatus string
}

// Upload is an opened submission that waits for its document.
type Upload struct {
	VendorID     string
	VendorStatus string
	// URL is signed and therefore secret: it is used verbatim and never shown.
	URL string
	// ExpiresAt is when the URL stops working.
	ExpiresAt time.Time
}

// Outcome is the vendor's answer to a poll.
type Outcome struct {
	// Status is StatusInProgress or a final one.
	Status Status
	// VendorStatus is the vendor's own word.
	VendorStatus string
	// Unknown reports that the vendor's word was one the provider does not
	// know; Status is then StatusInProgress.
	Unknown bool
	// AwaitsDocument reports that the vendor has the id but not the document.
	AwaitsDocument bool
	// Name is the document's name as the vendor has it; empty if it says none.
	Name string
	// Result is set with StatusSuccess. It can be written until the context's transfer,
	// which may hold what the vendor said, is over.
	Result Found
	// Failure is set with StatusError and StatusExpired.
	Failure *Failure
	// CompletedAt is when the vendor finished, zero where it does not say.
	CompletedAt time.Time
}

// Found is a result that is written piece by piece, and need not be in memory. A Result
// is one that is.
type Found interface {
	// WriteJSON writes the JSON of a Result, and the end of the line.
	WriteJSON(w io.Writer) error
}

// ReadyQuery narrows a ready list.
type ReadyQuery struct {
	// Customer narrows to one tenant at vendors that know tenants.
	Customer string
	// Since leaves out what was submitted earlier, at vendors that can. It is of our
	// clock: a provider whose vendor's is behind asks for as much more.
	Since time.Time
	// Cursor is the NextCursor of the page before; empty for the first.
	Cursor string
}

// ReadyPage is one page of what a vendor has finished.
type ReadyPage struct {
	Items []ReadyItem
	// NextCursor is empty on the last page.
	NextCursor string
}

// ReadyItem is one finished extraction at the vendor.
type ReadyItem struct {
	VendorID     string
	VendorStatus string
	// Name is the document's name as the vendor has it; empty if it says none.
	Name string
}
