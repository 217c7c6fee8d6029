package sensible

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
)

const (
	defaultPage = 20
	// maxPage is our guess; Sensible documents no largest limit.
	maxPage = 1000
)

// query is what narrows a list. The filters on coverage, configurations and
// reviews that Sensible has as well are not read.
type query struct {
	start, end   time.Time
	statuses     []string
	environments []string
	types        []string
	limit        int
	after        *engine.Cursor
}

// token is what Sensible's continuation tokens hold.
type token struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	Created time.Time `json:"created"`
}

// list answers GET /extractions: summaries, newest first.
// https://docs.sensible.so/reference/list-extractions
func (a *api) list(w http.ResponseWriter, r *http.Request) {
	var found problems
	q := parseQuery(&found, r.URL.Query())
	if !a.authorized(w, r) || found.write(w, r) {
		return
	}
	if !q.start.IsZero() && !q.end.IsZero() && q.start.After(q.end) {
		httpkit.Text(w, http.StatusBadRequest, "The start date must be before the end date")
		return
	}
	page, more := a.Engine.Newest(q.after, q.start, q.limit, q.match)
	answer := struct {
		Extractions []extraction `json:"extractions"`
		Token       *string      `json:"continuation_token"`
		Last        string       `json:"last_evaluated_creation_date,omitempty"`
	}{Extractions: []extraction{}}
	for _, x := range page {
		answer.Extractions = append(answer.Extractions, a.listed(x))
	}
	if len(page) > 0 {
		last := page[len(page)-1]
		answer.Last = timestamp(last.Created)
		if more {
			s := encodeToken(last)
			answer.Token = &s
		}
	}
	httpkit.JSON(w, http.StatusOK, answer)
}

// listed is x's entry in a list: what was found in the document is left out.
func (a *api) listed(x engine.Extraction[Meta]) extraction {
	s := summary(x)
	s.Uploaded, s.ProcessingStarted = "", ""
	if x.Document == nil {
		return s
	}
	full := s
	if x.Meta.Types == nil {
		a.single(&full, x)
		s.Configuration, s.ConfigVersion = full.Configuration, full.ConfigVersion
		s.Validations = full.Validations
	} else {
		a.portfolio(&full, x)
		s.ReviewStatuses = full.ReviewStatuses
		for _, d := range full.Documents {
			d.ConfigVersion = ""
			d.Output = &output{Errors: []any{}, Validations: []any{}}
			s.Documents = append(s.Documents, d)
		}
	}
	s.ValidationSummary, s.Coverage, s.Charged = full.ValidationSummary, full.Coverage, full.Charged
	return s
}

func (q query) match(x engine.Extraction[Meta]) bool {
	if !visible(x) || !q.end.IsZero() && x.Created.After(q.end) {
		return false
	}
	if len(q.statuses) > 0 && !slices.Contains(q.statuses, status(x.State)) {
		return false
	}
	if len(q.environments) > 0 && !slices.Contains(q.environments, x.Meta.Environment) {
		return false
	}
	if len(q.types) == 0 {
		return true
	}
	own := append([]string{x.Meta.Type}, x.Meta.Types...)
	return slices.ContainsFunc(own, func(t string) bool { return t != "" && slices.Contains(q.types, typeID(t)) })
}

func parseQuery(found *problems, v url.Values) query {
	q := query{
		limit: defaultPage, environments: commas(v, "environments"), types: commas(v, "document_type_ids"),
		start: date(found, v, "start_date"), end: date(found, v, "end_date"),
	}
	for i, e := range q.environments {
		q.environments[i] = strings.ToLower(e) // older documentation has capitals
	}
	for _, s := range commas(v, "statuses") {
		if !slices.Contains([]string{"WAITING", "PROCESSING", "COMPLETE", "FAILED"}, s) {
			found.add("query", "statuses", "must be WAITING, PROCESSING, COMPLETE or FAILED")
		}
		q.statuses = append(q.statuses, s)
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPage {
			found.add("query", "limit", "must be between 1 and 1000")
		}
		q.limit = n
	}
	if s := v.Get("continuation_token"); s != "" {
		after, err := decodeToken(s)
		if err != nil {
			found.add("query", "continuation_token", "is malformed")
		}
		q.after = after
	}
	return q
}

// commas reads a list, joined by commas or repeated.
func commas(v url.Values, name string) []string {
	var list []string
	for _, s := range v[name] {
		for one := range strings.SplitSeq(s, ",") {
			if one = strings.TrimSpace(one); one != "" {
				list = append(list, one)
			}
		}
	}
	return list
}

func date(found *problems, v url.Values, name string) time.Time {
	s := v.Get(name)
	if s == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	found.add("query", name, "must be an ISO 8601 date")
	return time.Time{}
}

func encodeToken(x engine.Extraction[Meta]) string {
	raw, _ := json.Marshal(token{ID: x.ID, User: account, Created: x.Created.UTC()})
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodeToken(s string) (*engine.Cursor, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, err
	}
	var t token
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, err
	}
	if t.ID == "" {
		return nil, errors.New("token without id")
	}
	return &engine.Cursor{ID: t.ID, Created: t.Created}, nil
}
