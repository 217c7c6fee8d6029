// Package vendorjson reads the JSON of vendors, which does not always match their
// documentation: members that are numbers in one version and strings in the next, null for
// empty, two spellings of one name.
//
// It never fails on a member: a member of the wrong form counts as absent, because one odd
// member must not lose a result that was paid for.
package vendorjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Object is a JSON object whose members are not decoded yet. They share the memory of the
// text.
type Object map[string]json.RawMessage

var errNoObject = errors.New("the answer is not a JSON object")

// Parse decodes a whole JSON object. Its error never quotes the text.
func Parse(b []byte) (Object, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, errors.New("the answer is empty")
	}
	if !json.Valid(b) {
		return nil, errors.New("the answer is not JSON")
	}
	o, ok := AsObject(b)
	if !ok {
		return nil, errNoObject
	}
	return o, nil
}

// AsObject splits an object into members; ok is false for anything else. Of a repeated name
// the last value counts.
func AsObject(raw json.RawMessage) (o Object, ok bool) {
	c, ok := inside(raw, '{', '}')
	if !ok {
		return nil, false
	}
	o = Object{}
	for c.more() {
		name := c.name()
		if c.bad {
			return nil, false
		}
		if o[name] = c.value(); c.bad {
			return nil, false
		}
	}
	return o, !c.bad
}

// AsArray splits an array into elements; ok is false for anything else.
func AsArray(raw json.RawMessage) (a []json.RawMessage, ok bool) {
	c, ok := inside(raw, '[', ']')
	if !ok {
		return nil, false
	}
	a = []json.RawMessage{}
	for c.more() {
		if a = append(a, c.value()); c.bad {
			return nil, false
		}
	}
	return a, !c.bad
}

// IsNull reports whether a value is null or missing.
func IsNull(raw json.RawMessage) bool {
	k := kind(raw)
	return k == 0 || k == 'n'
}

// kind is the first character of a JSON value, 0 if there is none.
func kind(raw json.RawMessage) byte {
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

// Member is the first of the names that is present and not null.
func (o Object) Member(names ...string) json.RawMessage {
	for _, name := range names {
		if raw := o[name]; !IsNull(raw) {
			return raw
		}
	}
	return nil
}

// String is the first of the names that is a string or a number, trimmed; empty if none is.
func (o Object) String(names ...string) string {
	for _, name := range names {
		if s := strings.TrimSpace(Text(o[name])); s != "" {
			return s
		}
	}
	return ""
}

// Object is the first of the names that is an object, nil if none is.
func (o Object) Object(names ...string) Object {
	for _, name := range names {
		if m, ok := AsObject(o[name]); ok {
			return m
		}
	}
	return nil
}

// Array is the first of the names that is an array, nil if none is.
func (o Object) Array(names ...string) []json.RawMessage {
	for _, name := range names {
		if a, ok := AsArray(o[name]); ok {
			return a
		}
	}
	return nil
}

// Bool is the first of the names that is true, also as a string.
func (o Object) Bool(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return strings.EqualFold(Text(o[name]), "true")
	})
}

// Float is the first of the names that is a finite number, also as a string.
func (o Object) Float(names ...string) (f float64, ok bool) {
	for _, name := range names {
		f, err := strconv.ParseFloat(strings.TrimSpace(Text(o[name])), 64)
		if err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, true
		}
	}
	return 0, false
}

// Int is the first of the names that is a whole number, also as a string.
func (o Object) Int(names ...string) (n int, ok bool) {
	f, ok := o.Float(names...)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<31 {
		return 0, false
	}
	return int(f), true
}

// Text is the text of a scalar: a string's content, the spelling of a number,
// true or false. It is empty for null, an object and an array.
func Text(raw json.RawMessage) string {
	switch kind(raw) {
	case 0, 'n', '{', '[':
		return ""
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	return string(bytes.TrimSpace(raw))
}

// IsArray reports whether a value is an array.
func IsArray(raw json.RawMessage) bool { return kind(raw) == '[' }
