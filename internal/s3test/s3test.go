// Package s3test gives a test an object store that speaks S3's protocol: one in the process,
// or a folder of its own in the one that EXTRACTQ_TEST_S3 names, as a URL of a document store.
//
// It is for tests only; the linter keeps it out of production code.
package s3test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/oklog/ulid/v2"
)

// Start returns the data URL of an empty store.
func Start(t testing.TB) string {
	t.Helper()
	return Behind(t, nil)
}

// Behind is Start for a store that is reached through front, unless that is nil.
func Behind(t testing.TB, front func(http.Handler) http.Handler) string {
	t.Helper()
	if real := os.Getenv("EXTRACTQ_TEST_S3"); real != "" && front == nil {
		u, err := url.Parse(real)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("prefix", "test-"+ulid.Make().String()+"/")
		u.RawQuery = q.Encode()
		return u.String()
	}
	backend := s3mem.New()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	h := gofakes3.New(backend).Server()
	if front != nil {
		h = front(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return "s3://bucket?" + url.Values{
		"region": {"us-east-1"}, "endpoint": {server.URL}, "use_path_style": {"true"}, "anonymous": {"true"}, "prefix": {"some/where/"},
	}.Encode()
}
