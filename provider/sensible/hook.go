package sensible

import (
	"errors"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// Hook implements extraction.Hooker. The body is what a poll of the finished extraction
// returns, including the webhook of its submission. It is sent again after a human review
// of the extraction.
//
// https://docs.sensible.so/reference/webhooks
func (c *Client) Hook(body []byte) (extraction.Hook, error) {
	doc, err := vendorjson.Parse(body)
	if err != nil {
		return extraction.Hook{}, err
	}
	id := doc.String("id")
	if id == "" {
		return extraction.Hook{}, errors.New("it has no id")
	}
	switch doc.String("status") {
	case waiting, processing:
		return extraction.Hook{}, nil
	}
	echo := vendorjson.Text(doc.Object("webhook")["payload"])
	if echo == "" { // The older form has it at the top level.
		echo = vendorjson.Text(doc["payload"])
	}
	return extraction.Hook{VendorID: id, Echo: echo}, nil
}
