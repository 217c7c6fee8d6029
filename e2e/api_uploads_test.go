package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestCutUploads sends 200 documents of 50 MiB at once and cuts each in the middle.
// However many they are, they take little memory, leave no file and are no
// extraction.
//
// EXTRACTQ_CHAOS_UPLOAD_MIB is after how much they are cut; it is little unless
// figures are wanted, because all of it goes through the disk: make chaos-api.
func TestCutUploads(t *testing.T) {
	t.Parallel()
	const uploads, announced = 200, 50 << 20
	cut := 1
	if text := os.Getenv("EXTRACTQ_CHAOS_UPLOAD_MIB"); text != "" {
		var err error
		if cut, err = strconv.Atoi(text); err != nil || cut >= 50 {
			t.Fatalf("EXTRACTQ_CHAOS_UPLOAD_MIB=%s: %v", text, err)
		}
	}
	s := newSite(t, quick(0))
	api := s.start(s.shared("api", "--listen", "127.0.0.1:0")...)
	api.says("api at http://")
	_, base, _ := strings.Cut(api.stderr.String(), "api at ")
	base, _, _ = strings.Cut(base, "/v1")
	get(t, base+"/v1/extractions") // What the first request needs is there.
	memory, files := peakMemory(api.cmd.Process.Pid), len(allFiles(t, s.path("data")))

	began := time.Now()
	chunk := append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte("x"), 1<<20-9)...)
	conns := make([]net.Conn, uploads)
	var all errgroup.Group
	for i := range conns {
		all.Go(func() (err error) {
			if conns[i], err = new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://")); err != nil {
				return err
			}
			_, err = fmt.Fprintf(conns[i], "POST /v1/extractions?account=%s&type=tax_forms HTTP/1.1\r\nHost: %s\r\n"+
				"Content-Type: application/pdf\r\nIdempotency-Key: cut-%d\r\nContent-Length: %d\r\n\r\n",
				sensibleAccount, conns[i].RemoteAddr(), i, announced)
			for range cut {
				if err == nil {
					_, err = conns[i].Write(chunk)
				}
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	eventually(t, "all uploads are on their way to the disk", func() bool { return len(allFiles(t, s.path("data"))) >= files+uploads })
	for _, c := range conns {
		if c != nil {
			_ = c.Close()
		}
	}
	eventually(t, "nothing is left of them", func() bool { return len(allFiles(t, s.path("data"))) == files })
	peak := peakMemory(api.cmd.Process.Pid)
	t.Logf("%d uploads cut after %d MiB each, in %v: peak memory %d MB, %d MB before",
		uploads, cut, time.Since(began).Round(100*time.Millisecond), peak>>10, memory>>10)
	// A megabyte each would be too much: the documents go past the memory.
	if peak > memory+uploads<<10 {
		t.Errorf("peak memory %d MB, and %d MB before", peak>>10, memory>>10)
	}
	if list := get(t, base+"/v1/extractions"); !strings.HasPrefix(list, `{"extractions":[]`) {
		t.Errorf("a cut document was accepted: %s", tail(list))
	}
	status := 0
	eventually(t, "the key is free again", func() bool {
		_, status = postDocument(t, base+"/v1/extractions?account="+sensibleAccount+"&type=tax_forms", chunk, "Idempotency-Key", "cut-0")
		return status != http.StatusConflict
	})
	if status != http.StatusAccepted {
		t.Errorf("the whole document under the same key: %d, want 202", status)
	}
}
