// Package address reads the two addresses that every process has: of Redis and of the
// document store. The configuration, the command line and package tasks take the same
// ones, and mean the same places.
package address

import (
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// Redis checks the address of a Redis, from the file or a flag. Its errors
// do not repeat the address, which may hold a password.
func Redis(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", errors.New(`want a URL such as "redis://127.0.0.1:6379/0"; in it a password with special characters must be percent-encoded, in redis.password it stands as it is`)
	}
	schemes := []string{"redis", "rediss", "unix", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster"}
	if !slices.Contains(schemes, u.Scheme) {
		return "", errors.New("want a URL that begins with redis://, redis-sentinel:// or redis-cluster://, with rediss for TLS, or unix://")
	}
	if u.Scheme == "unix" && u.Path == "" {
		return "", errors.New(`want the path of a socket, such as "unix:///run/redis.sock"`)
	}
	if u.Scheme != "unix" && u.Host == "" {
		return "", errors.New(`want a host, such as "` + u.Scheme + `://127.0.0.1:6379/0"`)
	}
	return s, nil
}

// HasPassword reports whether the address of a Redis has the password of the servers that
// hold data. With Sentinels what stands before the host is theirs.
func HasPassword(s string) bool {
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	if strings.HasSuffix(u.Scheme, "-sentinel") {
		return u.Query().Get("password") != ""
	}
	_, has := u.User.Password()
	return has
}

// Data checks the address of the document store, from the file or a flag. A
// directory may be given without file://; a relative one is made absolute.
func Data(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	if !strings.Contains(s, "://") {
		if scheme, _, ok := strings.Cut(s, ":"); ok && len(scheme) > 1 && !strings.ContainsAny(scheme, `/\.`) {
			return "", errData
		}
		dir, err := filepath.Abs(s)
		if err != nil {
			return "", err
		}
		return File(dir), nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", errData
	}
	switch u.Scheme {
	case "mem":
	case "file":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return "", errors.New(`want three slashes before the directory, such as "file:///var/lib/extractq"`)
		}
	case "s3", "gs", "azblob":
		if u.Host == "" {
			return "", errors.New(`want a bucket, such as "` + u.Scheme + `://bucket"`)
		}
	default:
		return "", errData
	}
	return s, nil
}

var errData = errors.New(`want a directory or a URL that begins with file:///, mem://, s3://, gs:// or azblob://`)

// File is the data URL of an absolute directory.
func File(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

// Documents is the address of the documents themselves: below a directory, because an
// embedded Redis has its files there too.
func Documents(dataURL string) string {
	if strings.HasPrefix(dataURL, "file:") {
		return strings.TrimSuffix(dataURL, "/") + "/documents"
	}
	return dataURL
}
