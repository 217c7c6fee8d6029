package backfill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/app"
	"github.com/extractq/extractq/internal/backfill/results"
	"github.com/extractq/extractq/internal/render"
	"github.com/extractq/extractq/internal/transfer"
	"github.com/extractq/extractq/provider/sensible"
	"github.com/extractq/extractq/provider/typless"
	"github.com/extractq/extractq/store"
)

// Rows of a large result, as the vendors write them.
const (
	sensibleRow = `{"name":{"type":"string","value":"a line of a long bank statement"},"amount":{"type":"number","source":"1,210.00","value":1210.00}}`
	typlessRow  = `[{"name":"Description","values":[{"value":"a line of a long bank statement","confidence_score":"0.9","x":1,"y":2,"width":3,"height":4,"page_number":0}],"data_type":"STRING"}]`
)

// largeResults is a vendor of both dialects whose results have about so many bytes. It
// makes them while it sends them.
func largeResults(t testing.TB, size int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin, row, end := `{"status":"SUCCESS","result":{"file_name":"x","extracted_fields":[],"line_items":[`, typlessRow, `]}}`
		if strings.Contains(r.URL.Path, "/documents/") {
			begin, row, end = `{"id":"v1","status":"COMPLETE","parsed_document":{"lines":[`, sensibleRow, `]}}`
		}
		_, _ = io.WriteString(w, begin)
		for n := 0; n < size; n += len(row) + 1 {
			if n > 0 {
				_, _ = io.WriteString(w, ",")
			}
			_, _ = io.WriteString(w, row)
		}
		_, _ = io.WriteString(w, end)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// resultStore is a file store below a folder of the test's own.
func resultStore(t testing.TB) *store.Blobs {
	t.Helper()
	blobs, err := store.OpenBlobs(t.Context(), "file://"+filepath.ToSlash(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blobs.Close() })
	return blobs
}

// largeProviders are the adapters for the vendor.
func largeProviders(t testing.TB, url string) map[string]extraction.Provider {
	t.Helper()
	s, err := sensible.New(sensible.Config{APIKey: "k", BaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	y, err := typless.New(typless.Config{APIKey: "k", BaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]extraction.Provider{"sensible": s, "typless": y}
}

// fetchResult asks for a result and stores it, as a worker does.
func fetchResult(ctx context.Context, p extraction.Provider, blobs *store.Blobs, id string) (string, error) {
	call, cancel := transfer.WithTimeout(transfer.SpoolTo(ctx, blobs.Scratch()), time.Minute)
	defer cancel()
	out, err := p.Poll(call, "v1")
	if err != nil {
		return "", err
	}
	return blobs.PutResult(ctx, id, 1, out.Result)
}

// TestLargeResult stores results that are kept in a file, and reads them again.
func TestLargeResult(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	blobs := resultStore(t)
	for name, p := range largeProviders(t, largeResults(t, size)) {
		id := store.NewID()
		sum, err := fetchResult(t.Context(), p, blobs, id)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := blobs.Result(t.Context(), id, 1, sum)
		if err != nil || len(got.Raw) < size || len(got.Tables) != 1 {
			t.Fatalf("%s: %d bytes, %d tables, %v", name, len(got.Raw), len(got.Tables), err)
		}
		for table, rows := range got.Tables {
			if len(rows) < size/200 || len(rows[len(rows)-1]) == 0 {
				t.Errorf("%s: %s has %d rows, the last is %v", name, table, len(rows), rows[len(rows)-1])
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(blobs.Scratch(), ".answer*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v, %v is left", left, err)
	}
}

// TestLargeResultTakesLittle bounds the heap while a result goes to the store by less than
// a tenth of what copies of it take. It is not parallel, for it measures the whole process.
func TestLargeResultTakesLittle(t *testing.T) {
	const size = 8 << 20
	blobs := resultStore(t)
	for name, p := range largeProviders(t, largeResults(t, size)) {
		got, err := peakWhile(func() error {
			_, err := fetchResult(t.Context(), p, blobs, store.NewID())
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got > 2*size/1e6 {
			t.Errorf("%s: %.1f MB of heap for a result of %d bytes", name, got, size)
		}
	}
}

// TestLargeResultIsCopiedOut bounds the heap while a large result goes from the store to its
// file below --out, and is looked at by the next run. It measures the whole process.
func TestLargeResultIsCopiedOut(t *testing.T) {
	const size = 8 << 20
	svc := &app.Services{Blobs: resultStore(t)}
	provider := largeProviders(t, largeResults(t, size))["sensible"]
	r := store.Record{Input: store.Input{ID: store.NewID(), Account: "a"}, Status: extraction.StatusSuccess, ResultSeq: 1}
	var err error
	if r.ResultSum, err = fetchResult(t.Context(), provider, svc.Blobs, r.ID); err != nil {
		t.Fatal(err)
	}
	b := &Backfill{Config: Config{Out: t.TempDir()}, Services: svc}
	got, err := peakWhile(func() error {
		e, err := b.whole(t.Context(), r)
		if err != nil {
			return err
		}
		return b.writeResult(t.Context(), "x.pdf", e, r)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got > size/4/1e6 {
		t.Errorf("%.1f MB of heap for a result of %d bytes", got, size)
	}
	written, ok := results.ReadWhole(b.resultFile("x.pdf"))
	b.Print = render.NewPrinter(io.Discard, render.NDJSON, render.Results, render.Screen{}) // What is printed is read.
	want, err := b.whole(t.Context(), r)
	if err != nil || !ok {
		t.Fatal(err, ok)
	}
	if !reflect.DeepEqual(want, written) || len(written.Result.Raw) < size { // A readable difference takes a minute.
		t.Error("the file has another extraction")
	}
	if e, ok := results.Read(b.resultFile("x.pdf")); !ok || e.ID != r.ID || e.Status != r.Status || e.Result != nil {
		t.Errorf("without its result it is read as %+v, %v", e, ok)
	}
}

// BenchmarkResultMemory measures the peak of the heap above idle while results of 32 MiB go
// from the vendor to the store: one, and eight at once; and while one is read, mapped and
// encoded in memory, as before there were files. Run it with
//
//	go test -run '^$' -bench ResultMemory -benchtime 2x ./internal/backfill
func BenchmarkResultMemory(b *testing.B) {
	const size = 32 << 20
	url := largeResults(b, size)
	blobs := resultStore(b)
	before := 0.0
	b.Run("sensible/in-memory/at=1", func(b *testing.B) {
		before = peakHeap(b, 1, func(ctx context.Context) error { return allInMemory(ctx, url, b.TempDir()) })
	})
	for name, p := range largeProviders(b, url) {
		for _, at := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/streamed/at=%d", name, at), func(b *testing.B) {
				after := peakHeap(b, at, func(ctx context.Context) error {
					id := store.NewID()
					_, err := fetchResult(ctx, p, blobs, id)
					return errors.Join(err, blobs.Delete(ctx, id))
				})
				if before > 0 {
					b.ReportMetric(before*float64(at)/max(after, 0.1), "x-less")
				}
			})
		}
	}
}

// allInMemory takes Sensible's result the way that every step of it copies it.
func allInMemory(ctx context.Context, url, dir string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/documents/v1", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var doc, parsed map[string]json.RawMessage
	var rows []json.RawMessage
	for _, part := range []struct {
		from func() json.RawMessage
		to   any
	}{
		{func() json.RawMessage { return body }, &doc},
		{func() json.RawMessage { return doc["parsed_document"] }, &parsed},
		{func() json.RawMessage { return parsed["lines"] }, &rows},
	} {
		if err := json.Unmarshal(part.from(), part.to); err != nil {
			return err
		}
	}
	r := extraction.NewResult(bytes.Clone(body))
	for _, raw := range rows {
		var members map[string]struct {
			Type   extraction.ValueType
			Value  any
			Source string
		}
		if err := json.Unmarshal(raw, &members); err != nil {
			return err
		}
		row := extraction.Row{}
		for name, v := range members {
			row[name] = []extraction.Value{{Value: v.Value, Type: v.Type, Text: extraction.Null(v.Source), Alternatives: []extraction.Value{}}}
		}
		r.Tables["lines"] = append(r.Tables["lines"], row)
	}
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "result"), out.Bytes(), 0o600)
}

// peakHeap runs n of work at once, b.N times, and reports the peak of the heap above idle
// in MB.
func peakHeap(b *testing.B, n int, work func(context.Context) error) float64 {
	b.Helper()
	peak, err := peakWhile(func() error {
		for b.Loop() {
			var all errgroup.Group
			for range n {
				all.Go(func() error { return work(b.Context()) })
			}
			if err := all.Wait(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(peak, "MB-heap")
	return peak
}

// peakWhile is the peak of the heap above idle in MB while f runs.
func peakWhile(f func() error) (float64, error) {
	read := func() float64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64()) / 1e6
	}
	debug.FreeOSMemory()
	idle := read()
	top := idle
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			top = max(top, read())
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	err := f()
	close(stop)
	<-done
	return top - idle, err
}
