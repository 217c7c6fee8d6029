package sensible

import (
	"errors"

	"github.com/extractq/extractq/provider/internal/vendorhttp"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// answer is a 2xx answer of the API.
type answer struct{ vendorhttp.Answer }

var errNoID = errors.New("the answer has no id")

// id decodes an answer that must name an extraction.
func (a answer) id() (vendorjson.Object, error) {
	doc, err := vendorjson.Parse(a.Body)
	if err != nil {
		return nil, err
	}
	if doc.String("id") == "" {
		return nil, errNoID
	}
	return doc, nil
}
