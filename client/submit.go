package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/extractq/extractq/extraction/protocol"
)

// Submission is one document and how it is to be extracted.
type Submission struct {
	// Source is the document.
	Source Source
	Fields Fields
	// IdempotencyKey makes all submissions of the same document and fields one extraction,
	// for as long as that extraction exists; at most 255 characters. If it is empty, each
	// Submit chooses a random key: its own repetitions are one extraction, another Submit
	// is another.
	IdempotencyKey string
}

// announced is the size in bytes from which the server is asked before the document is sent
// (Expect: 100-continue).
const announced = 1 << 20

// Submit hands in a document. When it returns an extraction, the document and its record
// are stored. If the error is an *Error, it has the IdempotencyKey that was used.
func (c *Client) Submit(ctx context.Context, s Submission) (Extraction, error) {
	key := s.IdempotencyKey
	if key == "" {
		key = rand.Text()
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return Extraction{}, errors.New("the IdempotencyKey has characters that an HTTP header cannot carry")
	}
	k, err := s.call()
	if err != nil {
		return Extraction{}, err
	}
	k.header.Set("Idempotency-Key", `"`+key+`"`)
	var e Extraction
	if _, err = c.ask(ctx, k, &e); err == nil {
		err = complete(e)
	}
	if failed, ok := errors.AsType[*Error](err); ok {
		failed.IdempotencyKey = key
	}
	return e, err
}

// call is the request of a submission.
func (s Submission) call() (call, error) {
	k := call{method: http.MethodPost, path: pathTo("extractions")}
	f := s.Fields
	if f.Name == "" {
		f.Name = s.Source.name
	}
	switch {
	case s.Source.url != "" || s.Source.vendorID != "":
		k.header = jsonHeader()
		k.body = jsonBody(protocol.Submission{Fields: f, DocumentURL: s.Source.url, VendorID: s.Source.vendorID})
		return k, nil
	case s.Source.open == nil:
		return k, errors.New("the submission has no document: set Source to a File, Reader, URL or VendorID")
	}
	before, after, header, err := frame(f, s.Source.mediaType)
	if err != nil {
		return k, err
	}
	k.header = header
	asText := header.Get("Content-Type") == "application/json"
	if size := s.Source.size(); size < 0 || size >= announced {
		k.header.Set("Expect", "100-continue")
	}
	k.body = func(ctx context.Context) (*upload, error) {
		p, err := s.Source.open(ctx)
		if err != nil {
			return nil, err
		}
		document, length := p.r, p.length
		if asText {
			document = newEncoded(p.r)
			if length >= 0 {
				length = int64(base64.StdEncoding.EncodedLen(int(length)))
			}
		}
		if length >= 0 {
			length += int64(len(before) + len(after))
		}
		body := io.MultiReader(bytes.NewReader(before), document, bytes.NewReader(after))
		return newUpload(body, length, p.close), nil
	}
	return k, nil
}

// frame is what precedes and follows the document in a request's body. The fields are in
// the body, not in the query: servers and proxies log addresses, and names and labels are
// personal. It is a multipart form; options that are not strings are sent as JSON.
func frame(f Fields, mediaType string) (before, after []byte, header http.Header, err error) {
	for _, v := range f.Options {
		if _, ok := v.(string); !ok {
			return frameJSON(f)
		}
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range formFields(f) {
		err = errors.Join(err, w.WriteField(p[0], p[1]))
	}
	h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="document"`}}
	if mediaType != "" {
		h.Set("Content-Type", mediaType)
	}
	_, partErr := w.CreatePart(h)
	n := b.Len()
	if err = errors.Join(err, partErr, w.Close()); err != nil {
		return nil, nil, nil, err
	}
	return b.Bytes()[:n], b.Bytes()[n:], http.Header{"Content-Type": {w.FormDataContentType()}}, nil
}

// formFields are the fields as parts of a form.
func formFields(f Fields) [][2]string {
	var out [][2]string
	for _, p := range [][2]string{
		{"account", f.Account},
		{"type", f.Type},
		{"config_name", f.ConfigName},
		{"environment", f.Environment},
		{"customer", f.Customer},
		{"batch", f.Batch},
		{"name", f.Name},
		{"priority", string(f.Priority)},
		{"callback_url", f.CallbackURL},
		{"wait", f.Wait},
	} {
		if p[1] != "" {
			out = append(out, p)
		}
	}
	for _, t := range f.Types {
		out = append(out, [2]string{"types", t})
	}
	for _, k := range slices.Sorted(maps.Keys(f.Metadata)) {
		out = append(out, [2]string{"metadata." + k, f.Metadata[k]})
	}
	for _, k := range slices.Sorted(maps.Keys(f.Options)) {
		out = append(out, [2]string{"options." + k, fmt.Sprint(f.Options[k])})
	}
	return out
}

// frameJSON is frame for options that only JSON can express.
func frameJSON(f Fields) (before, after []byte, header http.Header, err error) {
	b, err := json.Marshal(f)
	if err != nil {
		return nil, nil, nil, err
	}
	before = append(bytes.TrimSuffix(b, []byte("}")), `,"document_base64":"`...)
	return before, []byte(`"}`), jsonHeader(), nil
}

// complete returns an error for an answer that lacks what every extraction has: it is from
// another server.
func complete(e Extraction) error {
	if e.ID == "" || e.Status == "" {
		return &Error{Status: http.StatusOK, Code: CodeNotAPI, Detail: "the answer is no extraction; is the server's URL right?"}
	}
	return nil
}
