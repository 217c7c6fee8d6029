package dashboard

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
)

// root is where the asynq web UI is.
const root = "/queues"

// maxPage is the longest list that is answered, and the longest that the UI can
// ask for: a queue of 100,000 tasks in one answer would take the memory of all.
const maxPage = 100

// queues is the asynq web UI at root.
type queues struct {
	ui http.Handler
	// page is the UI's one page, with nonceMark where the nonce belongs.
	page string
}

// connection gives asynqmon a client that exists. It would close the client at
// its own Close, which is not called.
type connection struct{ redis.UniversalClient }

// MakeRedisClient makes connection an asynq.RedisConnOpt.
func (c connection) MakeRedisClient() any { return c.UniversalClient }

// newQueues mounts the UI, for viewers or for operators.
func newQueues(rdb redis.UniversalClient, readOnly bool) (http.Handler, error) {
	ui := asynqmon.New(asynqmon.Options{
		RootPath:         root,
		RedisConnOpt:     connection{rdb},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(formatPayload),
		ResultFormatter:  asynqmon.ResultFormatterFunc(formatResult),
		ReadOnly:         readOnly,
	})
	q := &queues{ui: ui}
	var err error
	if q.page, err = rewrite(render(ui)); err != nil {
		return nil, fmt.Errorf("asynq web UI: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(root+"/api/", q.api)
	mux.HandleFunc(root+"/static/", q.asset)
	for _, icon := range []string{"favicon.ico", "favicon-16x16.png", "favicon-32x32.png", "apple-touch-icon.png"} {
		mux.HandleFunc(root+"/"+icon, q.asset)
	}
	// It would ask a Prometheus, and there is none.
	mux.Handle(root+"/api/metrics", http.NotFoundHandler())
	// Every other path is a page, which the script on it tells apart.
	mux.HandleFunc(root, q.index)
	mux.HandleFunc(root+"/", q.index)
	return mux, nil
}

// api answers the UI's own calls.
func (q *queues) api(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	if n, err := strconv.Atoi(values.Get("size")); err == nil && n > maxPage {
		values.Set("size", strconv.Itoa(maxPage))
		u := *r.URL
		u.RawQuery = values.Encode()
		r = r.Clone(r.Context())
		r.URL = &u
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8") // An error sets its own.
	q.ui.ServeHTTP(w, r)
}

// asset answers with one of the UI's files, whose names change with their
// content.
func (q *queues) asset(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, root+"/static/") {
		w.Header().Set("Cache-Control", "private, max-age=86400")
	}
	if strings.HasSuffix(r.URL.Path, ".svg") { // It would be sent as text.
		w = typed{w, "image/svg+xml"}
	}
	q.ui.ServeHTTP(w, r)
}

// typed is a response whose media type is known better.
type typed struct {
	http.ResponseWriter

	media string
}

func (t typed) Write(b []byte) (int, error) {
	t.Header().Set("Content-Type", t.media)
	return t.ResponseWriter.Write(b)
}

// index answers with the page, whose scripts and styles run by a nonce that no
// other answer has.
func (q *queues) index(w http.ResponseWriter, r *http.Request) {
	if changes(r) {
		http.Error(w, "this is a page", http.StatusMethodNotAllowed)
		return
	}
	nonce := rand.Text()
	w.Header().Set("Content-Security-Policy", policy(nonce))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, strings.ReplaceAll(q.page, nonceMark, nonce))
}

// policy is the Content-Security-Policy: nothing from another host ever, and
// without a nonce nothing at all.
func policy(nonce string) string {
	always := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if nonce == "" {
		return always
	}
	return always + "; connect-src 'self'; img-src 'self' data:; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce + "'"
}

// nonceMark stands in the page where its nonce belongs.
const nonceMark = "{extractq-nonce}"

// What the page has of other hosts, two fonts, and a manifest that browsers fetch
// without the password.
var (
	foreignLink = regexp.MustCompile(`<link [^>]*(href="(https?:)?//|rel="manifest")[^>]*>`)
	tagWithCode = regexp.MustCompile(`<(script|style)\b`)
)

// rewrite makes the page run without any other host, and its inline code by
// nonce. It fails for a page that is not built as expected, rather than showing
// one that the browser would refuse.
func rewrite(page string) (string, error) {
	page = foreignLink.ReplaceAllString(page, "")
	page = tagWithCode.ReplaceAllString(page, `<$1 nonce="`+nonceMark+`"`)
	// The style library asks for the nonce in this element.
	head, rest, ok := strings.Cut(page, "<head>")
	page = head + `<head><meta property="csp-nonce" content="` + nonceMark + `"/>` + rest
	if !ok || !strings.Contains(page, root[1:]+`"`) || strings.Contains(page, "://") {
		return "", errors.New("its page is not the known one")
	}
	return page, nil
}

// render is what the UI would answer for its page.
func render(ui http.Handler) string {
	w := &buffer{header: http.Header{}}
	ui.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: root + "/"}})
	return w.String()
}

// buffer is a response that is kept.
type buffer struct {
	bytes.Buffer

	header http.Header
}

func (b *buffer) Header() http.Header { return b.header }
func (b *buffer) WriteHeader(int)     {}
