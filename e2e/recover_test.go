package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRecover loses all of Redis while one document waits and another is at the vendor.
func TestRecover(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(2*time.Second))
		docs := s.documents("inbox", 2)
		at := s.submit(d.account, docs[0].path)[0]
		w := s.worker()
		eventually(t, "the vendor has the first", func() bool { return s.status(at)["status"] == "IN_PROGRESS" })
		w.signal(syscall.SIGTERM)
		w.wait()
		waits := s.submit(d.account, docs[1].path)[0]
		rdb := s.redis.Client()
		keys, err := rdb.Keys(t.Context(), "*{"+d.account+"}*").Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := rdb.Del(t.Context(), keys...).Err(); err != nil {
			t.Fatal(err)
		}
		s.age("data", "documents", at)
		s.age("data", "documents", waits)
		r := s.run(s.shared("doctor", "--deep", "--no-vendors")...)
		if r.code != 2 || !strings.Contains(r.stdout, "2 extractions: run extractq recover") {
			t.Errorf("doctor --deep: %d %s", r.code, r.stdout)
		}
		wantIDs(t, "lost", []string{at, waits}, lines(s.run(s.shared("recover", "--dry-run")...).want(t, 0).stdout))
		wantIDs(t, "recovered", []string{at, waits}, lines(s.run(s.shared("recover")...).want(t, 0).stdout))
		wantIDs(t, "recovered again", nil, lines(s.run(s.shared("recover")...).want(t, 0).stdout))
		s.worker()
		s.run(s.shared("watch", "--timeout", "80s", at, waits)...).want(t, 0)
		s.wantAll([]string{at, waits}, "SUCCESS")
		s.vendor.wantOnce(t, docs)
	})
}

// age makes a folder's files an hour old.
func (s *site) age(parts ...string) {
	s.t.Helper()
	dir := s.path(parts...)
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	then := time.Now().Add(-time.Hour)
	for _, e := range entries {
		if err := os.Chtimes(filepath.Join(dir, e.Name()), then, then); err != nil {
			s.t.Fatal(err)
		}
	}
}
