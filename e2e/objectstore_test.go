package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/internal/s3test"
)

// inObjectStore gives the site a document store that speaks S3, and no folder.
func (s *site) inObjectStore(front func(http.Handler) http.Handler) {
	s.data = s3test.Behind(s.t, front)
	s.env = append(s.env, "AWS_ACCESS_KEY_ID="+os.Getenv("AWS_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY="+os.Getenv("AWS_SECRET_ACCESS_KEY"),
		"AWS_EC2_METADATA_DISABLED=true")
}

// TestObjectStore runs a service whose document store is an object store, with two workers of
// which one is killed at work: no process shares a folder with another.
func TestObjectStore(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(2*time.Second))
	s.durable()
	s.inObjectStore(nil)
	s.diagnose(0, s.shared()...).want(t, "documents", "ok", "can be written, read and deleted from")
	first, second := s.worker(), s.worker()
	docs := s.documents("inbox", 12)
	ids := s.submit(sensibleAccount, append([]string{"--batch", "b"}, paths(docs[:6])...)...)
	eventually(t, "some are at the vendor", func() bool { return len(s.vendor.takenBy()) > 2 })
	first.kill()
	// Of a submission in one call it would be unknown whether its last byte had gone.
	ids = append(ids, s.submit(typlessAccount, append([]string{"--batch", "b"}, paths(docs[6:])...)...)...)
	s.run(s.shared("watch", "--batch", "b", "--timeout", "80s")...).want(t, 0)
	s.wantAll(ids, "SUCCESS")
	s.vendor.wantOnce(t, docs)
	result := s.run(s.shared("result", ids[0])...).want(t, 0)
	if parse(t, result.stdout)["fields"] == nil {
		t.Errorf("result %s", tail(result.stdout))
	}
	s.diagnose(0, s.shared("--deep")...)
	// Another Redis, or another folder of the bucket, belongs to another installation.
	shared, ours := s.redis, s.data
	s.data = strings.Replace(ours, "prefix=", "prefix=x", 1)
	s.run(s.shared("worker")...).want(t, 2)
	s.redis, s.data = redistest.Start(t), ours
	s.run(s.shared("worker")...).want(t, 2)
	s.redis = shared
	s.run(s.shared("delete", "--batch", "b", "--yes")...).want(t, 0)
	if got := s.listed("--batch", "b"); len(got) != 0 {
		t.Errorf("after the deletion %v are listed", got)
	}
	if _, err := os.Stat(s.path("data")); !os.IsNotExist(err) {
		t.Errorf("there is a folder: %v", err)
	}
	if log := second.stderr.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "SDK ") {
		t.Errorf("the worker says %s", tail(log))
	}
}

// TestObjectStoreWithoutConditions says at the start what a store without conditional writes
// means.
func TestObjectStoreWithoutConditions(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.inObjectStore(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-None-Match")
			h.ServeHTTP(w, r)
		})
	})
	s.worker().says("no conditional writes")
	s.diagnose(2, s.shared()...).want(t, "documents", "note", "conditional writes")
}

// TestObjectStoreIsAway loses the object store for a while: what is there already waits, new
// documents are refused, and all goes on.
func TestObjectStoreIsAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	s.durable()
	var away atomic.Bool
	s.inObjectStore(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if away.Load() {
				http.Error(w, "away", http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	s.worker()
	docs := s.documents("inbox", 3)
	s.run(s.shared("accounts", "pause", sensibleAccount)...).want(t, 0)
	ids := s.submit(sensibleAccount, paths(docs[:2])...)
	away.Store(true)
	s.run(s.shared("accounts", "resume", sensibleAccount)...).want(t, 0)
	s.run(s.shared("submit", "--account", sensibleAccount, "--type", "tax_forms", docs[2].path)...).want(t, 3)
	eventually(t, "the account waits for its store", func() bool {
		return strings.Contains(s.run(s.shared("accounts", "--json")...).stdout, "store_unavailable")
	})
	away.Store(false)
	s.run(s.shared(append([]string{"watch", "--timeout", "80s"}, ids...)...)...).want(t, 0)
	s.wantAll(ids, "SUCCESS")
	s.vendor.wantOnce(t, docs[:2])
}

// TestLargeDocumentThroughObjectStore streams 100 MB through the processes: none keeps it in
// memory.
func TestLargeDocumentThroughObjectStore(t *testing.T) {
	if os.Getenv("EXTRACTQ_LARGE") == "" {
		t.Skip("set EXTRACTQ_LARGE=1")
	}
	s := newSite(t, quick(0))
	s.durable()
	s.inObjectStore(nil)
	w := s.worker()
	one := func(name string, body []byte) int {
		ids := s.submit(sensibleAccount, s.write(name, string(body)))
		s.run(s.shared("watch", "--timeout", "80s", ids[0])...).want(t, 0)
		return peak(t, w.cmd.Process.Pid)
	}
	form := fixtures.TaxForm(1)
	before := one("small.pdf", form)
	large := append(append([]byte{}, form...), bytes.Repeat([]byte("% padding\n"), (100<<20-len(form))/10)...)
	after := one("large.pdf", large)
	t.Logf("peak memory of the worker: %d KiB after a small document, %d KiB after one of %d MiB", before, after, len(large)>>20)
	if after-before > 20<<10 {
		t.Errorf("a document of 100 MB costs the worker %d KiB", after-before)
	}
}

// peak is the largest resident size of a process so far, in KiB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib
}
