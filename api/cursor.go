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

// listMark stands for a list and its filter. It is in the list's cursors: with
// another filter its position would be meaningless, and the pages would have gaps that
// the reader cannot see.
type listMark [6]byte

func markOf(list string, f extraction.Filter) listMark {
	f.Status, f.Account = slices.Sorted(slices.Values(f.Status)), slices.Sorted(slices.Values(f.Account))
	body, err := json.Marshal(f)
	if err != nil {
		panic(err) // Strings and times always encode.
	}
	sum := sha256.Sum256(append([]byte(list+"\n"), body...))
	return listMark(sum[:len(listMark{})])
}

// cursor is a place in the list, for the next request. It says nothing that the
// page before did not.
func (m listMark) cursor(place string) *string {
	text := base64.RawURLEncoding.EncodeToString(append(m[:], place...))
	return &text
}

// place is what cursor was given; empty for the beginning.
func (m listMark) place(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	body, err := base64.RawURLEncoding.DecodeString(cursor)
	if place, ok := strings.CutPrefix(string(body), string(m[:])); err == nil && ok && place != "" {
		return place, nil
	}
	return "", errCursor
}

var errCursor = problem(http.StatusUnprocessableEntity, codeCursor,
	"cursor is not one that an answer gave as next_cursor, for the same list and filter")

// placeOf is a place behind an extraction, as time and id, or behind a batch, as time
// and name.
func placeOf(c store.Cursor) string { return fmt.Sprintf("%d.%s", c.CreatedAt.UnixMilli(), c.ID) }

// after is the place that a cursor gives.
func (m listMark) after(cursor string) (store.Cursor, error) {
	place, err := m.place(cursor)
	if err != nil || place == "" {
		return store.Cursor{}, err
	}
	ms, id, ok := strings.Cut(place, ".")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || !ok || id == "" || len(id) > 512 || n < 0 || n > 1<<52 {
		return store.Cursor{}, errCursor
	}
	return store.Cursor{CreatedAt: time.UnixMilli(n), ID: id}, nil
}
