package documents

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// in16 is a text in UTF-16.
func in16(order binary.AppendByteOrder, text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, unit)
	}
	return string(b)
}

// A list is read in the forms that programs write: UTF-8 and UTF-16, with and without a
// byte order mark, and with NULs as find -print0 has them.
func TestLists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := []string{"a.pdf", "Zürich.pdf", "new\nline.pdf", strings.Repeat("x", 200) + ".pdf"}
	var paths []string
	for _, name := range names {
		path := filepath.Join(dir, name)
		paths = append(paths, path)
		if err := os.WriteFile(path, []byte("%PDF-1.7"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	oneLine := slices.Delete(slices.Clone(paths), 2, 3)
	unix, windows := strings.Join(oneLine, "\n")+"\n", strings.Join(oneLine, "\r\n")
	for what, tt := range map[string]struct {
		list string
		want []string
	}{
		"lines": {unix, oneLine}, "a mark": {"\uFEFF" + windows, oneLine}, "empty": {"", nil}, "a mark alone": {"\uFEFF", nil},
		"NULs": {strings.Join(paths, "\x00") + "\x00", paths}, "no last NUL": {strings.Join(paths, "\x00"), paths},
		"UTF-16LE": {in16(binary.LittleEndian, "\uFEFF"+windows), oneLine}, "UTF-16BE": {in16(binary.BigEndian, "\uFEFF"+unix), oneLine},
		"UTF-16LE without a mark": {in16(binary.LittleEndian, windows), oneLine}, "UTF-16BE without a mark": {in16(binary.BigEndian, unix), oneLine},
	} {
		file := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(file, []byte(tt.list), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, arg := range []string{"@" + file, "@-"} {
			f, err := Find(t.Context(), []string{arg}, "", 0, 0, strings.NewReader(tt.list))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			err = f.Each(t.Context(), func(s Source) error { got = append(got, s.Path); return nil },
				func(what string, err error) error { t.Errorf("%s: %v", what, err); return nil })
			f.Close()
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s, %s: %q, %v, want %q", what, arg, got, err, tt.want)
			}
		}
	}
	ids := []string{"one", "two"}
	for what, list := range map[string]string{
		"lines": "one\n# no id\n\ntwo", "Windows": "\uFEFFone\r\ntwo\r\n", "NULs": "one\x00two\x00", "UTF-16": in16(binary.LittleEndian, "\uFEFFone\r\ntwo\r\n"),
	} {
		var got []string
		err := EachID(t.Context(), strings.NewReader(list), "@-", func(id string) error { got = append(got, id); return nil })
		if err != nil || !slices.Equal(got, ids) {
			t.Errorf("ids as %s: %q, %v, want %q", what, got, err, ids)
		}
	}
}
