package vendorhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/transfer"
)

// sent reports whether the vendor may have the whole request.
func (call Call) sent() bool {
	return call.Submits && call.Body != nil && call.Body.seal()
}

// failed is the error for a request that got no answer.
func (call Call) failed(ctx context.Context, err error) error {
	sent := call.sent()
	return &extraction.Error{
		Op: call.Op, Kind: extraction.KindTransient, Sent: sent,
		Err: call.cause(ctx, err),
	}
}

// cutShort is the error for a successful answer that could not be read.
func (call Call) cutShort(ctx context.Context, status int, err error) error {
	kind := extraction.KindTransient
	if _, long := errors.AsType[transfer.TooLong](err); long && call.Op == OpPoll {
		kind = extraction.KindTooLarge
	}
	return &extraction.Error{
		Op: call.Op, Kind: kind, Status: status, Sent: call.sent(),
		Err: fmt.Errorf("read the answer: %w", call.cause(ctx, err)),
	}
}

// cause is the most specific reason why a request failed: the document could not be read,
// our own context ended, or the network failed.
func (call Call) cause(ctx context.Context, err error) error {
	if call.Body != nil {
		if bad := call.Body.failure(); bad != nil {
			bad = fmt.Errorf("read the document: %w", bad)
			if ctx.Err() != nil && !errors.Is(bad, ctx.Err()) {
				bad = fmt.Errorf("%w: %w", ctx.Err(), bad)
			}
			return call.Redact.Err(bad)
		}
	}
	if ctx.Err() != nil {
		why := context.Cause(ctx)
		if _, stalled := errors.AsType[*transfer.Error](why); stalled {
			return why
		}
		if !errors.Is(why, ctx.Err()) {
			return call.Redact.Err(fmt.Errorf("%w: %w", ctx.Err(), why))
		}
		return ctx.Err()
	}
	return call.Redact.Err(err)
}

// refused is the error for an answer other than a success. stray reports that it came from
// another host, after a redirect.
func (call Call) refused(resp *http.Response, stray bool) error {
	raw, cut := readError(resp.Body)
	reply := Reply{
		Op: call.Op, Status: resp.StatusCode, Header: resp.Header,
		Vendor: call.Redact.Vendor(raw, cut),
	}
	classify := call.Classify
	switch {
	case stray:
		classify = classifyForeign
	case classify == nil:
		classify = Classify
	}
	class := classify(reply)
	return &extraction.Error{
		Op: call.Op, Kind: class.Kind, Code: class.Code, Status: resp.StatusCode,
		RetryAfter: class.RetryAfter, Vendor: reply.Vendor,
		Sent: mayHaveArrived(resp.StatusCode) && call.sent(),
		Err:  errors.New(call.redirected(resp)),
	}
}

// mayHaveArrived reports whether a status leaves open what became of a request that was
// sent completely. A gateway may answer 500, 502 or 504 although the server behind it has
// taken the document, and 408 when that server was slow; 303 points to the outcome of a
// request that was taken. 501 and 503 say that it was not, and so does every other status.
func mayHaveArrived(status int) bool {
	switch status {
	case http.StatusNotImplemented, http.StatusServiceUnavailable:
		return false
	case http.StatusSeeOther, http.StatusRequestTimeout:
		return true
	}
	return status >= 500
}

// maxErrorBody bounds what is read of an error's body. It is more than what is
// kept, so that most JSON bodies can be parsed before they are shortened.
const maxErrorBody = 64 << 10

// readError reads an error's body; cut reports that there was more of it, or
// that it broke off.
func readError(r io.Reader) (raw []byte, cut bool) {
	raw, err := io.ReadAll(io.LimitReader(r, maxErrorBody+1))
	if len(raw) > maxErrorBody {
		return raw[:maxErrorBody], true
	}
	return raw, err != nil
}

// statusText gives "404 Not Found".
func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprintf("%d", status)
}
