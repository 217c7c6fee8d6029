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
	mux.Handle("GET /docs/", page)
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

// writeJSON answers with a value.
func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // Nobody reads any more where this fails.
	return nil
}
