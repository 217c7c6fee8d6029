package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// If fields may follow the document in a request, the document is written to a temporary
// file first, so that it is never in memory.

// maxFields bounds the size of everything except the document; maxParts bounds the parts of
// a form: each costs memory, even an empty one.
const (
	maxFields = 1 << 20
	maxParts  = 1000
)

// spool is a document in a temporary file.
type spool struct{ file *os.File }

// newSpool copies a document of at most limit bytes (0 is any number) to a file.
func newSpool(r io.Reader, limit int64) (*spool, error) {
	f, err := os.CreateTemp("", "extractq-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // The file goes with the process, however that ends.
	s := &spool{f}
	if limit > 0 {
		r = io.LimitReader(r, limit+1)
	}
	n, err := io.Copy(f, r)
	if err == nil && limit > 0 && n > limit {
		err = store.ErrTooLarge
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close releases the file.
func (s *spool) Close() {
	if s != nil {
		_ = s.file.Close()
	}
}

// readMultipart reads a form: the document and the fields are parts of their names, in any
// order.
func readMultipart(form *multipart.Reader, limit int64) (fields map[string][]string, doc *spool, name, contentType string, err error) {
	fields = map[string][]string{}
	defer func() {
		if err != nil {
			doc.Close()
			doc = nil
		}
	}()
	left := int64(maxFields)
	for parts := 0; ; parts++ {
		if parts > maxParts {
			return fields, doc, name, contentType, fmt.Errorf("%w: the form has more than %d parts", extraction.ErrInvalid, maxParts)
		}
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return fields, doc, name, contentType, nil
		}
		if err != nil {
			return fields, doc, name, contentType, fmt.Errorf("%w: %w", errBody, err)
		}
		if encoding := part.Header.Get("Content-Transfer-Encoding"); !slices.Contains(asIs, strings.ToLower(strings.TrimSpace(encoding))) {
			return fields, doc, name, contentType, problem(http.StatusUnsupportedMediaType, codeUnsupported, "a part has a Content-Transfer-Encoding; send its bytes as they are")
		}
		switch field := part.FormName(); {
		case field == "":
			return fields, doc, name, contentType, fmt.Errorf("%w: a part of the form has no name", extraction.ErrInvalid)
		case field == "file":
			return fields, doc, name, contentType, fmt.Errorf("%w: the form's part with the document is called document, not file", extraction.ErrInvalid)
		case part.FileName() != "" && field != "document" && !isField(field):
			return fields, doc, name, contentType, fmt.Errorf("%w: the form has a file that is not a field; its part with the document is called document", extraction.ErrInvalid)
		case field == "document":
			if doc != nil {
				return fields, doc, name, contentType, fmt.Errorf("%w: the form has more than one document", extraction.ErrInvalid)
			}
			name, contentType = part.FileName(), part.Header.Get("Content-Type")
			if doc, err = newSpool(bodyReader{part}, limit); err != nil {
				return fields, doc, name, contentType, err
			}
		default:
			value, err := io.ReadAll(io.LimitReader(part, left+1))
			if err != nil {
				return fields, doc, name, contentType, fmt.Errorf("%w: %w", errBody, err)
			}
			if left -= int64(len(field) + len(value)); left < 0 {
				return fields, doc, name, contentType, fmt.Errorf("%w: the fields are larger than %d bytes", extraction.ErrInvalid, maxFields)
			}
			fields[field] = append(fields[field], string(value))
		}
	}
}

// asIs are the values of Content-Transfer-Encoding that leave the bytes unchanged.
var asIs = []string{"", "binary", "7bit", "8bit"}

// bodyReader marks the errors of reading a request.
type bodyReader struct{ r io.Reader }

func (b bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errBody, err)
	}
	return n, err
}

// jsonDocument reads a JSON object and writes the decoded string of its member
// document_base64 to a file, without having it in memory. It returns the rest, with "" in
// its place. Only errors of the document are reported: whether the rest is valid JSON is
// left to its decoder.
func jsonDocument(r io.Reader, limit int64) (rest []byte, doc *spool, err error) {
	in := &jsonScanner{r: r, buf: make([]byte, 32<<10)}
	rest, err = in.until(maxFields)
	if err != nil || !in.found {
		return rest, nil, err
	}
	doc, err = newSpool(base64.NewDecoder(base64.StdEncoding, in), limit)
	if err != nil {
		var corrupt base64.CorruptInputError
		if !errors.Is(err, errBody) && (errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF)) {
			err = fmt.Errorf("%w: document_base64 is not base64", extraction.ErrInvalid)
		}
		return nil, nil, err
	}
	in.found = false
	tail, err := in.until(maxFields - len(rest))
	if err == nil && in.found {
		err = fmt.Errorf("%w: document_base64 is given twice", extraction.ErrInvalid)
	}
	if err != nil {
		doc.Close()
		return nil, nil, err
	}
	return append(append(rest, `"`...), tail...), doc, nil
}

// jsonScanner finds the value of the member document_base64 of the outermost object. It
// understands strings and nesting, and no more of JSON.
type jsonScanner struct {
	r    io.Reader
	buf  []byte
	at   int // Index of the next byte,
	have int // of those in buf.

	depth   int
	inside  bool // Inside a string.
	escaped bool
	member  []byte // The last string, if it is at depth 1.
	isKey   bool   // member precedes a colon, its value is next.
	found   bool   // The next byte is the first of the document.
	ended   bool   // The document's string has ended.
}

const documentMember = "document_base64"

func (s *jsonScanner) next() (byte, error) {
	if s.at == s.have {
		n, err := s.r.Read(s.buf)
		if n == 0 {
			if err == nil {
				return s.next()
			}
			if !errors.Is(err, io.EOF) {
				err = fmt.Errorf("%w: %w", errBody, err)
			}
			return 0, err
		}
		s.at, s.have = 0, n
	}
	b := s.buf[s.at]
	s.at++
	return b, nil
}

// until copies to the end of the JSON, or to the opening quote of the document.
func (s *jsonScanner) until(limit int) ([]byte, error) {
	var out []byte
	for {
		b, err := s.next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(out) >= limit {
			return nil, fmt.Errorf("%w: the fields are larger than %d bytes", extraction.ErrInvalid, maxFields)
		}
		out = append(out, b)
		if s.step(b) {
			return out, nil
		}
	}
}

// step processes one byte and reports whether the document begins after it.
func (s *jsonScanner) step(b byte) bool {
	switch {
	case s.inside && s.escaped:
		s.escaped = false
		s.member = append(s.member, b)
	case s.inside && b == '\\':
		s.escaped = true
		s.member = append(s.member, b)
	case s.inside && b == '"':
		s.inside = false
	case s.inside:
		if len(s.member) <= len(documentMember) { // Longer ones are not ours.
			s.member = append(s.member, b)
		}
	case b == '"':
		if s.isKey && s.depth == 1 && string(s.member) == documentMember {
			s.isKey, s.found, s.member = false, true, s.member[:0]
			return true
		}
		s.inside, s.isKey, s.member = true, false, s.member[:0]
	case b == ':':
		s.isKey = true
	case b == ' ', b == '\t', b == '\r', b == '\n':
	case b == '{', b == '[':
		s.depth++
		s.isKey = false
	case b == '}', b == ']':
		s.depth--
		s.isKey = false
	default:
		s.isKey = false
	}
	return false
}

// Read returns the bytes of the document's string, up to its closing quote.
func (s *jsonScanner) Read(p []byte) (int, error) {
	if s.ended {
		return 0, io.EOF
	}
	for n := range p {
		b, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return n, fmt.Errorf("%w: %w", errBody, io.ErrUnexpectedEOF)
		case err != nil:
			return n, err
		case b == '"':
			s.ended = true
			return n, io.EOF
		case b == '\\':
			if b, err = s.escape(); err != nil {
				return n, err
			}
		}
		p[n] = b
	}
	return len(p), nil
}

// escape returns the byte that an escape stands for. Some encoders escape the slash, .NET's
// the plus sign as \u002B; base64 in lines has \n, which its decoder skips.
func (s *jsonScanner) escape() (byte, error) {
	b, err := s.next()
	if err != nil {
		return 0, err
	}
	switch b {
	case '/':
		return b, nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 'u':
		var digits [4]byte
		for i := range digits {
			if digits[i], err = s.next(); err != nil {
				return 0, err
			}
		}
		if code, err := strconv.ParseUint(string(digits[:]), 16, 7); err == nil {
			return byte(code), nil
		}
	}
	return 0, fmt.Errorf("%w: document_base64 is not base64", extraction.ErrInvalid)
}
