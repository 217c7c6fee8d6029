package intake

import (
	"context"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// Hook acts on a vendor's webhook: the extraction that it names is asked for soon.
// What the webhook says of it is not believed. One that names nothing of the
// account's, or something that has ended, changes nothing and is no error.
func (c *Client) Hook(ctx context.Context, account string, h extraction.Hook) error {
	if h.VendorID == "" || len(h.VendorID) > maxLabel {
		return nil
	}
	id, err := c.records.Hooked(ctx, account, h.VendorID)
	if err != nil {
		return err
	}
	if id == "" && validID(h.Echo) {
		id = h.Echo // Its record does not have the vendor's id yet.
	}
	if id == "" {
		return nil
	}
	return c.queue.Hint(ctx, c.records, account, id, h.VendorID, store.SourceHook)
}
