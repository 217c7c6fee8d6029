package sensible

import (
	"net/http"

	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

// problems collects what is wrong with the path, the query and the body of one
// request. Sensible names all of it at once, and only to callers with a key.
type problems []problem

type problem struct {
	In      string `json:"in"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

func (p *problems) add(in, path, message string) {
	*p = append(*p, problem{In: in, Path: path, Message: message})
}

// write answers with Sensible's JSON form of a 400; nothing if there are no
// problems.
func (p problems) write(w http.ResponseWriter, r *http.Request) bool {
	if len(p) == 0 {
		return false
	}
	httpkit.JSON(w, http.StatusBadRequest, map[string]any{
		"message": "Request validation failed: " + p[0].Path + " " + p[0].Message,
		"errors":  p,
		"context": map[string]string{"method": r.Method},
	})
	return true
}
