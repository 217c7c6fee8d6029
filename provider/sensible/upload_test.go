package sensible_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/providertest"
	"github.com/extractq/extractq/provider/sensible"
)

func queryValue(t *testing.T, query, name string) string {
	t.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return q.Get(name)
}

// TestPutContentType: both steps say the same, or both say nothing.
func TestPutContentType(t *testing.T) {
	t.Parallel()
	for declared, want := range map[string]string{
		"application/pdf": "application/pdf", "text/csv; charset=utf-8": "text/csv", "": "", "application/octet-stream": "",
		"not a type;;": "",
	} {
		f, c := start(t)
		doc := providertest.NewDocument(100)
		s := extraction.Submission{Type: "a", ContentType: declared, Bytes: 100, Body: doc.Open}
		up, err := c.Open(t.Context(), s)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		up.ExpiresAt = received.Add(time.Minute)
		if err := c.Put(t.Context(), up, s); err != nil {
			t.Fatalf("Put: %v", err)
		}
		open, put := f.Requests(providertest.OpOpen)[0], f.Requests(providertest.OpUpload)[0]
		if has := strings.Contains(string(open.Body), `"content_type":"`+want+`"`); has != (want != "") {
			t.Errorf("%q: open sent %s", declared, open.Body)
		}
		if got := put.Header.Values("Content-Type"); strings.Join(got, "") != want {
			t.Errorf("%q: put sent %q, want %q", declared, got, want)
		}
		if put.Method != "PUT" || put.Size != 100 || put.Chunked {
			t.Errorf("put: %s, %d bytes, chunked %t", put.Method, put.Size, put.Chunked)
		}
	}
}

// TestStoreErrors has a fixture for each refusal of the store.
func TestStoreErrors(t *testing.T) {
	t.Parallel()
	for fixture, tt := range map[string]struct {
		status int
		kind   extraction.Kind
		code   extraction.Code
	}{
		"store_expired.xml":   {403, extraction.KindUploadGone, ""},
		"store_signature.xml": {403, extraction.KindUploadGone, ""},
		"store_token.xml":     {400, extraction.KindUploadGone, ""},
		"store_two_auth.xml":  {400, extraction.KindTransient, ""},
		"store_too_large.xml": {400, extraction.KindRejected, extraction.CodeDocumentTooLarge},
		"store_slow.xml":      {503, extraction.KindTransient, ""},
	} {
		t.Run(fixture, func(t *testing.T) {
			t.Parallel()
			f, c := start(t)
			f.On(providertest.OpUpload, providertest.Answer(providertest.FixtureReply(t, tt.status, fixture)))
			doc := providertest.NewDocument(100)
			err := c.Put(t.Context(), extraction.Upload{URL: f.SignedURL("x")},
				extraction.Submission{Type: "a", Bytes: 100, Body: doc.Open})
			e := asError(t, err)
			said, _ := e.Vendor.(map[string]any)
			if e.Kind != tt.kind || e.Code != tt.code || e.Status != tt.status || e.Sent || said["code"] == "" || len(said) != 3 {
				t.Errorf("%+v, want %s %s", e, tt.kind, tt.code)
			}
			providertest.NoSecret(t, fixture, err, "feedface", "AKIAEXAMPLE", "IQoJb3JpZ2lu", providertest.SignedSecret)
		})
	}
}

// TestPutExpired: a URL that has expired on our clock costs no transfer.
func TestPutExpired(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	doc := providertest.NewDocument(100)
	s := extraction.Submission{Type: "a", Bytes: 100, Body: doc.Open}
	for name, up := range map[string]extraction.Upload{
		"expired":       {URL: f.SignedURL("x"), ExpiresAt: received},
		"no URL":        {},
		"another thing": {URL: "not a url"},
	} {
		e := asError(t, c.Put(t.Context(), up, s))
		if e.Kind != extraction.KindUploadGone || e.Sent {
			t.Errorf("%s: %v", name, e)
		}
	}
	if n := len(f.Requests(providertest.OpUpload)); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestOpenURLs: only a URL that can be used as it is goes on.
func TestOpenURLs(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	for signed, ok := range map[string]bool{
		"http://127.0.0.1/a?b=%2F&c=d;e":  true,
		"http://127.0.0.1/a%2Fb/c%20d?x=": true,
		"":                                false,
		"/a?b":                            false,
		"ftp://127.0.0.1/a":               false,
		"http://127.0.0.1/a b":            false,
		"http://127.0.0.1/a#b":            false,
	} {
		f.On(providertest.OpOpen, providertest.Answer(dialect().Opened("x", signed)))
		up, err := c.Open(t.Context(), extraction.Submission{Type: "a"})
		switch {
		case ok && (err != nil || up.URL != signed):
			t.Errorf("Open with %q = %q, %v", signed, up.URL, err)
		case !ok && extraction.KindOf(err) != extraction.KindTransient, !ok && err == nil:
			t.Errorf("Open with %q = %v, want transient", signed, err)
		}
	}
	t.Run("plain http for an https API", func(t *testing.T) {
		t.Parallel()
		secure := newClient(t, sensible.Config{BaseURL: "https://127.0.0.1:1/v0"})
		doc := providertest.NewDocument(1)
		err := secure.Put(t.Context(), extraction.Upload{URL: f.SignedURL("x")},
			extraction.Submission{Type: "a", Bytes: 1, Body: doc.Open})
		if extraction.KindOf(err) != extraction.KindUploadGone || len(f.Requests(providertest.OpUpload)) != 0 {
			t.Errorf("Put = %v, want upload_gone and no request", err)
		}
	})
}

// TestExpiry reads the expiry in both forms of S3 signatures.
func TestExpiry(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	for query, want := range map[string]time.Time{
		"X-Amz-Date=20260706T201944Z&X-Amz-Expires=900": received.Add(899 * time.Second),
		"X-Amz-Date=20260706T201944Z&X-Amz-Expires=60":  received.Add(59 * time.Second),
		// The vendor's clock, or ours, is far off.
		"X-Amz-Date=20260706T191944Z&X-Amz-Expires=900":   received.Add(900 * time.Second),
		"X-Amz-Date=20260706T211944Z&X-Amz-Expires=900":   received.Add(900 * time.Second),
		"X-Amz-Expires=300":                               received.Add(300 * time.Second),
		"X-Amz-Date=20260706T201944Z&X-Amz-Expires=x":     received.Add(15 * time.Minute),
		"AWSAccessKeyId=A&Expires=1783370000&Signature=b": time.Unix(1783370000, 0),
		"AWSAccessKeyId=A&Expires=1600000000&Signature=b": received.Add(15 * time.Minute),
		"": received.Add(15 * time.Minute),
	} {
		f.On(providertest.OpOpen, providertest.Answer(dialect().Opened("x", f.StoreURL+"/a?"+query)))
		up, err := c.Open(t.Context(), extraction.Submission{Type: "a"})
		if err != nil || !up.ExpiresAt.Equal(want) {
			t.Errorf("%q: expires %s, %v, want %s", query, up.ExpiresAt, err, want)
		}
	}
}
