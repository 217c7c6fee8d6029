package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is one API call; it may take several requests.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	// body opens the request's body for an attempt; nil for none. It returns
	// errSpent where the document can be read once only, and was.
	body func(context.Context) (*upload, error)
	// stream is for answers that last.
	stream bool
	// attempts is how many attempts are made in all; 0 means Config.Attempts.
	attempts int
}

// errSpent is for a document that cannot be read a second time.
var errSpent = errors.New("the document's reader can be read once only")

// do repeats a call until it succeeds or must not be repeated. The caller closes the body
// of the answer. lost reports that an earlier attempt may have been carried out although
// its answer was lost.
func (c *Client) do(ctx context.Context, k call) (_ *http.Response, lost bool, err error) {
	cfg := c.cfg
	if k.attempts > 0 {
		cfg.Attempts = k.attempts
	}
	var last error
	for made := 1; ; made++ {
		res, err := c.try(ctx, k)
		switch {
		case err == nil:
			return res, lost, nil
		case errors.Is(err, errSpent) && last != nil:
			return nil, lost, last
		}
		last = err
		e, ok := errors.AsType[*Error](err)
		if !ok || ctx.Err() != nil {
			return nil, lost, err
		}
		wait, again := cfg.retryDelay(e, made, c.random())
		if !again {
			return nil, lost, err
		}
		lost = lost || e.Status == 0 || e.Status >= http.StatusInternalServerError
		if endErr := c.sleep(ctx, wait); endErr != nil {
			return nil, lost, fmt.Errorf("%w; before that: %w", endErr, err)
		}
	}
}

// try makes one request. Errors are *Error, but for those of the context and of
// the document's own reader.
func (c *Client) try(ctx context.Context, k call) (*http.Response, error) {
	silence := c.silence
	if k.stream {
		silence = c.streamSilence
	}
	own, watch := newWatch(ctx, silence)
	res, up, err := c.send(own, k, watch)
	if err != nil {
		failed := up.finish()
		watch.end()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case failed != nil:
			return nil, failed
		}
		return nil, err
	}
	watch.rest()
	res.Body = &watched{body: res.Body, watch: watch, ctx: ctx, upload: up}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	// A server may answer before it has read the whole request. The document is released
	// only after the answer was read: the transport then closes the connection.
	e := refused(res, time.Now)
	_ = res.Body.Close() // Nothing was written.
	if up != nil && up.failed != nil {
		return nil, up.failed
	}
	return nil, e
}

// send makes the request of one attempt.
func (c *Client) send(ctx context.Context, k call, w *watch) (*http.Response, *upload, error) {
	address := c.base + k.path
	if len(k.query) > 0 {
		address += "?" + k.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, address, nil)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(req.Header, k.header)
	req.Header.Set("User-Agent", c.agent)
	if c.cfg.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Key)
	}
	var up *upload
	if k.body != nil {
		if up, err = k.body(ctx); err != nil {
			return nil, nil, err
		}
		up.watch = w
		req.Body, req.ContentLength = up, up.length
	}
	res, err := c.http.Do(req)
	if err == nil {
		return res, up, nil
	}
	if silent := context.Cause(ctx); errors.Is(silent, errSilent) {
		err = silent
	}
	e := unreachable(err)
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.Code, e.Detail = CodeNotAPI, "the server's certificate is not trusted: "+cert.Err.Error()
	}
	return nil, up, e
}

// ask makes a call whose answer is JSON, and reads it into out; nil for no answer.
func (c *Client) ask(ctx context.Context, k call, out any) (lost bool, err error) {
	res, lost, err := c.do(ctx, k)
	if err != nil {
		return lost, err
	}
	defer func() { _ = res.Body.Close() }()
	if out == nil || res.StatusCode == http.StatusNoContent {
		_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxProblem))
		return lost, err
	}
	return lost, decode(res, out)
}

// decode reads an answer. A number stays as the server wrote it.
func decode(res *http.Response, out any) error {
	if err := wantJSON(res); err != nil {
		return err
	}
	d := json.NewDecoder(res.Body)
	d.UseNumber()
	err := d.Decode(out)
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err // The connection broke off.
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return unreachable(errors.New("the answer broke off"))
	}
	if isSyntax(err) {
		return notAPI(res, "the answer is not the JSON of extractq's API; is the server's URL right?")
	}
	return err // The context has ended.
}

func isSyntax(err error) bool {
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, kind := errors.AsType[*json.UnmarshalTypeError](err)
	_, when := errors.AsType[*time.ParseError](err)
	return syntax || kind || when
}

// wantJSON returns an error for an answer that is not JSON.
func wantJSON(res *http.Response) error {
	if media := mediaType(res); media != "application/json" {
		return notAPI(res, "the answer is "+media+", not of extractq's API; is the server's URL right?")
	}
	return nil
}

// jsonBody returns a body that sends v as JSON.
func jsonBody(v any) func(context.Context) (*upload, error) {
	return func(context.Context) (*upload, error) {
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(v); err != nil {
			return nil, err
		}
		return newUpload(&b, int64(b.Len()), nil), nil
	}
}

// jsonHeader is the header of a call with a jsonBody.
func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// pathTo joins the parts of a path and escapes each.
func pathTo(parts ...string) string {
	for i, p := range parts {
		p = url.PathEscape(p)
		if p == "." || p == ".." { // As path elements they would be resolved.
			p = strings.ReplaceAll(p, ".", "%2E")
		}
		parts[i] = p
	}
	return "/v1/" + strings.Join(parts, "/")
}
