package store

import (
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
)

// What ends at a moment has ended then, to the millisecond, and not one before.
func TestMoments(t *testing.T) {
	t.Parallel()
	const begin = 1_800_000_000_000
	for name, prepare := range map[string]func(*rig) (at int64, act func() error){
		"a lease lapses": func(r *rig) (int64, func() error) {
			f := r.begin(r.create()).Fence
			return begin + testLease.Milliseconds(), func() error {
				_, _, err := r.s.Reissue(t.Context(), Fence{Input: f.Input, Seq: f.Seq, Token: NewToken()})
				return err
			}
		},
		"what is kept goes": func(r *rig) (int64, func() error) {
			f := r.finished(extraction.StatusSuccess)
			return begin + testKept.Record.Milliseconds(), func() error { return r.s.Erase(t.Context(), f.Input, false, testKept) }
		},
		"counts go": func(r *rig) (int64, func() error) {
			f := r.gone()
			return begin + testKept.Record.Milliseconds(), func() error {
				_, err := r.s.run(t.Context(), "forget", f.Input, NewToken(), f.Input.Batch)
				return err
			}
		},
		"a step is overdue": func(r *rig) (int64, func() error) {
			f := r.create()
			return begin + grace.Milliseconds(), func() error { return r.s.Touch(t.Context(), f, time.Minute, false) }
		},
		"an early webhook is forgotten": func(r *rig) (int64, func() error) {
			if _, err := r.s.Hooked(t.Context(), "acme", "v-early"); err != nil {
				t.Fatal(err)
			}
			return begin + earlyFor.Milliseconds(), func() error {
				_, err := r.s.Hooked(t.Context(), "acme", "v-other")
				if _, ok := r.score(r.k.early(), "v-early"); ok && err == nil {
					err = ErrStale
				}
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newClockedRig(t, redistest.Client(t))
			r.setClock(begin)
			r.window(wide)
			at, act := prepare(r)
			r.setClock(at - 1)
			if err := act(); err == nil {
				t.Error("a millisecond before")
			}
			r.setClock(at)
			r.want("at its moment", act(), nil)
		})
	}
}
