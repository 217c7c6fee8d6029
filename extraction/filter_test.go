package extraction_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/extractq/extractq/extraction"
)

// everyMember calls use with filters that have one member each, and with its name.
func everyMember(t *testing.T, use func(name string, f extraction.Filter)) {
	t.Helper()
	for i := range reflect.TypeFor[extraction.Filter]().NumField() {
		field := reflect.TypeFor[extraction.Filter]().Field(i)
		var f extraction.Filter
		v := reflect.ValueOf(&f).Elem().Field(i)
		switch {
		case v.Kind() == reflect.Slice:
			v.Set(reflect.MakeSlice(field.Type, 1, 1))
			v.Index(0).SetString("x")
		case field.Type == reflect.TypeFor[extraction.Time]():
			v.Set(reflect.ValueOf(extraction.Time{Time: time.Unix(1_700_000_000, 123456)}))
		default:
			v.SetString("x")
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		use(name, f)
	}
}

func TestFilterHasEveryMember(t *testing.T) {
	t.Parallel()
	if q := (extraction.Filter{}).Values(); len(q) != 0 || !(extraction.Filter{}).IsZero() {
		t.Errorf("an empty filter has the query %q", q.Encode())
	}
	everyMember(t, func(name string, f extraction.Filter) {
		if f.IsZero() {
			t.Errorf("a filter with %s alone counts as empty", name)
		}
		if q := f.Values(); len(q) != 1 || q.Get(name) == "" {
			t.Errorf("a filter with %s alone has the query %q", name, q.Encode())
		}
	})
}
