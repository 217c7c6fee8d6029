package sandbox_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

// needs skips a test whose program is not installed; in CI it is.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: apt-get install it", program)
	}
	t.Skipf("%s is not installed", program)
}

// taxForm is a file of one, and a URL where there is one.
func taxForm(t *testing.T) (path, url string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "1040.pdf")
	if err := os.WriteFile(path, fixtures.TaxForm(1), 0o600); err != nil {
		t.Fatal(err)
	}
	documents := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(path))))
	t.Cleanup(documents.Close)
	return path, documents.URL + "/1040.pdf"
}

// curl runs the real program as a reader of a tutorial would.
func curl(t *testing.T, args ...string) map[string]any {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "curl", append([]string{"--silent", "--show-error", "--fail"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("curl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	v := map[string]any{}
	if len(out) > 0 {
		if err := json.Unmarshal(out, &v); err != nil {
			t.Fatalf("curl %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	return v
}

func TestSensibleTutorialsWithCurl(t *testing.T) {
	t.Parallel()
	needs(t, "curl")
	s := start(t, sandbox.Config{})
	file, url := taxForm(t)
	key := []string{"--header", "Authorization: Bearer YOUR_API_KEY"}
	post := func(path, body string) map[string]any {
		return curl(t, append(key, "--request", "POST", s.URL+"/sensible/v0"+path, "--header", "Content-Type: application/json", "--data-raw", body)...)
	}
	wait := func(id any) map[string]any {
		for t.Context().Err() == nil {
			s.pass(2 * time.Second)
			x := curl(t, append(key, "--request", "GET", s.URL+"/sensible/v0/documents/"+id.(string))...)
			if x["status"] == "COMPLETE" || x["status"] == "FAILED" {
				return x
			}
		}
		return nil
	}
	receipt := post("/generate_upload_url/tax_forms", `{"content_type":"application/pdf"}`)
	curl(t, "--request", "PUT", receipt["upload_url"].(string), "--header", "Content-Type: application/pdf", "--data-binary", "@"+file)
	if x := wait(receipt["id"]); x["status"] != "COMPLETE" {
		t.Errorf("uploaded: status = %v, want COMPLETE", x["status"])
	}
	receipt = post("/extract_from_url/tax_forms", `{"document_url":"`+url+`"}`)
	if x := wait(receipt["id"]); x["status"] != "COMPLETE" {
		t.Errorf("from a URL: status = %v, want COMPLETE", x["status"])
	}
	// The trailing slash is the tutorial's.
	receipt = post("/extract_from_url/", `{"types":["tax_forms","invoices"],"document_url":"`+url+`"}`)
	if x := wait(receipt["id"]); x["status"] != "COMPLETE" || x["documents"] == nil {
		t.Errorf("portfolio = %v, want COMPLETE with documents", x)
	}
}

func TestTyplessTutorialWithCurl(t *testing.T) {
	t.Parallel()
	needs(t, "curl")
	s := start(t, sandbox.Config{})
	headers := []string{"--header", "Accept: application/json", "--header", "Authorization: Token YOUR_API_KEY"}
	submitted := curl(t, append(headers, "--request", "POST", "--url", s.URL+"/typless/api/extract-data-async",
		"--header", "Content-Type: application/json",
		"--data", `{"file":"`+base64.StdEncoding.EncodeToString(fixtures.Invoice(1))+`","file_name":"invoice.pdf","document_type_name":"invoices"}`)...)
	id := submitted["extraction_id"].(string)
	s.pass(2 * time.Second)
	poll := curl(t, append(headers, "--request", "GET", "--url", s.URL+"/typless/api/get-extraction-data?extraction_id="+id)...)
	if poll["status"] != "SUCCESS" {
		t.Errorf("status = %v, want SUCCESS", poll["status"])
	}
	list := curl(t, append(headers, "--request", "GET", "--url", s.URL+"/typless/api/awaiting-poll")...)
	if ids, _ := list["extraction_ids"].([]any); !slices.Contains(ids, any(id)) {
		t.Errorf("awaiting-poll = %v, want %s in it", ids, id)
	}
}

// TestJavaScriptClient makes the requests of Sensible's JavaScript SDK, from Node:
// extractions of a file, a URL and a portfolio, a webhook, a classification and an
// Excel file.
func TestJavaScriptClient(t *testing.T) {
	t.Parallel()
	needs(t, "node")
	hook := newReceiver(t)
	rules, err := sandbox.ParseRules(map[string]map[string]string{"tax_forms": fixtures.TaxFormRules(), "invoices": fixtures.InvoiceRules()})
	if err != nil {
		t.Fatal(err)
	}
	// The client waits in real time.
	box := sandbox.New(sandbox.Config{ProcessingTime: sandbox.Fixed(200 * time.Millisecond), Rules: rules})
	server := httptest.NewServer(box.Handler())
	t.Cleanup(func() { server.Close(); box.Close() })
	file, url := taxForm(t)

	cmd := exec.CommandContext(t.Context(), "node", "testdata/sensible_client.mjs", server.URL+"/sensible/v0", "KEY", file, url, hook.URL)
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			stderr = string(e.Stderr)
		}
		t.Fatalf("node: %v: %s", err, stderr)
	}
	var got struct {
		Extractions    []map[string]any
		Classification map[string]any
		Workbook       []byte
		Refused        string
	}
	if err := json.Unmarshal(out, &got); err != nil || len(got.Extractions) != 3 {
		t.Fatalf("client printed %s, %v, want three extractions", out, err)
	}

	fields := map[string]any{}
	for name, value := range fixtures.TaxFormFields(1) {
		fields[name] = map[string]any{"type": "string", "value": value}
	}
	for i, x := range got.Extractions[:2] {
		if diff := cmp.Diff(fields, x["parsed_document"]); diff != "" || x["status"] != "COMPLETE" {
			t.Errorf("extraction %d is %v (-want +got):\n%s", i, x["status"], diff)
		}
	}
	if x := got.Extractions[0]; x["document_name"] != "a b.pdf" || x["environment"] != "development" || x["configuration"] != "1040" {
		t.Errorf("extraction = %v, want the name, environment and configuration that were asked for", x)
	}
	if x := got.Extractions[2]; x["parsed_document"] != nil || len(x["documents"].([]any)) != 1 {
		t.Errorf("portfolio = %v, want one document", x)
	}
	if called := hook.next(); called["id"] != got.Extractions[0]["id"] || called["status"] != "COMPLETE" {
		t.Errorf("webhook = %v, want that of the first extraction", called)
	}
	kind, _ := got.Classification["document_type"].(map[string]any)
	if kind["name"] != "tax_forms" || kind["score"] != 1.0 {
		t.Errorf("classification = %v, want tax_forms", got.Classification)
	}
	if got.Refused != "401 Unauthorized" {
		t.Errorf("without a key: %s, want 401 Unauthorized", got.Refused)
	}
	ssn := fixtures.TaxFormFields(1)["ssn"]
	checkWorkbook(t, got.Workbook, []string{"a b.pdf", "tax_forms", ssn}, []string{"", "tax_forms", ssn})
}

// checkWorkbook compares the first columns of an Excel file, but for the ids.
func checkWorkbook(t *testing.T, raw []byte, rows ...[]string) {
	t.Helper()
	book, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatalf("workbook: %v", err)
	}
	file, err := book.Open("xl/worksheets/sheet1.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var sheet struct {
		Rows []struct {
			Cells []string `xml:"c>is>t"`
		} `xml:"sheetData>row"`
	}
	if err := xml.NewDecoder(file).Decode(&sheet); err != nil {
		t.Fatalf("sheet: %v", err)
	}
	want := append([][]string{{"document_name", "document_type", "ssn"}}, rows...)
	var got [][]string
	for _, row := range sheet.Rows {
		got = append(got, row.Cells[1:4])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sheet (-want +got):\n%s", diff)
	}
}
