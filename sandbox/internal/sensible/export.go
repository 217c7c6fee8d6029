package sensible

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/extractq/extractq/sandbox/internal/engine"
	"github.com/extractq/extractq/sandbox/internal/httpkit"
	"github.com/extractq/extractq/sandbox/internal/xlsx"
)

// export answers with where a table of extractions can be downloaded.
// https://docs.sensible.so/reference/get-excel-extraction
func (a *api) export(extension string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.authorized(w, r) {
			return
		}
		ids := r.PathValue("ids")
		for id := range strings.SplitSeq(ids, ",") {
			x, ok := a.Engine.Get(id)
			if !ok || !visible(x) {
				a.notFound(w, r)
				return
			}
			if x.State != engine.Done {
				httpkit.Text(w, http.StatusBadRequest, "Extraction is not complete")
				return
			}
		}
		path := downloadPrefix + "EXPORT/" + account + "/" + ids + extension
		httpkit.JSON(w, http.StatusOK, map[string]string{
			"url": httpkit.BaseURL(a.PublicURL, r) + path + "?" + a.sign("GET", path, a.Engine.Now(), downloadTTL, "GetObject"),
		})
	}
}

// exported answers with the table. name is what export made of the ids.
func (a *api) exported(w http.ResponseWriter, name string) {
	ids, isExcel := strings.CutSuffix(name, ".xlsx")
	table, ok := a.table(strings.Split(strings.TrimSuffix(ids, ".csv"), ","))
	if !ok {
		s3Fail(w, http.StatusNotFound, noSuchKey())
		return
	}
	if isExcel {
		w.Header().Set("Content-Type", xlsx.ContentType)
		_ = xlsx.Write(w, "extractions", table) // the client may be gone
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	_ = csv.NewWriter(w).WriteAll(table)
}

// table has a row for each document, with the fields of all as columns. It is not
// there once an extraction was forgotten.
func (a *api) table(ids []string) ([][]string, bool) {
	type row struct {
		head   []string
		fields map[string]any
	}
	var rows []row
	columns := map[string]bool{}
	add := func(x engine.Extraction[Meta], docType string, fields map[string]any) {
		rows = append(rows, row{[]string{x.ID, x.Meta.DocumentName, docType}, fields})
		for name := range fields {
			columns[name] = true
		}
	}
	for _, id := range ids {
		x, ok := a.Engine.Get(id)
		if !ok || x.Document == nil {
			return nil, false
		}
		if x.Meta.Types == nil {
			parsed, _ := a.parse(x, x.Meta.Type, 0, len(x.Document.Pages))
			add(x, x.Meta.Type, parsed)
			continue
		}
		for _, p := range a.split(x.Meta.Types, x.Document.Pages) {
			parsed, _ := a.parse(x, p.docType, p.first, p.last)
			add(x, p.docType, parsed)
		}
	}
	names := slices.Sorted(maps.Keys(columns))
	table := [][]string{append([]string{"id", "document_name", "document_type"}, names...)}
	for _, r := range rows {
		line := r.head
		for _, name := range names {
			line = append(line, cell(r.fields[name]))
		}
		table = append(table, line)
	}
	return table, true
}

// cell is a field of parsed_document as text.
func cell(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return fmt.Sprint(v["value"])
	case []any:
		var all []string
		for _, one := range v {
			all = append(all, cell(one))
		}
		return strings.Join(all, ", ")
	}
	return ""
}
