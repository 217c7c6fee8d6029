package sensible

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/internal/vendorhttp"
	"github.com/extractq/extractq/provider/internal/vendorjson"
)

// pageSize is the largest page known to work.
const pageSize = "100"

// Ready implements extraction.Provider: one page of what is finished, newest first. The
// list cannot be filtered by customer or name; it contains the names.
//
// https://docs.sensible.so/reference/list-extractions
func (c *Client) Ready(ctx context.Context, q extraction.ReadyQuery) (extraction.ReadyPage, error) {
	query := url.Values{"statuses": {complete + "," + failed}, "limit": {pageSize}}
	if !q.Since.IsZero() {
		// Since is by our clock; the vendor compares it with times of its own.
		query.Set("start_date", q.Since.Add(-c.api.Behind()).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if q.Cursor != "" {
		query.Set("continuation_token", q.Cursor)
	}
	list, next, err := c.list(ctx, vendorhttp.OpReady, query)
	if err != nil {
		return extraction.ReadyPage{}, err
	}
	page := extraction.ReadyPage{}
	for _, doc := range list {
		id, status := doc.String("id"), doc.String("status")
		switch strings.ToUpper(status) {
		case complete, failed:
			if id != "" {
				page.Items = append(page.Items, extraction.ReadyItem{
					VendorID: id, VendorStatus: status, Name: doc.String("document_name"),
				})
			}
		}
	}
	// A token that leads back to this page would be followed forever.
	if next != q.Cursor {
		page.NextCursor = next
	}
	return page, nil
}

// list asks for one page of extractions.
func (c *Client) list(ctx context.Context, op string, q url.Values) (items []vendorjson.Object, next string, err error) {
	a, err := c.api.Do(ctx, vendorhttp.Call{
		Op: op, Method: http.MethodGet, URL: c.api.Base() + "/extractions?" + q.Encode(),
	})
	if err != nil {
		return nil, "", err
	}
	items, next, err = decodeList(a.Body)
	if err != nil {
		return nil, "", a.Nonsense(err)
	}
	return items, next, nil
}

// decodeList reads the body of a list.
func decodeList(body []byte) (items []vendorjson.Object, next string, err error) {
	doc, err := vendorjson.Parse(body)
	if err != nil {
		return nil, "", err
	}
	list, ok := vendorjson.AsArray(doc["extractions"])
	if !ok {
		return nil, "", errors.New("the answer has no extractions")
	}
	for _, raw := range list {
		if item, ok := vendorjson.AsObject(raw); ok {
			items = append(items, item)
		}
	}
	return items, doc.String("continuation_token"), nil
}
