package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// Of several attempts that take themselves for the first, one has the claim, and all are told
// whose it is. Only its own claim is dropped.
func TestOneClaimsWhatIsSent(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"mem://", "file://" + t.TempDir()} {
		b, err := OpenBlobs(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		const n = 8
		id := NewID()
		claims := make([]Sent, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				var err error
				claims[i], err = b.ClaimSent(t.Context(), id, Sent{Token: fmt.Sprint(i), Attempt: 1, At: extraction.FromMillis(int64(1000 + i))})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		there, err := b.Sent(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range claims {
			if c.Token != there.Token {
				t.Errorf("%s: attempt %d was told that %q has the claim, and %q has", url, i, c.Token, there.Token)
			}
		}
		if err := b.DropSent(t.Context(), id, Sent{Token: "another's", At: there.At}); err != nil {
			t.Error(err)
		}
		if _, err := b.Sent(t.Context(), id); err != nil {
			t.Errorf("%s: another's claim was dropped: %v", url, err)
		}
		if err := b.DropSent(t.Context(), id, there); err != nil {
			t.Error(err)
		}
		if _, err := b.Sent(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: the dropped claim is there: %v", url, err)
		}
	}
}
