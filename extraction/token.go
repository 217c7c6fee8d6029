package extraction

import (
	"path"
	"strings"
)

// maxVendorName is the longest document name that every known vendor takes
// (Sensible: 256 characters, https://docs.sensible.so).
const maxVendorName = 200

// tokenLength is the length of an extraction's id, a ULID.
const tokenLength = 26

// TokenName is the document's name as the vendor sees it in a submission of one
// call: the extraction's id stands before the extension, "1040~01JD….pdf", so
// that a submission whose answer was lost can be found in the vendor's lists.
func TokenName(name, id string) string {
	ext := path.Ext(name)
	if len(ext) > 16 || strings.Contains(ext, "~") { // "1040.pdf~" would hide the id.
		ext = ""
	}
	stem := strings.TrimSuffix(name, ext)
	if left := maxVendorName - len(ext) - len(id) - 1; len(stem) > left {
		stem = strings.ToValidUTF8(stem[:left], "")
	}
	return stem + "~" + id + ext
}

// TokenID is the extraction's id in a name made by TokenName; empty if there is
// none.
func TokenID(name string) string {
	i := strings.LastIndexByte(name, '~')
	if i < 0 || len(name) < i+1+tokenLength {
		return ""
	}
	id := name[i+1 : i+1+tokenLength]
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return ""
		}
	}
	return id
}
