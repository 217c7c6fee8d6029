package config

import (
	"reflect"
	"regexp"
	"strings"
)

// NeedRestart returns the keys of the settings that differ between two configurations and
// that a running process does not take over.
func NeedRestart(now, next *Config) []string {
	return needRestart("", reflect.ValueOf(*now), reflect.ValueOf(*next))
}

func needRestart(path string, now, next reflect.Value) []string {
	var out []string
	for f, a := range now.Fields() {
		if !f.IsExported() {
			continue
		}
		b, key := next.FieldByIndex(f.Index), path+keyOf(f.Name)
		switch {
		case f.Tag.Get("reload") == "restart":
			if !reflect.DeepEqual(a.Interface(), b.Interface()) {
				out = append(out, key)
			}
		case a.Kind() == reflect.Struct:
			out = append(out, needRestart(key+".", a, b)...)
		}
	}
	return out
}

var wordStart = regexp.MustCompile(`([a-z])([A-Z])|([A-Z])([A-Z][a-z])`)

// keyOf is the key of a field in the file: APIKey is api_key.
func keyOf(field string) string {
	return strings.ToLower(wordStart.ReplaceAllString(field, "${1}${3}_${2}${4}"))
}
