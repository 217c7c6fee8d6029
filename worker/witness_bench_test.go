package worker

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/intake"
	"github.com/extractq/extractq/internal/queue"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

// BenchmarkWitness is what the second witness costs: the p50 of an accepted submission, and
// of the worker's submission to a vendor that answers at once, over a Redis that syncs every
// write; each beside the same without the two files, which is what their writing takes less.
func BenchmarkWitness(b *testing.B) {
	rdb := redistest.Client(b, redistest.Durable()...)
	r := newRigOn(b, rdb, newVendor())
	w := r.worker()
	body := strings.Repeat("x", 50<<10)
	var accepts, submits, accepted, sent []time.Duration
	ctx := context.Background()
	for b.Loop() {
		began := time.Now()
		e, err := r.client.Submit(ctx, intake.Submission{
			Account: "acme", Provider: "fake", Type: "tax_forms", Name: "1040.pdf", Document: strings.NewReader(body),
		})
		accepts = append(accepts, time.Since(began))
		if err != nil {
			b.Fatal(err)
		}
		rec, err := r.records.Get(ctx, "acme", e.ID)
		if err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if _, err := w.submit(ctx, queue.For(rec, rec.Seq)); err != nil {
			b.Fatal(err)
		}
		submits = append(submits, time.Since(began))
		// The files themselves, once more.
		a, err := r.blobs.Accepted(ctx, e.ID)
		if err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if err := r.blobs.PutAccepted(ctx, a, false); err != nil {
			b.Fatal(err)
		}
		accepted = append(accepted, time.Since(began))
		r.unsent(e.ID)
		began = time.Now()
		if _, err := r.blobs.ClaimSent(ctx, e.ID, store.Sent{Attempt: 1}); err != nil {
			b.Fatal(err)
		}
		if err := r.blobs.PutSent(ctx, e.ID, store.Sent{Attempt: 1, VendorID: "v"}); err != nil {
			b.Fatal(err)
		}
		sent = append(sent, time.Since(began))
	}
	report := func(name string, all, files []time.Duration) {
		p50 := func(d []time.Duration) float64 { slices.Sort(d); return float64(d[len(d)/2].Microseconds()) / 1000 }
		with, of := p50(all), p50(files)
		b.ReportMetric(with, "ms-"+name)
		b.ReportMetric(with-of, "ms-"+name+"-without")
		b.ReportMetric(with/(with-of), "ratio-"+name)
	}
	report("accept", accepts, accepted)
	report("submit", submits, sent)
}
