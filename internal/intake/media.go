package intake

import (
	"bytes"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
)

// unknownType is the media type that says nothing.
const unknownType = "application/octet-stream"

// sniffed is how much of a document's beginning says what it is: a PDF may have
// something before its own first bytes.
const sniffed = 1024

// settleType is the document's media type. One that is declared and plainly wrong is
// ErrMismatch: this is another file than the one that was meant.
func settleType(declared, name string, head []byte) (string, error) {
	declared, _, _ = strings.Cut(strings.ToLower(declared), ";")
	declared = strings.TrimSpace(declared)
	if proper, ok := properTypes[declared]; ok {
		declared = proper
	}
	switch declared {
	case "", unknownType, "application/x-www-form-urlencoded", "binary/octet-stream":
		return sniff(name, head), nil
	}
	if !strings.Contains(declared, "/") {
		return "", refuse(ErrMediaType, "Content-Type is no media type")
	}
	if declared == "application/pdf" && bytes.Contains(head, []byte("%PDF-")) {
		return declared, nil // Some programs put a line or a byte order mark before it; all readers take that.
	}
	if len(head) == 0 {
		return declared, nil // An empty document is refused as such.
	}
	sure := sniff("", head)
	if sure != declared && (slices.Contains(plainTypes, sure) || slices.Contains(plainTypes, declared)) {
		return "", refuse(ErrMismatch, "the document is not what its Content-Type says")
	}
	return declared, nil
}

// properTypes are names that programs give to media types which have another one.
var properTypes = map[string]string{
	"application/x-pdf": "application/pdf", "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg",
	"image/x-png": "image/png", "image/tif": "image/tiff", "image/x-tiff": "image/tiff",
	"image/x-bmp": "image/bmp", "image/x-ms-bmp": "image/bmp",
}

// plainTypes are media types whose documents are known by their first bytes.
var plainTypes = []string{"application/pdf", "image/png", "image/jpeg", "image/gif", "image/tiff", "image/bmp"}

// sniff finds the media type from a document's name and beginning, at most sniffed
// bytes. The name decides where the bytes only say "a zip" or "text", as for office files.
func sniff(name string, head []byte) string {
	if bytes.HasPrefix(head, []byte("II*\x00")) || bytes.HasPrefix(head, []byte("MM\x00*")) {
		return "image/tiff" // Which net/http does not know.
	}
	found, _, _ := strings.Cut(http.DetectContentType(head), ";")
	switch found {
	case unknownType, "application/zip", "text/plain", "text/xml":
		if byName := typeByName(name); byName != "" {
			return byName
		}
		if found != "application/zip" && bytes.Contains(head[:min(len(head), sniffed)], []byte("%PDF-")) {
			return "application/pdf"
		}
	}
	return found
}

// officeTypes are media types that a machine without a MIME table also needs.
var officeTypes = map[string]string{
	".pdf": "application/pdf", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png",
	".tif": "image/tiff", ".tiff": "image/tiff", ".bmp": "image/bmp", ".csv": "text/csv",
	".doc":  "application/msword",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

// typeByName is the media type of a file name's extension; empty if unknown.
func typeByName(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t, ok := officeTypes[ext]; ok {
		return t
	}
	t, _, _ := strings.Cut(mime.TypeByExtension(ext), ";")
	return t
}
