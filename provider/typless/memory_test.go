package typless_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/typless"
)

// vendorProcess makes the test binary a vendor: in a process of its own, so
// that its memory is not measured.
const vendorProcess = "EXTRACTQ_TEST_VENDOR"

func TestMain(m *testing.M) {
	if os.Getenv(vendorProcess) != "" {
		if err := vendor(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// vendor takes submissions until its standard input ends.
func vendor() error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n, err := io.Copy(io.Discard, r.Body); err != nil || n != r.ContentLength {
				http.Error(w, "incomplete", http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"extraction_id":"0d14"}`)
		}),
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = srv.Close()
	}()
	fmt.Printf("http://%s\n", l.Addr())
	if err := srv.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// startVendor starts the other process and returns its URL.
func startVendor(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self)
	cmd.Env = append(os.Environ(), vendorProcess+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the vendor's process did not start: %v", err)
	}
	return strings.TrimSpace(line)
}

// size is the document of the promise: 25 MB.
const size = 25_000_000

// largeDocument is a submission of a file.
func largeDocument(t testing.TB, size int64) extraction.Submission {
	t.Helper()
	name := filepath.Join(t.TempDir(), "scan.pdf")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
	return extraction.Submission{
		Name: "scan.pdf", Type: "invoice", Bytes: size,
		Body: func() (io.ReadCloser, error) { return os.Open(name) },
	}
}

// TestSubmitAllocatesLittle counts what a submission allocates in all, which
// bounds what it can hold at any time. It is not parallel, for it counts the
// whole process.
func TestSubmitAllocatesLittle(t *testing.T) {
	c := newClient(t, typless.Config{BaseURL: startVendor(t)})
	s := largeDocument(t, 5_000_000)
	submit := func() {
		if _, err := c.Submit(t.Context(), s); err != nil {
			t.Fatalf("Submit: %v", err)
		}
	}
	submit() // connection and pools
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	submit()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("a submission of 5 MB allocated %d KiB, want at most 1 MiB", got>>10)
	}
}

// BenchmarkSubmitMemory measures the peak memory above idle of one and of 32
// submissions of 25 MB at once, streamed as the client does it and built in
// memory as a naive client does it. Run it with
//
//	go test -run '^$' -bench SubmitMemory -benchtime 3x ./provider/typless
func BenchmarkSubmitMemory(b *testing.B) {
	url := startVendor(b)
	s := largeDocument(b, size)
	c := newClient(b, typless.Config{BaseURL: url})
	naive := func(ctx context.Context) error { return naiveSubmit(ctx, url, s) }
	streamed := func(ctx context.Context) error {
		_, err := c.Submit(ctx, s)
		return err
	}
	for _, at := range []int{1, 32} {
		var ours peak
		b.Run(fmt.Sprintf("streamed/at=%d", at), func(b *testing.B) {
			ours = measure(b, at, streamed)
		})
		b.Run(fmt.Sprintf("naive/at=%d", at), func(b *testing.B) {
			theirs := measure(b, at, naive)
			b.ReportMetric(theirs.heap/max(ours.heap, 0.1), "x-heap")
			b.ReportMetric(theirs.rss/max(ours.rss, 0.1), "x-RSS")
		})
	}
}

// naiveSubmit is what most clients do: read, encode, marshal, send.
func naiveSubmit(ctx context.Context, url string, s extraction.Submission) error {
	r, err := s.Body()
	if err != nil {
		return err
	}
	defer r.Close()
	doc, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{
		"file": base64.StdEncoding.EncodeToString(doc), "file_name": s.Name, "document_type_name": s.Type,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/extract-data-async", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// peak is memory above idle in MB.
type peak struct{ heap, rss float64 }

// measure runs n submissions at once, b.N times, and reports the peaks.
func measure(b *testing.B, n int, submit func(context.Context) error) peak {
	b.Helper()
	debug.FreeOSMemory()
	idle := read()
	top := idle
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(500 * time.Microsecond)
		defer tick.Stop()
		for {
			now := read()
			top = peak{max(top.heap, now.heap), max(top.rss, now.rss)}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	b.SetBytes(int64(n) * size)
	for b.Loop() {
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if err := submit(b.Context()); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
	close(stop)
	<-done
	above := peak{top.heap - idle.heap, top.rss - idle.rss}
	b.ReportMetric(above.heap, "MB-heap")
	b.ReportMetric(above.rss, "MB-RSS")
	return above
}

// read is the memory now: live and dead objects on the heap, and what the
// process has of the machine.
func read() peak {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	p := peak{heap: float64(sample[0].Value.Uint64()) / 1e6}
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(b)); len(f) > 1 {
			pages, _ := strconv.Atoi(f[1])
			p.rss = float64(pages*os.Getpagesize()) / 1e6
		}
	}
	return p
}
