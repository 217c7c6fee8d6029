package vendorhttp

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// maxVendor bounds what is kept of a vendor's answer, in bytes of JSON.
const maxVendor = 16 << 10

// maxText bounds the text that is searched for secrets. It exceeds maxVendor, since
// redaction shortens a text.
const maxText = 24 << 10

// Vendor is a vendor's answer as an error may carry it: nil for nothing, a JSON value for a
// JSON body, the code and message of an object store's XML error, otherwise a text. It is
// redacted and at most 16 KiB. cut says that the body is incomplete.
func (r *Redactor) Vendor(body []byte, cut bool) any {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil
	}
	if v, err := decode(body); err == nil && !cut {
		return r.Value(v)
	}
	if v := storeError(body); v != nil {
		return r.Value(v)
	}
	return shorten(r.beginning(string(body), cut))
}

// beginning redacts the part of a text that may be kept. If the text is cut, it may end
// within a secret.
func (r *Redactor) beginning(s string, cut bool) string {
	if len(s) > maxText {
		s, cut = s[:maxText], true
	}
	if cut {
		s = r.trimPartial(s)
	}
	return r.Text(strings.ToValidUTF8(s, "\uFFFD"))
}

// Value redacts and bounds a JSON value: one that is too long becomes the beginning of its
// text.
func (r *Redactor) Value(v any) any {
	v = r.walk(v)
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	if s, ok := v.(string); ok {
		return shorten(s)
	}
	if len(b) > maxVendor {
		return shorten(string(b))
	}
	return v
}

// JSON redacts and bounds a raw JSON value.
func (r *Redactor) JSON(raw json.RawMessage) any {
	if len(raw) > maxErrorBody {
		return r.Vendor(raw[:maxErrorBody], true)
	}
	v, err := decode(raw)
	if err != nil {
		return nil
	}
	return r.Value(v)
}

func decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

// secretMembers are JSON members whose value is always removed. "file" is the document
// itself, which some vendors repeat when they refuse it.
var secretMembers = map[string]bool{
	"authorization": true, "proxy-authorization": true, "x-api-key": true, "api_key": true, "apikey": true,
	"token": true, "access_token": true, "password": true, "secret": true, "cookie": true, "set-cookie": true,
	"upload_url": true, "download_url": true, "uploadurl": true, "downloadurl": true, "file": true,
}

func (r *Redactor) walk(v any) any {
	switch v := v.(type) {
	case string:
		return r.beginning(v, false)
	case json.Number:
		if r.Text(v.String()) != v.String() {
			return Redacted
		}
	case []any:
		for i := range v {
			v[i] = r.walk(v[i])
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, m := range v {
			if secretMembers[strings.ToLower(k)] && m != nil {
				out[r.Text(k)] = Redacted
				continue
			}
			out[r.Text(k)] = r.walk(m)
		}
		return out
	}
	return v
}

// storeError is the error of an S3-like store, or its beginning. Of its XML only what
// explains the refusal is kept: the rest repeats the signature and what was signed.
func storeError(body []byte) any {
	kept := map[string]string{"Code": "code", "Message": "message", "RequestId": "request_id"}
	said := map[string]any{"code": "", "message": "", "request_id": ""}
	d := xml.NewDecoder(bytes.NewReader(body))
	var path []string
	text := ""
	for {
		token, err := d.Token()
		if err != nil {
			break // It may be cut: complete elements count.
		}
		switch t := token.(type) {
		case xml.StartElement:
			path, text = append(path, t.Name.Local), ""
			if path[0] != "Error" {
				return nil
			}
		case xml.CharData:
			text += string(t)
		case xml.EndElement:
			if member := kept[t.Name.Local]; len(path) == 2 && member != "" {
				said[member] = text
			}
			path = path[:len(path)-1]
		}
	}
	if said["code"] == "" {
		return nil
	}
	return said
}

// shorten returns the beginning of s whose JSON form fits.
func shorten(s string) string {
	for {
		b, err := json.Marshal(s)
		if err == nil && len(b) <= maxVendor {
			return s
		}
		// Escapes make the JSON form up to six times as long as the text.
		room := len(s) * (maxVendor - 16) / max(len(b), 1)
		s = strings.ToValidUTF8(s[:min(room, len(s)-1)], "")
	}
}

// looksLikeJSON reports whether a body begins like a JSON object or array.
func looksLikeJSON(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}
