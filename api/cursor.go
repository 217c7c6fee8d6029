package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/store"
)

// listDigest identifies a list and its filter. It is part of the list's cursors: with
// another filter a position would be meaningless, and pages would have gaps that the reader
// cannot see.
type listDigest [6]byte

func digestOf(list string, f extraction.Filter) listDigest {
	f.Status, f.Account = slices.Sorted(slices.Values(f.Status)), slices.Sorted(slices.Values(f.Account))
	body, err := json.Marshal(f)
	if err != nil {
		panic(err) // Strings and times always encode.
	}
	sum := sha256.Sum256(append([]byte(list+"\n"), body...))
	return listDigest(sum[:len(listDigest{})])
}

// cursor encodes a position in the list for the next request. It reveals nothing that the
// page did not.
func (d listDigest) cursor(position string) *string {
	text := base64.RawURLEncoding.EncodeToString(append(d[:], position...))
	return &text
}

// position is what cursor was given; empty for the beginning.
func (d listDigest) position(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	body, err := base64.RawURLEncoding.DecodeString(cursor)
	if position, ok := strings.CutPrefix(string(body), string(d[:])); err == nil && ok && position != "" {
		return position, nil
	}
	return "", errCursor
}

var errCursor = problem(http.StatusUnprocessableEntity, codeCursor,
	"cursor is not one that an answer gave as next_cursor, for the same list and filter")

// positionOf is the position after an extraction, as time and id, or after a batch, as time
// and name.
func positionOf(c store.Cursor) string { return fmt.Sprintf("%d.%s", c.CreatedAt.UnixMilli(), c.ID) }

// after decodes the position of a cursor.
func (d listDigest) after(cursor string) (store.Cursor, error) {
	position, err := d.position(cursor)
	if err != nil || position == "" {
		return store.Cursor{}, err
	}
	ms, id, ok := strings.Cut(position, ".")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || !ok || id == "" || len(id) > 512 || n < 0 || n > 1<<52 {
		return store.Cursor{}, errCursor
	}
	return store.Cursor{CreatedAt: time.UnixMilli(n), ID: id}, nil
}
