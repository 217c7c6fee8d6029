package typless

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"regexp"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/fields"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

// poll is the answer to a poll. It has all three members in every state.
type poll struct {
	Error  any    `json:"error"`
	Result any    `json:"result"`
	Status string `json:"status"`
}

// result answers a poll.
func (a *api) result(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("extraction_id")
	if id == "" {
		failValidation(w, invalid{Loc: []string{"query", "extraction_id"}, Msg: "field required", Type: "value_error.missing"})
		return
	}
	x, ok := a.Engine.Get(id)
	if !ok || x.Meta.Sync {
		fail(w, http.StatusNotFound, "not_found", "Extraction not found.")
		return
	}
	empty := struct{}{}
	answer := poll{Error: empty, Result: empty}
	switch x.State {
	case engine.Waiting, engine.Processing:
		answer.Status = "IN_PROGRESS"
	case engine.Done:
		answer.Status = "SUCCESS"
		answer.Result = a.found(x)
	case engine.Failed:
		answer.Status = "ERROR"
		answer.Error = failure{Code: "file_error", Message: x.Failure, Details: map[string]any{}}
	case engine.Expired:
		answer.Status = "EXPIRED"
	}
	if a.DropFetched && (x.State == engine.Done || x.State == engine.Failed) {
		a.Engine.Hide(id)
	}
	httpkit.JSON(w, http.StatusOK, answer)
}

// awaiting lists what has ended and can be fetched. A customer without
// submissions has an empty list, which is not an error.
func (a *api) awaiting(w http.ResponseWriter, r *http.Request) {
	customer := r.URL.Query().Get("customer")
	ids := a.Engine.Finished(func(m Meta) bool {
		return !m.Sync && (customer == "" || m.Customer == customer)
	})
	httpkit.JSON(w, http.StatusOK, map[string][]string{"extraction_ids": ids})
}

// found is what was found in a document.
type found struct {
	Customer  *string `json:"customer"`
	Fields    []field `json:"extracted_fields"`
	FileName  string  `json:"file_name"`
	LineItems []any   `json:"line_items"`
	ObjectID  string  `json:"object_id"`
	VATRates  []any   `json:"vat_rates"`
}

type field struct {
	Name     string  `json:"name"`
	DataType string  `json:"data_type"`
	Values   []value `json:"values"`
}

// value is one reading, best first. Where it stands on its page is never said:
// the sandbox reads text, not places, and -1 is Typless's word for that.
type value struct {
	Value      string  `json:"value"`
	Confidence float64 `json:"confidence_score"`
	Page       int     `json:"page_number"`
	X          int     `json:"x"`
	Y          int     `json:"y"`
	Width      int     `json:"width"`
	Height     int     `json:"height"`
}

func (a *api) found(x engine.Extraction[Meta]) found {
	f := found{Fields: []field{}, FileName: x.Meta.FileName, LineItems: []any{}, ObjectID: x.ID, VATRates: []any{}}
	if x.Meta.Customer != "" {
		f.Customer = &x.Meta.Customer
	}
	for _, one := range a.Rules.Of(x.Meta.Type, x.Document, 0, len(x.Document.Pages)) {
		f.Fields = append(f.Fields, newField(one))
	}
	return f
}

func newField(f fields.Field) field {
	out := field{Name: f.Name, DataType: "STRING", Values: []value{}}
	add := func(text string, page int) {
		out.Values = append(out.Values, value{
			Value: text, Confidence: confidence(f.Name, text, len(out.Values)),
			Page: page, X: -1, Y: -1, Width: -1, Height: -1,
		})
	}
	switch v := f.Form.(type) {
	case nil:
		for _, r := range f.Readings {
			add(r.Text, r.Page)
		}
	case []string:
		for _, s := range v {
			add(s, -1)
		}
	default:
		add(fmt.Sprint(v), -1)
	}
	if len(out.Values) > 0 {
		out.DataType = dataType(out.Values[0].Value)
	}
	return out
}

var (
	number = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
	isoDay = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
)

func dataType(s string) string {
	switch {
	case number.MatchString(s):
		return "NUMBER"
	case isoDay.MatchString(s):
		return "DATE"
	}
	return "STRING"
}

// confidence is made up, the same in every run, and falls with the rank.
func confidence(name, text string, rank int) float64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name + "\x00" + text))
	return float64(900+h.Sum32()%100-uint32(min(rank, 4)*150)) / 1000
}
