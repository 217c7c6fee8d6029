package sensible

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// A signed URL never works for longer than a signature can, nor less than the clocks may
// differ: a slot and a document are held until then.
func FuzzExpiry(f *testing.F) {
	f.Add("https://s3.example/x?X-Amz-Date=20260102T030405Z&X-Amz-Expires=900")
	f.Add("https://s3.example/x?X-Amz-Expires=9223372036854775807")
	f.Add("https://s3.example/x?Expires=9223372036854775807")
	f.Add("https://s3.example/x?Expires=-1")
	f.Add("%zz")
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, signed string) {
		if at := expiry(signed, now); at.Before(now.Add(-maxSkew)) || at.After(now.Add(maxLife+maxSkew)) {
			t.Errorf("expiry(%q) is %s from now", signed, at.Sub(now))
		}
	})
}

// A URL that is taken for an upload is one that a request can be sent to, unchanged, and
// where the API is https it is https.
func FuzzUploadURL(f *testing.F) {
	c, err := New(Config{APIKey: "k", BaseURL: "https://api.example/v0"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("https://s3.example/a%2Fb?X-Amz-Signature=%2B+x")
	f.Add("http://s3.example/")
	f.Add("https://user:pw@[::1]:1/ #x")
	f.Add("HTTPS://s3.example?x")
	f.Fuzz(func(t *testing.T, signed string) {
		if err := c.checkUploadURL(signed); err != nil {
			if len(signed) > 40 && strings.Contains(err.Error(), signed) {
				t.Errorf("the error repeats a signed URL: %v", err)
			}
			return
		}
		u, err := url.Parse(signed)
		if err != nil || u.Scheme != "https" || u.Host == "" || !strings.HasSuffix(signed, u.RequestURI()) {
			t.Errorf("%q is taken, %v", signed, err)
		}
	})
}
