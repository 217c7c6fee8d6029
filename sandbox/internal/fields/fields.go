// Package fields decides which fields an extraction has: what the rules of its
// document type find in the text, and what the document's own form says.
package fields

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/extractq/extractq/sandbox/internal/reader"
)

// TextField is the name of the field that holds the whole text where a document
// type has no rules, or a rule of this name without an expression.
const TextField = "text"

// maxReadings is how many different readings of one field are kept, best first;
// Typless gives up to five.
const maxReadings = 5

// Rules are the fields of document types: type, field name, and the expression
// whose first match in the text is the field's value (its first group, where it
// has one).
type Rules map[string]map[string]*regexp.Regexp

// Parse compiles rules. It reports all expressions that do not compile.
func Parse(source map[string]map[string]string) (Rules, error) {
	rules := Rules{}
	var errs []error
	for _, docType := range slices.Sorted(maps.Keys(source)) {
		rules[docType] = map[string]*regexp.Regexp{}
		for _, name := range slices.Sorted(maps.Keys(source[docType])) {
			re, err := regexp.Compile(source[docType][name])
			if err != nil {
				errs = append(errs, fmt.Errorf("rule %s.%s: %w", docType, name, err))
				continue
			}
			rules[docType][name] = re
		}
	}
	return rules, errors.Join(errs...)
}

// Field is one field of an extraction.
type Field struct {
	Name string
	// Form is the form's own value, a string, a bool or a []string; nil where the
	// field comes from the text.
	Form any
	// Readings are what was found in the text, best first; none if nothing was.
	Readings []Reading
}

// Reading is one value found in the text.
type Reading struct {
	Text string
	// Page counts from 0; -1 where the value is not of one page.
	Page int
}

// Of gives the fields of pages from first to before last, for a document type,
// by name. Form fields belong to the whole document.
func (rules Rules) Of(docType string, doc *reader.Document, first, last int) []Field {
	var found []Field
	taken := map[string]bool{}
	own, ok := rules[docType]
	if whole, named := own[TextField]; !ok || named && whole == nil {
		text := strings.Join(doc.Pages[first:last], "\n\n")
		found = append(found, Field{Name: TextField, Readings: []Reading{{Text: text, Page: -1}}})
		taken[TextField] = true
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if !taken[name] {
			found = append(found, Field{Name: name, Readings: read(own[name], doc.Pages, first, last)})
			taken[name] = true
		}
	}
	for _, f := range doc.Fields {
		if !taken[f.Name] {
			found = append(found, Field{Name: f.Name, Form: f.Value})
			taken[f.Name] = true
		}
	}
	return found
}

// Types are the document types that have rules.
func (rules Rules) Types() []string { return slices.Sorted(maps.Keys(rules)) }

// On gives the fields that the rules of a document type find on one page, with
// their first values; none where the type has no rules.
func (rules Rules) On(docType, page string) map[string]string {
	found := map[string]string{}
	for name, re := range rules[docType] {
		if re == nil {
			continue
		}
		if r := read(re, []string{page}, 0, 1); len(r) > 0 {
			found[name] = r[0].Text
		}
	}
	return found
}

func read(re *regexp.Regexp, pages []string, first, last int) []Reading {
	var readings []Reading
	for page := first; page < last; page++ {
		// A few more than are kept, because most documents repeat a value.
		for _, m := range re.FindAllStringSubmatch(pages[page], 4*maxReadings) {
			value := m[0]
			if len(m) > 1 {
				value = m[1]
			}
			value = strings.TrimSpace(value)
			if value == "" || slices.ContainsFunc(readings, func(r Reading) bool { return r.Text == value }) {
				continue
			}
			readings = append(readings, Reading{Text: value, Page: page})
			if len(readings) == maxReadings {
				return readings
			}
		}
	}
	return readings
}
