package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/extractq/extractq/extraction"
)

// ErrChanged is returned for a document that is not the one that was accepted: the store
// has changed it since, or has lost a part.
var ErrChanged = errors.New("the document in the store is not the one that was accepted")

// ErrDamaged is returned for a result that is not the one that was stored.
var ErrDamaged = errors.New("the stored result is damaged")

// OpenVerified is OpenDocument that gives out the last byte only if all of the document
// has the size and the digest of d. A digest that is empty is not compared, and neither
// is a size of null.
func (b *Blobs) OpenVerified(ctx context.Context, id string, d extraction.Document) (io.ReadCloser, error) {
	body, err := b.OpenDocument(ctx, id)
	if err != nil || d.Bytes == nil {
		return body, err
	}
	return &verified{body: body, left: *d.Bytes, want: string(d.SHA256), hash: sha256.New()}, nil
}

// verified reads a document and compares it on the way.
type verified struct {
	body io.ReadCloser
	left int64
	want string
	hash hash.Hash
	err  error
}

// Read holds back what it has read where the end shows that the document has changed.
func (v *verified) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.body.Read(p)
	v.left -= int64(n)
	_, _ = v.hash.Write(p[:n]) // A hash takes everything.
	switch {
	case v.left < 0, v.left > 0 && errors.Is(err, io.EOF):
		err = ErrChanged
	case v.left == 0 && (err == nil || errors.Is(err, io.EOF)):
		if err = v.end(); err == nil {
			v.err = io.EOF
			return n, nil
		}
	}
	if errors.Is(err, ErrChanged) {
		n = 0
	}
	v.err = err
	return n, err
}

// end compares the digest, and makes sure that nothing follows.
func (v *verified) end() error {
	if v.want != "" && hex.EncodeToString(v.hash.Sum(nil)) != v.want {
		return ErrChanged
	}
	var more [1]byte
	n, err := io.ReadFull(v.body, more[:])
	switch {
	case n > 0:
		return ErrChanged
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

func (v *verified) Close() error { return v.body.Close() }

// OpenResult opens the stored result of a SUCCESS as the JSON that it is, with its size. The
// reader gives out the last byte only if all of it has its digest, and ErrChanged otherwise;
// a caller that has to know before the first byte asks CheckResult.
func (b *Blobs) OpenResult(ctx context.Context, r Record) (body io.ReadCloser, size int64, err error) {
	stored, size, err := b.bucket.Open(ctx, resultKey(r.ID, r.ResultSeq))
	if err != nil {
		return nil, 0, fmt.Errorf("open result: %w", b.named(ctx, err))
	}
	sum, err := base64.RawURLEncoding.DecodeString(r.ResultSum)
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open result: %w", err), stored.Close())
	}
	return &verified{body: stored, left: size, want: hex.EncodeToString(sum), hash: sha256.New()}, size, nil
}

// CheckResult returns nil if the result of a SUCCESS is as it was stored, ErrNotFound if it
// is gone, and ErrDamaged if it is another.
func (b *Blobs) CheckResult(ctx context.Context, r Record) error {
	if r.ResultSum == "" { // It is as good as its JSON.
		_, err := b.Result(ctx, r.ID, r.ResultSeq, "")
		return err
	}
	body, _, err := b.bucket.Open(ctx, resultKey(r.ID, r.ResultSeq))
	if err != nil {
		return fmt.Errorf("check result: %w", b.named(ctx, err))
	}
	defer func() { _ = body.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, body); err != nil {
		return fmt.Errorf("check result: %w", err)
	}
	if base64.RawURLEncoding.EncodeToString(sum.Sum(nil)) != r.ResultSum {
		return fmt.Errorf("check result: %w", ErrDamaged)
	}
	return nil
}

// StoredResult finds the latest result that is stored of an extraction, whatever its record
// says: Redis may have gone back to before its end. It returns ErrNotFound where there is none.
func (b *Blobs) StoredResult(ctx context.Context, id string) (seq int64, sum string, err error) {
	if err := b.present(ctx); err != nil { // Nothing is not the answer there.
		return 0, "", fmt.Errorf("look for result: %w", err)
	}
	for o, err := range b.bucket.List(ctx, id) {
		if err != nil {
			return 0, "", fmt.Errorf("look for result: %w", err)
		}
		seq = max(seq, number(strings.TrimPrefix(o.Key, id+"/")))
	}
	if seq == 0 {
		return 0, "", fmt.Errorf("look for result: %w", ErrNotFound)
	}
	body, err := b.read(ctx, resultKey(id, seq))
	if err != nil {
		return 0, "", fmt.Errorf("look for result: %w", b.named(ctx, err))
	}
	if !json.Valid(body) {
		return 0, "", fmt.Errorf("look for result: %w", ErrNotFound)
	}
	return seq, sumOf(body), nil
}

// sumOf is the digest of a stored result as records keep it: short enough for a field.
func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return shortSum(sum[:])
}

func shortSum(sum []byte) string { return base64.RawURLEncoding.EncodeToString(sum) }
