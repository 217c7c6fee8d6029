package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/errkind"
)

// The roles stop one after the other, the last first, each after the one before
// has ended; a failing one ends the others.
func TestInOrder(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		// fails are what roles end with, by themselves after a second or when
		// they are stopped.
		byItself, stopped map[string]error
		want              error
		ended             []string
	}{
		"told to stop":      {ended: []string{"c", "b", "a"}},
		"one fails":         {byItself: map[string]error{"b": broken}, want: broken, ended: []string{"b", "c", "a"}},
		"one stops badly":   {stopped: map[string]error{"c": broken}, want: broken, ended: []string{"c", "b", "a"}},
		"a code of its own": {byItself: map[string]error{"a": errkind.Usagef("no")}, want: errkind.Usagef("no"), ended: []string{"a", "c", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var ended []string
				var roles []Role
				for _, name := range []string{"a", "b", "c"} {
					roles = append(roles, Role{name, func(ctx context.Context) (err error) {
						var broke <-chan time.Time
						if tt.byItself[name] != nil {
							broke = time.After(time.Second)
						}
						select {
						case <-broke:
							err = tt.byItself[name]
						case <-ctx.Done():
							time.Sleep(10 * time.Second) // of the test's own clock: it takes its time to stop
							err = tt.stopped[name]
						}
						mu.Lock()
						defer mu.Unlock()
						ended = append(ended, name)
						return err
					}})
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := RunInOrder(ctx, slog.New(slog.DiscardHandler), roles...)
				if (err == nil) != (tt.want == nil) || tt.want != nil && err.Error() != tt.want.Error() {
					t.Errorf("inOrder = %v, want %v", err, tt.want)
				}
				if err != nil && !slices.Contains([]errkind.Kind{errkind.Usage, errkind.Unavailable}, errkind.Of(err)) {
					t.Errorf("%v has no exit code of its own", err)
				}
				if diff := cmp.Diff(tt.ended, ended); diff != "" {
					t.Errorf("ended (-want +got):\n%s", diff)
				}
			})
		})
	}
}
