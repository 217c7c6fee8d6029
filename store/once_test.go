package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Of many processes that store different documents under one id, one does, and its bytes
// stay; the same bytes are stored once and welcome again.
func TestPutDocumentOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, url := range []string{"file://" + dir, "mem://"} {
		var all []*Blobs // As in processes of their own.
		for range 8 {
			b, err := OpenBlobs(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			if url == "mem://" && len(all) > 0 {
				b = all[0]
			}
			all = append(all, b)
		}
		for range 20 {
			id := NewID()
			errs := make([]error, len(all))
			var wg sync.WaitGroup
			for i, b := range all {
				wg.Go(func() {
					_, errs[i] = b.PutDocumentOnce(context.Background(), id, strings.NewReader(fmt.Sprint("body ", i)), 0)
				})
			}
			wg.Wait()
			won := -1
			for i, err := range errs {
				switch {
				case err == nil && won >= 0:
					t.Errorf("%d and %d stored different documents under one id", won, i)
				case err == nil:
					won = i
				case !errors.Is(err, ErrTaken):
					t.Errorf("PutDocumentOnce = %v, want %v", err, ErrTaken)
				}
			}
			r, err := all[0].OpenDocument(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(r)
			_ = r.Close()
			if want := fmt.Sprint("body ", won); err != nil || string(body) != want {
				t.Errorf("the document is %q, %v, want %q of who won", body, err, want)
			}
			if _, err := all[1].PutDocumentOnce(t.Context(), id, strings.NewReader(string(body)), 0); err != nil {
				t.Errorf("the same bytes again: %v", err)
			}
			if files, err := os.ReadDir(filepath.Join(dir, id)); url != "mem://" && (err != nil || len(files) != 1) {
				t.Errorf("%d files stay, %v", len(files), err)
			}
		}
	}
}
