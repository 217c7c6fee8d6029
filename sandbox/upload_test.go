package sandbox_test

import (
	"crypto/sha256"
	"io"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

// TestUploadURL is what S3 says to requests that are not what was signed.
func TestUploadURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		method  string
		change  func(string) string
		headers []string
		after   time.Duration
		status  int
		code    string
	}{
		{name: "as told", headers: []string{"Content-Type", "application/pdf"}, status: 200},
		{name: "parameters in another order", change: reorder, headers: []string{"Content-Type", "application/pdf"}, status: 200},
		{name: "at the last second", headers: []string{"Content-Type", "application/pdf"}, after: 15 * time.Minute, status: 200},
		{name: "too late", after: 15*time.Minute + time.Second, status: 403, code: "AccessDenied"},
		{name: "with our key", headers: []string{"Authorization", "Bearer any"}, status: 400, code: "InvalidArgument"},
		{name: "with a longer life", change: replace("X-Amz-Expires=900", "X-Amz-Expires=9000"), status: 403, code: "SignatureDoesNotMatch"},
		{name: "for another document", change: replace("/EXTRACTION/", "/EXTRACTION/0"), status: 403, code: "SignatureDoesNotMatch"},
		{name: "with another parameter", change: func(u string) string { return u + "&a=b" }, status: 403, code: "SignatureDoesNotMatch"},
		{name: "without query", change: func(u string) string { return strings.Split(u, "?")[0] }, status: 403, code: "AccessDenied"},
		{name: "without algorithm", change: replace("X-Amz-Algorithm=AWS4-HMAC-SHA256", ""), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "read instead of written", method: "GET", status: 403, code: "SignatureDoesNotMatch"},
		{name: "another content type", headers: []string{"Content-Type", "image/png"}, status: 403, code: "SignatureDoesNotMatch"},
		{name: "no content type", status: 403, code: "SignatureDoesNotMatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, sandbox.Config{})
			receipt := s.object(s.sensible("POST", "/generate_upload_url/tax_forms", `{"content_type":"application/pdf"}`), 200)
			url := receipt["upload_url"].(string)
			if test.change != nil {
				url = test.change(url)
			}
			method := "PUT"
			if test.method != "" {
				method = test.method
			}
			s.pass(test.after)
			got := s.call(method, url, fixtures.TaxForm(1), test.headers...)
			checkS3(t, got, test.status, test.code)
			want := "WAITING"
			if test.status == 200 {
				want = "COMPLETE"
			}
			s.pass(2 * time.Second)
			if x := s.object(s.sensible("GET", "/documents/"+receipt["id"].(string), ""), 200); x["status"] != want {
				t.Errorf("status = %v, want %s", x["status"], want)
			}
		})
	}
}

func checkS3(t *testing.T, got answer, status int, code string) {
	t.Helper()
	if got.status != status {
		t.Errorf("status %d, want %d: %s", got.status, status, got.body)
	}
	if code == "" {
		return
	}
	if !regexp.MustCompile(`^<\?xml .*\s<Error><Code>` + code + `</Code><Message>.+</Message>(?s:.*)<RequestId>.+</RequestId><HostId>.+</HostId></Error>$`).MatchString(got.body) {
		t.Errorf("body = %s, want the XML of %s", got.body, code)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/xml" {
		t.Errorf("Content-Type = %s, want application/xml", kind)
	}
}

// TestUploadErrorsEcho: S3 repeats what it was sent, secrets included, and says
// when a URL ended.
func TestUploadErrorsEcho(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{UploadTTL: 90 * time.Second})
	url := s.object(s.sensible("POST", "/generate_upload_url/tax_forms", `{}`), 200)["upload_url"].(string)
	for part, got := range map[string]answer{
		"<ArgumentValue>Bearer my-key</ArgumentValue>": s.call("PUT", url, nil, "Authorization", "Bearer my-key"),
		"<SignatureProvided>0000":                      s.call("PUT", replace("X-Amz-Signature=", "X-Amz-Signature=0000")(url), nil),
		"X-Amz-Security-Token=sandbox-token":           s.call("PUT", url+"&a=b", nil),
	} {
		if !strings.Contains(got.body, part) {
			t.Errorf("body = %s, want %s in it", got.body, part)
		}
	}
	s.pass(91 * time.Second)
	late := s.call("PUT", url, nil)
	if want := "<X-Amz-Expires>90</X-Amz-Expires><Expires>2026-03-01T12:01:30Z</Expires><ServerTime>2026-03-01T12:01:31Z</ServerTime>"; !strings.Contains(late.body, want) {
		t.Errorf("body = %s, want %s in it", late.body, want)
	}
}

func TestSecondUpload(t *testing.T) {
	t.Parallel()
	for how, status := range map[sandbox.SecondUpload]int{sandbox.SecondUploadRefuse: 403, sandbox.SecondUploadIgnore: 200} {
		s := start(t, sandbox.Config{SecondUpload: how})
		receipt := s.object(s.sensible("POST", "/generate_upload_url/tax_forms", `{}`), 200)
		for i, want := range []int{200, status} {
			if got := s.call("PUT", receipt["upload_url"].(string), fixtures.TaxForm(1+i)); got.status != want {
				t.Errorf("%s: PUT %d = %d, want %d", how, i+1, got.status, want)
			}
		}
		s.pass(2 * time.Second)
		x := s.object(s.sensible("GET", "/documents/"+receipt["id"].(string), ""), 200)
		ssn := x["parsed_document"].(map[string]any)["ssn"].(map[string]any)["value"]
		if want := fixtures.TaxFormFields(1)["ssn"]; ssn != want {
			t.Errorf("%s: ssn = %v, want %v of the first document", how, ssn, want)
		}
	}
}

func replace(from, to string) func(string) string {
	return func(url string) string { return strings.Replace(url, from, to, 1) }
}

func reorder(url string) string {
	path, query, _ := strings.Cut(url, "?")
	first, rest, _ := strings.Cut(query, "&")
	return path + "?" + rest + "&" + first
}

func TestUploadBodies(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{MaxDocument: 10_000})
	upload := func() string {
		return s.object(s.sensible("POST", "/generate_upload_url/tax_forms", `{}`), 200)["upload_url"].(string)
	}
	// A reader of unknown length makes the client send chunks.
	chunked := s.send("PUT", upload(), io.MultiReader(strings.NewReader("%PDF")))
	checkS3(t, chunked, 411, "MissingContentLength")
	checkS3(t, s.call("PUT", upload(), make([]byte, 10_001)), 400, "EntityTooLarge")
	// Where no type was declared any header does, curl's default for one.
	checkS3(t, s.call("PUT", upload(), fixtures.TaxForm(1), "Content-Type", "application/x-www-form-urlencoded"), 200, "")
}

func TestContentTypeChecks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		check  sandbox.ContentTypeCheck
		put    int
		status string
		err    any
	}{
		{sandbox.ContentTypeStrict, 403, "WAITING", nil},
		{sandbox.ContentTypeFail, 200, "FAILED", "Content type of image/png does not match declared type of application/pdf"},
		{sandbox.ContentTypeOff, 200, "COMPLETE", nil},
	} {
		t.Run(string(test.check), func(t *testing.T) {
			t.Parallel()
			s := start(t, sandbox.Config{ContentTypeCheck: test.check})
			receipt := s.object(s.sensible("POST", "/generate_upload_url/tax_forms", `{"content_type":"application/pdf"}`), 200)
			put := s.call("PUT", receipt["upload_url"].(string), fixtures.TaxForm(1), "Content-Type", "image/png")
			s.pass(2 * time.Second)
			x := s.object(s.sensible("GET", "/documents/"+receipt["id"].(string), ""), 200)
			if put.status != test.put || x["status"] != test.status || x["error"] != test.err {
				t.Errorf("PUT = %d, then %v %v; want %d, %s %v", put.status, x["status"], x["error"], test.put, test.status, test.err)
			}
		})
	}
}

func TestDownloadURL(t *testing.T) {
	t.Parallel()
	s := start(t, sandbox.Config{PublicURL: "http://sandbox.test:8080/"})
	receipt := s.object(s.sensible("POST", "/generate_upload_url/tax_forms", `{}`), 200)
	public, _ := receipt["upload_url"].(string)
	local := strings.Replace(public, "http://sandbox.test:8080", s.URL, 1)
	if local == public {
		t.Fatalf("upload_url = %s, want one on the public URL", public)
	}
	checkS3(t, s.call("PUT", local, fixtures.TaxForm(1)), 200, "")
	s.pass(2 * time.Second)
	x := s.object(s.sensible("GET", "/documents/"+receipt["id"].(string), ""), 200)
	local = strings.Replace(x["download_url"].(string), "http://sandbox.test:8080", s.URL, 1)
	checkS3(t, s.call("GET", local, nil), 404, "NoSuchKey")
	checkS3(t, s.call("GET", local+"0", nil), 403, "SignatureDoesNotMatch")
}

// TestTaken: it is called for each document that a vendor takes, once, and for none that is
// refused.
func TestTaken(t *testing.T) {
	t.Parallel()
	for _, refuses := range []bool{false, true} {
		cfg := sandbox.Config{}
		if refuses {
			fault, err := sandbox.ParseFault("*:500=1")
			if err != nil {
				t.Fatal(err)
			}
			cfg.Faults = []sandbox.Fault{fault}
		}
		taken := map[string][sha256.Size]byte{}
		cfg.Taken = func(id string, sum [sha256.Size]byte) { taken[id] = sum }
		s := start(t, cfg)
		want := map[string][sha256.Size]byte{}
		if refuses {
			s.typless("POST", "/extract-data-async", `{"file":"JVBERi0=","file_name":"a.pdf"}`)
		} else {
			receipt := s.object(s.sensible("POST", "/generate_upload_url/tax_forms", "{}"), 200)
			for _, document := range [][]byte{fixtures.TaxForm(1), fixtures.TaxForm(2)} { // The second is refused.
				s.call("PUT", receipt["upload_url"].(string), document)
			}
			want[receipt["id"].(string)] = sha256.Sum256(fixtures.TaxForm(1))
			want[s.submitTypless(fixtures.Invoice(1), `,"document_type_name":"invoices"`)] = sha256.Sum256(fixtures.Invoice(1))
		}
		if !maps.Equal(taken, want) {
			t.Errorf("taken %x, want %x", taken, want)
		}
	}
}
