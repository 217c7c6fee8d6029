package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
)

// What a client encodes is what the API decodes.
func TestListTravelsAsQuery(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	var got protocol.List
	s := &Server{}
	described := humago.New(mux, s.humaConfig())
	huma.Register(described, huma.Operation{Method: http.MethodGet, Path: "/list"},
		func(_ context.Context, in *protocol.List) (*struct{}, error) {
			got = *in
			return nil, nil
		})
	s.describe(described)
	at := extraction.Time{Time: time.Date(2026, 5, 17, 8, 0, 0, 123456789, time.UTC)}
	for _, want := range []protocol.List{
		{Limit: 50},
		{Limit: 7, Cursor: "c", Filter: extraction.Filter{
			Status: []extraction.Status{"SUCCESS", "ERROR"}, Account: []string{"a,b", "c"}, Customer: "ä&=", Batch: "b c",
			Type: "t", Error: "no code of ours", Since: at, Until: extraction.Time{Time: at.Add(time.Hour)},
		}},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/list?"+want.Values().Encode(), nil))
		if w.Code != http.StatusNoContent {
			t.Fatalf("%s: %d %s", want.Values().Encode(), w.Code, w.Body)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("the query arrives as another one (-sent +got):\n%s", diff)
		}
	}
}
