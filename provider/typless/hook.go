package typless

import (
	"errors"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// eventFinished is the vendor's only event.
const eventFinished = "extraction.finished"

// Hook implements extraction.Hooker. The body says that an extraction has ended, but not
// how. It is sent for all extractions of the vendor's account, including those of other
// software.
//
// https://typless.gitbook.io/typlessapi/typless-hub/webhooks
func (c *Client) Hook(body []byte) (extraction.Hook, error) {
	doc, err := vendorjson.Parse(body)
	if err != nil {
		return extraction.Hook{}, err
	}
	if event := doc.String("type"); event != eventFinished {
		if event == "" {
			return extraction.Hook{}, errors.New("it has no type")
		}
		return extraction.Hook{}, nil
	}
	id := doc.Object("data").String("id")
	if id == "" {
		return extraction.Hook{}, errors.New("it has no id")
	}
	return extraction.Hook{VendorID: id}, nil
}
