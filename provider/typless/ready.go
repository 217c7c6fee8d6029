package typless

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// Ready implements extraction.Provider: ids of what has finished and can be
// fetched, all on one page, without names or times. A customer the vendor does
// not know gives an empty list, not an error.
//
// https://typless.gitbook.io/typlessapi/typless/data-extraction/asynchronous-extraction
func (c *Client) Ready(ctx context.Context, q extraction.ReadyQuery) (extraction.ReadyPage, error) {
	ids, err := c.awaitingPoll(ctx, vendorhttp.OpReady, q.Customer)
	if err != nil {
		return extraction.ReadyPage{}, err
	}
	page := extraction.ReadyPage{}
	for _, id := range ids {
		page.Items = append(page.Items, extraction.ReadyItem{VendorID: id})
	}
	return page, nil
}

func (c *Client) awaitingPoll(ctx context.Context, op, customer string) ([]string, error) {
	query := ""
	if customer != "" {
		query = "?customer=" + url.QueryEscape(customer)
	}
	a, err := c.get(ctx, c.awaiting, op, query)
	if err != nil {
		return nil, err
	}
	ids, err := decodeIDs(a.Body)
	if err != nil {
		return nil, a.Nonsense(err)
	}
	return ids, nil
}

// decodeIDs reads {"extraction_ids": […]}. The prose of the guide says "a list
// of extraction ids", so a bare list counts as well.
func decodeIDs(body []byte) ([]string, error) {
	var list []json.RawMessage
	if body = bytes.TrimSpace(body); json.Valid(body) && vendorjson.IsArray(body) {
		list, _ = vendorjson.AsArray(body)
	} else {
		doc, err := vendorjson.Parse(body)
		if err != nil {
			return nil, err
		}
		var ok bool
		if list, ok = vendorjson.AsArray(doc["extraction_ids"]); !ok {
			return nil, errors.New("the answer has no extraction_ids")
		}
	}
	var ids []string
	for _, raw := range list {
		if id := vendorjson.Text(raw); id != "" {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
