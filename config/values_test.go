package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestParseRate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Rate{
		"10/s": 10, "1/2s": 0.5, "600/m": 10, "0.5/s": 0.5, " 3 / 1.5s ": 2, "1/h": 1.0 / 3600, "10000/s": 10000, "5/500ms": 10,
		"": 0, "10": 0, "/s": 0, "10/": 0, "-1/s": 0, "0/s": 0, "10/d": 0, "1e3/s": 0, "10/0s": 0, "1/2h": 0, "10001/s": 0, "NaN/s": 0, "10/1.2.3s": 0,
	} {
		got, err := ParseRate(in)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("ParseRate(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
}

func TestRateStringIsRead(t *testing.T) {
	t.Parallel()
	for r, want := range map[Rate]string{10: "10/s", 0.5: "30/m", 1.0 / 3600: "1/h", 2.5: "2.5/s"} {
		if got := r.String(); got != want {
			t.Errorf("Rate(%v).String() = %q, want %q", float64(r), got, want)
		}
		if got, err := ParseRate(r.String()); err != nil || got != r {
			t.Errorf("ParseRate(%q) = %v, %v, want %v", r.String(), got, err, r)
		}
	}
}

func TestParseBytes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int64{
		"100MiB": 104857600, "1": 1, "500kB": 500000, "1 GiB": 1 << 30, "2mb": 2000000, "3 b": 3, "1KiB": 1024, "1GB": 1e9,
		"": 0, "0": 0, "-1": 0, "1.5MiB": 0, "MiB": 0, "1TB": 0, "99999999999999999999": 0, "9999999999GiB": 0,
	} {
		got, err := ParseBytes(in)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("ParseBytes(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
}

func TestDataURL(t *testing.T) {
	t.Parallel()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"":                         "",
		"file:///var/lib/extractq": "file:///var/lib/extractq",
		"mem://":                   "mem://",
		"s3://b?region=x":          "s3://b?region=x",
		"/var/lib/x y":             "file:///var/lib/x%20y",
		"state":                    "file://" + wd + "/state",
		"./a:b":                    "file://" + wd + "/a:b",
		"file://var/lib":           "!",
		"s3://":                    "!",
		"s3:bucket":                "!",
		"ftp://x":                  "!",
		"file://%zz":               "!",
	} {
		got, err := DataURL(in)
		if err != nil {
			got = "!"
		}
		if got != want {
			t.Errorf("DataURL(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestRedisURL(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		"": true, "redis://h": true, "rediss://u:p@h:1/2": true, "unix:///s?db=1": true, "redis-sentinel://h:1?master_name=m": true, "redis-cluster://h:1": true,
		"localhost:6379": false, "http://h": false, "redis://": false, "unix://": false, "redis://u:p%@h": false,
	} {
		if got, err := RedisURL(in); (err == nil) != ok || (ok && got != in) {
			t.Errorf("RedisURL(%q) = %q, %v, want ok %t", in, got, err, ok)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := write("key", "from file\r\n")
	large := write("large", string(make([]byte, maxSecretFile+1)))
	variables := map[string]string{"A": "1", "EMPTY": "", "REF": "${A}"}
	lookup := options(variables).LookupEnv
	for in, want := range map[string]string{
		"":                      "",
		"plain $ $$ }":          "plain $ $$ }",
		"${A}${A}":              "11",
		"x${A}y":                "x1y",
		"${EMPTY}":              "",
		"${EMPTY:-d}":           "d",
		"${GONE:-d:-e}":         "d:-e",
		"${GONE:-}":             "",
		"${REF}":                "${A}",
		"$${A} ${A}":            "${A} 1",
		"$$${A}":                "$${A}",
		"${file:" + key + "}":   "from file",
		"${GONE}":               "!environment variable GONE is not set",
		"${GONE} ${ALSO}":       "!environment variable GONE is not set\nenvironment variable ALSO is not set",
		"${A":                   `!"${" has no "}"; a literal "${" is written "$${"`,
		"${}":                   `!want ${NAME}, ${NAME:-default} or ${file:/path}; a literal "${" is written "$${"`,
		"${A:-${B}}":            `!want ${NAME}, ${NAME:-default} or ${file:/path}; a literal "${" is written "$${"`,
		"${file:key}":           "!${file:key}: want an absolute path",
		"${file:" + large + "}": "!" + large + " is larger than 64 KiB",
		"${file:/no/such}":      "!open /no/such: no such file or directory",
	} {
		got, err := expand(in, lookup)
		if err != nil {
			got = "!" + err.Error()
		}
		if got != want {
			t.Errorf("expand(%q) = %q, want %q", in, got, want)
		}
	}
}
