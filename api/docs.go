package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"

	"github.com/swaggest/swgui"
	swagger "github.com/swaggest/swgui/v5emb"

	"github.com/extractq/extractq/store"
)

// registerDocs adds the reference page, which loads nothing from other hosts, and the
// health checks.
func (s *Server) registerDocs(mux *http.ServeMux) {
	page := swagger.NewWithConfig(swgui.Config{Title: "extractq", SwaggerJSON: "/openapi.json", BasePath: "/docs/"})("extractq", "/openapi.json", "/docs/")
	mux.Handle("GET /docs/", framed(page))
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusFound))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := store.CheckPair(r.Context(), s.cfg.Records, s.cfg.Blobs); err != nil {
			writeProblem(w, s.explain(err))
			return
		}
		writeJSON(w, map[string]string{"status": "ok"})
	})
}

// framed sets what the reference may load, which is nothing from other hosts, and forbids
// other sites to frame it. Of inline code only that of the library runs: it is identified
// by its hash.
func framed(page http.Handler) http.Handler {
	scripts, styles := inline(page)
	policy := nothing + "; connect-src 'self'; img-src 'self' data:; font-src 'self' data:; script-src 'self'" + scripts + "; style-src 'self'" + styles
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		page.ServeHTTP(w, r)
	})
}

// inlineCode is an inline script or style.
var inlineCode = regexp.MustCompile(`(?s)<(script|style)>(.*?)</(?:script|style)>`)

// inline returns the hashes of the page's inline scripts and styles, as sources of a
// policy.
func inline(page http.Handler) (scripts, styles string) {
	w := &rendered{header: http.Header{}}
	page.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/docs/"}})
	for _, found := range inlineCode.FindAllSubmatch(w.Bytes(), -1) {
		sum := sha256.Sum256(found[2])
		source := " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		if string(found[1]) == "script" {
			scripts += source
		} else {
			styles += source
		}
	}
	return scripts, styles
}

// rendered is a response that is kept in memory.
type rendered struct {
	bytes.Buffer

	header http.Header
}

func (r *rendered) Header() http.Header { return r.header }
func (r *rendered) WriteHeader(int)     {}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // It fails if the client has gone.
}
