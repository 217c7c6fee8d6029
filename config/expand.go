package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxSecretFile bounds a ${file:…}: keys are short, and a path that was meant
// for something else must not be read whole.
const maxSecretFile = 64 << 10

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME}, ${NAME:-default} and ${file:/path} in a value; $${
// is a literal ${. A default is taken when the variable is unset or empty, as
// in a shell. What was inserted is not searched again.
func expand(s string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	var problems []error
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), errors.Join(problems...)
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		reference, rest, ok := strings.Cut(s[i+2:], "}")
		if !ok {
			return "", errors.Join(append(problems, errors.New(`"${" has no "}"; a literal "${" is written "$${"`))...)
		}
		value, err := resolve(reference, lookup)
		if err != nil {
			problems = append(problems, err)
		}
		b.WriteString(value)
		s = rest
	}
}

func resolve(reference string, lookup func(string) (string, bool)) (string, error) {
	if path, ok := strings.CutPrefix(reference, "file:"); ok {
		return readSecretFile(path)
	}
	name, fallback, hasFallback := strings.Cut(reference, ":-")
	if !namePattern.MatchString(name) || strings.Contains(fallback, "${") {
		return "", errors.New(`want ${NAME}, ${NAME:-default} or ${file:/path}; a literal "${" is written "$${"`)
	}
	value, ok := lookup(name)
	if hasFallback && value == "" {
		return fallback, nil
	}
	if !ok {
		return "", fmt.Errorf("environment variable %s is not set", name)
	}
	return value, nil
}

// readSecretFile returns a file's text without the line break at its end.
func readSecretFile(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("${file:%s}: want an absolute path", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxSecretFile {
		return "", fmt.Errorf("%s is larger than %d KiB", path, maxSecretFile>>10)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
