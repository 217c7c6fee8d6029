package store

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// tried is what Try writes: more than what a full disk may have left in a block.
var tried = bytes.Repeat([]byte("extractq "), 2048)

// Try writes, reads and deletes a small document under an id that no extraction has. One
// that a crash leaves behind is swept as any without a record.
func (b *Blobs) Try(ctx context.Context) error {
	id := NewID()
	if _, err := b.PutDocument(ctx, id, bytes.NewReader(tried), 0); err != nil {
		return err
	}
	got, err := b.readDocument(ctx, id)
	if err == nil && !bytes.Equal(got, tried) {
		err = errors.New("what was read is not what was written")
	}
	return errors.Join(err, b.Delete(ctx, id))
}

func (b *Blobs) readDocument(ctx context.Context, id string) ([]byte, error) {
	r, err := b.OpenDocument(ctx, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}
