package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// shape checks a JSON value against what is documented and returns what is
// wrong with it, each with the path of the member.
type shape func(path string, v any) []string

// object wants exactly these members.
func object(members map[string]shape) shape {
	return func(path string, v any) []string {
		m, ok := v.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %T is no object", path, v)}
		}
		var wrong []string
		for _, name := range slices.Sorted(maps.Keys(members)) {
			member, ok := m[name]
			if !ok {
				wrong = append(wrong, path+"."+name+": is missing")
				continue
			}
			wrong = append(wrong, members[name](path+"."+name, member)...)
		}
		for name := range m {
			if members[name] == nil {
				wrong = append(wrong, path+"."+name+": is not documented")
			}
		}
		return wrong
	}
}

// troubleShape is a last_error: it says since when it is over once it is.
func troubleShape(path string, v any) []string {
	members := map[string]shape{"code": text("[a-z_]+"), "message": text(".+"), "at": instant}
	if m, ok := v.(map[string]any); ok && m["over_at"] != nil {
		members["over_at"] = instant
	}
	return object(members)(path, v)
}

// mapOf wants an object with any members of one shape.
func mapOf(s shape) shape {
	return func(path string, v any) []string {
		m, ok := v.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %T is no object", path, v)}
		}
		var wrong []string
		for name, member := range m {
			wrong = append(wrong, s(path+"."+name, member)...)
		}
		return wrong
	}
}

func listOf(s shape) shape {
	return func(path string, v any) []string {
		all, ok := v.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %T is no array", path, v)}
		}
		var wrong []string
		for i, element := range all {
			wrong = append(wrong, s(fmt.Sprintf("%s[%d]", path, i), element)...)
		}
		return wrong
	}
}

func orNull(s shape) shape {
	return func(path string, v any) []string {
		if v == nil {
			return nil
		}
		return s(path, v)
	}
}

// text wants a string that matches an expression.
func text(expression string) shape {
	re := regexp.MustCompile("^(?:" + expression + ")$")
	return func(path string, v any) []string {
		if s, ok := v.(string); !ok || !re.MatchString(s) {
			return []string{fmt.Sprintf("%s: %v (%T) is no text like %s", path, v, v, expression)}
		}
		return nil
	}
}

func anyText(path string, v any) []string { return text(`(?s).*`)(path, v) }

func null(path string, v any) []string {
	if v != nil {
		return []string{fmt.Sprintf("%s: %v is not null", path, v)}
	}
	return nil
}

func anything(string, any) []string { return nil }

func integer(path string, v any) []string {
	n, ok := v.(json.Number)
	if ok {
		_, err := n.Int64()
		ok = err == nil
	}
	if !ok {
		return []string{fmt.Sprintf("%s: %v (%T) is no integer", path, v, v)}
	}
	return nil
}

func number(path string, v any) []string {
	if _, ok := v.(json.Number); !ok {
		return []string{fmt.Sprintf("%s: %v (%T) is no number", path, v, v)}
	}
	return nil
}

func boolean(path string, v any) []string {
	if _, ok := v.(bool); !ok {
		return []string{fmt.Sprintf("%s: %v (%T) is no boolean", path, v, v)}
	}
	return nil
}

// instant wants a time in UTC.
func instant(path string, v any) []string {
	s, _ := v.(string)
	if _, err := time.Parse(time.RFC3339, s); err != nil || !strings.HasSuffix(s, "Z") {
		return []string{fmt.Sprintf("%s: %v is no time in UTC", path, v)}
	}
	return nil
}

// value is one reading of a field; its JSON is of the type that it names.
func value(path string, v any) []string {
	wrong := object(map[string]shape{
		"value": anything, "type": text("string|number|boolean|date"), "text": orNull(anyText), "unit": orNull(anyText),
		"confidence": orNull(number), "page": orNull(integer), "box": orNull(object(map[string]shape{
			"x": number, "y": number, "width": number, "height": number,
		})),
		"alternatives": func(path string, v any) []string { return listOf(value)(path, v) },
	})(path, v)
	m, _ := v.(map[string]any)
	kind, _ := m["type"].(string)
	of := map[string]shape{"string": anyText, "number": number, "boolean": boolean, "date": text(`\d{4}-\d\d-\d\d`)}[kind]
	if of != nil {
		wrong = append(wrong, of(path+".value", m["value"])...)
	}
	return wrong
}

// resultShape is the result of a successful extraction.
func resultShape() shape {
	fields := mapOf(listOf(value))
	tables := mapOf(listOf(fields))
	warnings := listOf(object(map[string]shape{"field": orNull(anyText), "code": anyText, "message": anyText}))
	return object(map[string]shape{
		"fields": fields, "tables": tables, "warnings": warnings, "raw": mapOf(anything),
		"documents": listOf(object(map[string]shape{
			"type": anyText, "start_page": integer, "end_page": integer,
			"fields": fields, "tables": tables, "warnings": warnings,
		})),
	})
}

// extractionMembers are the documented members of an extraction but result.
func extractionMembers() map[string]shape {
	return map[string]shape{
		"id": text(`[0-9A-HJKMNP-TV-Z]{26}`), "account": anyText, "provider": text("sensible|typless|sandbox"),
		"type": orNull(anyText), "types": orNull(listOf(anyText)), "config_name": orNull(anyText),
		"environment": orNull(anyText), "customer": orNull(anyText), "batch": orNull(anyText),
		"priority": text("normal|bulk"), "metadata": mapOf(anyText), "options": mapOf(anything),
		"document": object(map[string]shape{
			"name": anyText, "content_type": anyText, "bytes": orNull(integer),
			"sha256": orNull(text("[0-9a-f]{64}")), "url": orNull(anyText),
		}),
		"status": text("QUEUED|SUBMITTING|IN_PROGRESS|SUCCESS|ERROR|EXPIRED|CANCELED"),
		"vendor": object(map[string]shape{"id": orNull(anyText), "status": orNull(anyText)}),
		"polls":  integer, "attempts": integer,
		"next": orNull(object(map[string]shape{
			"step": text("submit|poll|deliver"), "at": instant,
			"because": text("scheduled|rate|in_flight|account_paused|retry"),
		})),
		"last_error": orNull(troubleShape),
		"created_at": instant, "submitted_at": orNull(instant), "finished_at": orNull(instant), "expires_at": orNull(instant),
		"retry_of": orNull(anyText), "retried_by": orNull(anyText),
		"callback": orNull(object(map[string]shape{
			"url": anyText, "state": text("pending|delivered|failed"), "attempts": integer,
			"last_status": orNull(integer), "last_error": orNull(anyText), "next_at": orNull(instant),
		})),
		"error": orNull(object(map[string]shape{
			"code": text("[a-z_]+"), "message": anyText, "retryable": boolean, "details": mapOf(anything),
		})),
	}
}

// wantListed fails the test unless v is an extraction as lists have it.
func wantListed(t *testing.T, v map[string]any) {
	t.Helper()
	for _, wrong := range object(extractionMembers())("extraction", v) {
		t.Error(wrong)
	}
}

// wantWhole fails the test unless v is a successful extraction with its result.
func wantWhole(t *testing.T, v map[string]any) {
	t.Helper()
	members := extractionMembers()
	members["status"], members["result"] = text("SUCCESS"), resultShape()
	for _, wrong := range object(members)("extraction", v) {
		t.Error(wrong)
	}
}

// wantSuccess fails the test unless v is a whole successful extraction of d.
func wantSuccess(t *testing.T, v map[string]any, account string, d document) {
	t.Helper()
	members := extractionMembers()
	members["status"], members["result"] = text("SUCCESS"), resultShape()
	members["submitted_at"], members["finished_at"], members["expires_at"] = instant, instant, instant
	members["account"] = text(regexp.QuoteMeta(account))
	members["document"] = object(map[string]shape{
		"name": text(regexp.QuoteMeta(d.name)), "content_type": text("application/pdf"),
		"bytes": integer, "sha256": text(d.sha256), "url": null,
	})
	for _, wrong := range object(members)("extraction", v) {
		t.Error(wrong)
	}
}
