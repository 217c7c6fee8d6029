package sensible

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

// maxClassified bounds a document that is to be classified.
const maxClassified = 4_500_000

// unclassified is the type of a document that came without one.
const unclassified = "document"

// classify takes a document and says where its type will be found.
// https://docs.sensible.so/reference/classify-document
func (a *api) classify(w http.ResponseWriter, r *http.Request) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Header.Get("Content-Type") == "":
		httpkit.Text(w, http.StatusBadRequest, "Must provide the Content-Type header")
		return
	case err != nil || !slices.Contains(documentTypes(), kind):
		httpkit.Text(w, http.StatusUnsupportedMediaType, "Content-Type must be "+strings.Join(documentTypes(), ", "))
		return
	case !a.authorized(w, r):
		return
	}
	body, release, err := a.Bodies.Read(w, r, maxClassified, 1)
	switch {
	case errors.Is(err, httpkit.ErrTooLarge):
		httpkit.Text(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	case err != nil:
		httpkit.Text(w, http.StatusBadRequest, "Invalid body")
		return
	}
	defer release()
	// The documentation and the vendor's own notes differ on the name.
	types := append(commas(r.URL.Query(), "document_types"), commas(r.URL.Query(), "doctype")...)
	x := a.Engine.Open(uuid.NewString(), Meta{Types: types, ContentType: kind, Classify: true})
	_ = a.Engine.Receive(r.Context(), x.ID, body, kind) // the id is new: nothing can be there already
	path := downloadPrefix + "CLASSIFICATION/" + account + "/" + x.ID
	httpkit.JSON(w, http.StatusOK, map[string]string{
		"id": x.ID, "content_type": kind,
		"download_link": httpkit.BaseURL(a.PublicURL, r) + path + "?" + a.sign("GET", path, a.Engine.Now(), downloadTTL, "GetObject"),
	})
}

// classification is what is found at a download_link. The two lists are
// deprecated at Sensible and always empty here.
type classification struct {
	DocumentType       classifiedType `json:"document_type"`
	ReferenceDocuments []any          `json:"reference_documents"`
	Summary            []any          `json:"classification_summary"`
}

type classifiedType struct {
	ID    string  `json:"id"`
	Name  string  `json:"name"`
	Score float64 `json:"score"`
}

// classified answers at a download_link: like a missing object of a bucket until
// the document is classified.
func (a *api) classified(w http.ResponseWriter, id string) {
	x, ok := a.Engine.Get(id)
	switch {
	case ok && x.State == engine.Failed:
		httpkit.Text(w, http.StatusBadRequest, x.Failure)
	case ok && x.State == engine.Done:
		httpkit.JSON(w, http.StatusOK, classification{
			DocumentType: a.typeOf(x), ReferenceDocuments: []any{}, Summary: []any{},
		})
	default:
		s3Fail(w, http.StatusNotFound, noSuchKey())
	}
}

// typeOf is the type whose rules find the largest share of their fields in x; the
// first where no rule finds anything.
func (a *api) typeOf(x engine.Extraction[Meta]) classifiedType {
	types := x.Meta.Types
	if len(types) == 0 {
		types = a.Rules.Types()
	}
	if len(types) == 0 {
		types = []string{unclassified}
	}
	best := classifiedType{Name: types[0]}
	for _, t := range types {
		found := map[string]bool{}
		for _, page := range x.Document.Pages {
			for name := range a.Rules.On(t, page) {
				found[name] = true
			}
		}
		if n := len(a.Rules[t]); n > 0 && float64(len(found))/float64(n) > best.Score {
			best = classifiedType{Name: t, Score: float64(len(found)) / float64(n)}
		}
	}
	best.ID = typeID(best.Name)
	return best
}
