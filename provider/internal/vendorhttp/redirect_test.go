package vendorhttp

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
)

// A store may send an upload elsewhere: it goes there whole, with its length.
func TestUploadIsSentElsewhere(t *testing.T) {
	t.Parallel()
	document := strings.Repeat("document ", 1000)
	for name, tt := range map[string]struct {
		status, moves int
		reopens       bool
		ok            bool
	}{
		"307":              {307, 1, true, true},
		"308, twice":       {308, 2, true, true},
		"forever":          {307, 1000, true, false},
		"302":              {302, 1, true, false},
		"a call that pays": {307, 1, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got, auth string
			moves := tt.moves
			elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if moves--; moves > 0 {
					w.Header().Set("Location", "/again?X-Amz-Signature=secret")
					w.WriteHeader(tt.status)
					return
				}
				b, _ := io.ReadAll(r.Body)
				got, auth = string(b), r.Header.Get("Authorization")
				if r.ContentLength != int64(len(document)) || r.Header.Get("Content-Type") != "application/pdf" {
					t.Errorf("%d bytes of %q", r.ContentLength, r.Header.Get("Content-Type"))
				}
			}))
			defer elsewhere.Close()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", elsewhere.URL+"/there?X-Amz-Signature=secret")
				w.WriteHeader(tt.status)
			}))
			defer srv.Close()
			c, err := New(Config{BaseURL: "https://api.test", Authorization: "Bearer key"})
			if err != nil {
				t.Fatal(err)
			}
			open := func() (*Body, error) {
				return Stream("application/pdf", io.NopCloser(strings.NewReader(document)), int64(len(document))), nil
			}
			call := Call{Op: OpUpload, Method: http.MethodPut, URL: srv.URL, Foreign: true, Submits: true}
			call.Body, _ = open()
			if tt.reopens {
				call.Reopen = open
			}
			a, err := c.Do(t.Context(), call)
			if !tt.ok {
				if err == nil || got != "" || strings.Contains(err.Error(), "secret") {
					t.Errorf("%v, %d bytes arrived", err, len(got))
				}
				return
			}
			if err != nil || !a.Taken || got != document || auth != "" {
				t.Errorf("%v, taken %t, %d bytes arrived with key %q", err, a.Taken, len(got), auth)
			}
		})
	}
}

// An API that is elsewhere says so, without anything secret.
func TestAPIIsElsewhere(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 307, 308} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://u:pass@api.test/v1/submit?token=secret")
			w.WriteHeader(status)
		}))
		defer srv.Close()
		c, err := New(Config{BaseURL: srv.URL, Authorization: "Bearer key"})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := JSON(map[string]string{})
		_, err = c.Do(t.Context(), Call{Op: OpSubmit, Method: http.MethodPost, URL: srv.URL, Body: body, Submits: true})
		if err == nil || !strings.Contains(err.Error(), "the API is at https://api.test/v1/submit, so base_url is wrong") ||
			strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "pass") ||
			extraction.KindOf(err) != extraction.KindTransient {
			t.Errorf("%d: %v", status, err)
		}
	}
}
