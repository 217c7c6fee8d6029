package api

import (
	"encoding/json"
	"net/http"

	"github.com/swaggest/swgui"
	swagger "github.com/swaggest/swgui/v5emb"

	"github.com/extractq/extractq/store"
)

// registerDocs adds the reference page, which works without any other host, and
// what tells a supervisor that the process lives and can serve.
func (s *Server) registerDocs(mux *http.ServeMux) {
	page := swagger.NewWithConfig(swgui.Config{Title: "extractq", SwaggerJSON: "/openapi.json", BasePath: "/docs/"})("extractq", "/openapi.json", "/docs/")
	mux.Handle("GET /docs/", framed(page))
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusFound))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _ = writeJSON(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := store.CheckPair(r.Context(), s.cfg.Records, s.cfg.Blobs); err != nil {
			writeProblem(w, s.explain(err))
			return
		}
		_ = writeJSON(w, map[string]string{"status": "ok"})
	})
}

// framed says what the reference may load, which is nothing from another host, and that
// no other site may show it within its own page. Its inline parts are the library's.
func framed(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "+
			"connect-src 'self'; img-src 'self' data:; font-src 'self' data:; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'")
		page.ServeHTTP(w, r)
	})
}

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // Nobody reads any more where this fails.
	return nil
}
