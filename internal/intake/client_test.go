package intake

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/redistest"
	"github.com/extractq/extractq/store"
)

type rig struct {
	*Client
	rdb     *redis.Client
	blobs   *store.Blobs
	dir     string // Of the blobs.
	records *store.Records
}

func newRig(t *testing.T) *rig {
	t.Helper()
	rdb := redistest.Client(t)
	dir := t.TempDir()
	blobs, err := store.OpenBlobs(t.Context(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	kept := store.Kept{Record: 168 * time.Hour, Document: 24 * time.Hour}
	c, err := New(Parts{Redis: rdb, Blobs: blobs, MaxDocument: 1000, Kept: kept})
	if err != nil {
		t.Fatal(err)
	}
	records, err := store.NewRecords(rdb)
	if err != nil {
		t.Fatal(err)
	}
	// As if a worker had come.
	if err := records.SetWindow(t.Context(), "acme", store.Window{Released: 1000, InFlight: 1000}); err != nil {
		t.Fatal(err)
	}
	return &rig{Client: c, rdb: rdb, blobs: blobs, dir: dir, records: records}
}

func submission(body string) Submission {
	return Submission{
		Account: "acme", Provider: "sensible", Type: "tax_forms", Name: "1040.pdf", Document: strings.NewReader(body),
	}
}

func (r *rig) document(t *testing.T, id string) string {
	t.Helper()
	f, err := r.blobs.OpenDocument(t.Context(), id)
	if err != nil {
		t.Fatalf("OpenDocument: %v", err)
	}
	defer func() { _ = f.Close() }()
	body, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestSubmit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	e, err := r.Submit(t.Context(), submission("%PDF-1.7"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Status != extraction.StatusQueued || e.Document.ContentType != "application/pdf" || *e.Document.Bytes != 8 ||
		e.Document.SHA256 == "" || e.Next.Step != extraction.StepSubmit || e.Priority != extraction.PriorityNormal {
		t.Errorf("accepted %+v", e)
	}
	rec, err := r.records.Get(t.Context(), "acme", e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := rec.Extraction(); got.Document.SHA256 != e.Document.SHA256 || got.CreatedAt != e.CreatedAt || got.ID != e.ID {
		t.Errorf("the record says %+v, the answer %+v", got, e)
	}
	if got := r.document(t, e.ID); got != "%PDF-1.7" {
		t.Errorf("stored %q", got)
	}
	task, err := asynq.NewInspectorFromRedisClient(r.rdb).GetTaskInfo("acme.submit", e.ID+":1")
	if err != nil || task.State != asynq.TaskStatePending {
		t.Errorf("task %+v, %v, want it pending", task, err)
	}
}

func TestSubmitURL(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := submission("")
	s.Document, s.URL = nil, "https://files.test/a.pdf?sig=s"
	e, err := r.Submit(t.Context(), s)
	if err != nil || e.Document.Bytes != nil || e.Document.SHA256 != "" || string(e.Document.URL) != s.URL {
		t.Errorf("accepted %+v, %v", e.Document, err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := submission("x")
	if err := good.Validate(); err != nil {
		t.Fatalf("a good submission: %v", err)
	}
	for name, mend := range map[string]func(*Submission){
		"no account":          func(s *Submission) { s.Account = "" },
		"a bad account":       func(s *Submission) { s.Account = "Acme Inc" },
		"a shared queue":      func(s *Submission) { s.Account = "system" },
		"no provider":         func(s *Submission) { s.Provider = "" },
		"no type":             func(s *Submission) { s.Type = "" },
		"type and types":      func(s *Submission) { s.Types = []string{"a"} },
		"nothing to extract":  func(s *Submission) { s.Document = nil },
		"document and URL":    func(s *Submission) { s.URL = "https://x.test" },
		"a long customer":     func(s *Submission) { s.Customer = strings.Repeat("ä", 129) },
		"a customer's tab":    func(s *Submission) { s.Customer = "a\tb" },
		"a broken customer":   func(s *Submission) { s.Customer = "a\xff" },
		"a long batch":        func(s *Submission) { s.Batch = strings.Repeat("b", 129) },
		"a batch's newline":   func(s *Submission) { s.Batch = "a\n" },
		"a broken batch":      func(s *Submission) { s.Batch = "\xc3" },
		"a long name":         func(s *Submission) { s.Name = strings.Repeat("n", maxName+1) },
		"a long type":         func(s *Submission) { s.Type = strings.Repeat("t", maxName+1) },
		"a long media type":   func(s *Submission) { s.ContentType = "a/" + strings.Repeat("b", maxType) },
		"a long URL":          func(s *Submission) { s.Document, s.URL = nil, "https://x.test/"+strings.Repeat("u", maxURL) },
		"a long callback":     func(s *Submission) { s.CallbackURL = "https://x.test/" + strings.Repeat("u", maxURL) },
		"large metadata":      func(s *Submission) { s.Metadata = map[string]string{"k": strings.Repeat("v", maxMetadata)} },
		"large options":       func(s *Submission) { s.Options = map[string]any{"k": strings.Repeat("v", maxOptions)} },
		"options of no form":  func(s *Submission) { s.Options = map[string]any{"k": func() {}} },
		"an unknown priority": func(s *Submission) { s.Priority = "urgent" },
		"an id of a path":     func(s *Submission) { s.ID = "../../etc/passwd" },
		"an id of a word":     func(s *Submission) { s.ID = "invoice-1" },
		"an id in lower case": func(s *Submission) { s.ID = strings.ToLower(store.NewID()) },
	} {
		s := good
		mend(&s)
		if err := s.Validate(); !errors.Is(err, extraction.ErrInvalid) {
			t.Errorf("%s: Validate = %v, want invalid", name, err)
		}
	}
	for name, mend := range map[string]func(*Submission){
		"a portfolio":     func(s *Submission) { s.Type, s.Types = "", []string{"a", "b"} },
		"128 characters":  func(s *Submission) { s.Customer = strings.Repeat("ä", 128) },
		"full metadata":   func(s *Submission) { s.Metadata = map[string]string{"k": strings.Repeat("v", maxMetadata-1)} },
		"bulk":            func(s *Submission) { s.Priority = extraction.PriorityBulk },
		"spaces in batch": func(s *Submission) { s.Batch = "May 2026 / Zürich {1}" },
		"an id":           func(s *Submission) { s.ID = store.NewID() },
	} {
		s := good
		mend(&s)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: Validate = %v", name, err)
		}
	}
}

// What is refused leaves neither a record nor a document nor a task.
func TestSubmitRefused(t *testing.T) {
	t.Parallel()
	reset := errors.New("reset")
	for name, tt := range map[string]struct {
		s    Submission
		want error
	}{
		"empty":     {submission(""), ErrEmpty},
		"too large": {submission(strings.Repeat("x", 1001)), store.ErrTooLarge},
		"invalid":   {Submission{}, extraction.ErrInvalid},
		"broken": {func() Submission {
			s := submission("")
			s.Document = io.MultiReader(strings.NewReader("x"), failing{reset})
			return s
		}(), reset},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tt.s.ID = store.NewID()
			if name == "invalid" {
				tt.s.ID = ""
			}
			if _, err := r.Submit(t.Context(), tt.s); !errors.Is(err, tt.want) {
				t.Errorf("Submit = %v, want %v", err, tt.want)
			}
			if keys := r.rdb.Keys(t.Context(), "*").Val(); len(keys) > 1 { // The window.
				t.Errorf("left %v", keys)
			}
			if _, err := r.blobs.OpenDocument(t.Context(), tt.s.ID); tt.s.ID != "" && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("left a document: %v", err)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A repeated id is refused, and the first one's document stays as it was:
// whatever comes with the second.
func TestSubmitSameID(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]string{
		"same bytes": "the first", "other bytes": "something else", "no bytes": "", "too many bytes": strings.Repeat("x", 1001),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			s := submission("the first")
			s.ID = store.NewID()
			if _, err := r.Submit(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			s.Document = strings.NewReader(second)
			if _, err := r.Submit(t.Context(), s); !errors.Is(err, store.ErrExists) {
				t.Errorf("Submit again = %v, want %v", err, store.ErrExists)
			}
			if got := r.document(t, s.ID); got != "the first" {
				t.Errorf("the first document is now %q", got)
			}
			if n := r.rdb.LLen(t.Context(), "asynq:{acme.submit}:pending").Val(); n != 1 {
				t.Errorf("%d tasks, want 1", n)
			}
		})
	}
}

// A task that cannot be enqueued does not take the acceptance back: the record
// says what is due, and reconcile makes the task.
func TestSubmitWithoutQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	// A key of another type where asynq wants its list.
	if err := r.rdb.Set(t.Context(), "asynq:{acme.submit}:pending", "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	e, err := r.Submit(t.Context(), submission("x"))
	if err != nil {
		t.Fatalf("Submit = %v, want it accepted", err)
	}
	if rec, err := r.records.Get(t.Context(), "acme", e.ID); err != nil || rec.Step != extraction.StepSubmit {
		t.Errorf("the record is %+v, %v", rec, err)
	}
}

func TestSubmitWithoutRedis(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := submission("")
	s.Document = io.MultiReader(strings.NewReader("x"), readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF }))
	if _, err := r.Submit(ctx, s); err == nil {
		t.Error("accepted without a record")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestSniff(t *testing.T) {
	t.Parallel()
	var office bytes.Buffer
	w := zip.NewWriter(&office)
	if _, err := w.Create("word/document.xml"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	for _, tt := range []struct{ name, given, body, want string }{
		{"a.pdf", "", "%PDF-1.7", "application/pdf"},
		{"a.jpg", "", "%PDF-1.7", "application/pdf"}, // The bytes are sure, the name is not.
		{"noname", "", "%PDF-1.7", "application/pdf"},
		{"a.pdf", "image/png", "%PDF-1.7", "image/png"}, // The producer knows.
		{"a.pdf", "application/octet-stream", "%PDF-1.7", "application/pdf"},
		{"a.png", "", "\x89PNG\r\n\x1a\n", "image/png"},
		{"a.jpeg", "", "\xff\xd8\xff\xe0", "image/jpeg"},
		{"a.TIFF", "", "II*\x00", "image/tiff"},
		{"noname", "", "II*\x00\x08", "image/tiff"},
		{"noname", "", "MM\x00*\x00", "image/tiff"},
		{"a.docx", "", office.String(), docx},
		{"a", "", office.String(), "application/zip"},
		{"a.csv", "", "a,b\n1,2\n", "text/csv"},
		{"a", "", "a,b\n1,2\n", "text/plain"},
		{"a.unknown-extension", "", "\x00\x01\x02", "application/octet-stream"},
	} {
		r := newRig(t)
		s := submission(tt.body)
		s.Name, s.ContentType = tt.name, tt.given
		e, err := r.Submit(t.Context(), s)
		if err != nil || e.Document.ContentType != tt.want {
			t.Errorf("%s given as %q: %q, %v, want %q", tt.name, tt.given, e.Document.ContentType, err, tt.want)
		}
	}
}
