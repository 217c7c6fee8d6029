package config

import (
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// RedisURL checks the address of a Redis, from the file or a flag. Its errors
// do not repeat the address, which may hold a password.
func RedisURL(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", errors.New(`want a URL such as "redis://127.0.0.1:6379/0"; a password with special characters must be percent-encoded`)
	}
	schemes := []string{"redis", "rediss", "unix", "redis-sentinel", "redis-cluster"}
	if !slices.Contains(schemes, u.Scheme) {
		return "", errors.New("want a URL that begins with " + orList([]string{
			"redis://", "rediss://", "unix://", "redis-sentinel://", "redis-cluster://",
		}))
	}
	if u.Scheme == "unix" && u.Path == "" {
		return "", errors.New(`want the path of a socket, such as "unix:///run/redis.sock"`)
	}
	if u.Scheme != "unix" && u.Host == "" {
		return "", errors.New(`want a host, such as "` + u.Scheme + `://127.0.0.1:6379/0"`)
	}
	return s, nil
}

// DataURL checks the address of the document store, from the file or a flag. A
// directory may be given without file://; a relative one is made absolute.
func DataURL(s string) (string, error) {
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
		return FileURL(dir), nil
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

// FileURL is the data URL of an absolute directory.
func FileURL(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

// webURL checks a base address: http or https, without credentials, query or
// fragment; a final slash is dropped, since paths are appended.
func webURL(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "", errors.New("want a URL that begins with http:// or https://")
	case u.User != nil:
		return "", errors.New("must not contain credentials")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", errors.New("must not have a query or a fragment")
	}
	return strings.TrimRight(s, "/"), nil
}

// ListenAddress checks "host:port", from the file or a flag; the host may be
// empty (all interfaces) and the port 0 (a free one).
func ListenAddress(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	_, port, err := net.SplitHostPort(s)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", errors.New(`want host:port, such as "127.0.0.1:8080"`)
	}
	return s, nil
}

var hostPattern = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$`)

// allowedHost checks one entry of allow_hosts: a name, *.suffix, an address or
// a CIDR.
func allowedHost(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if _, err := netip.ParsePrefix(s); err == nil {
		return s, nil
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, nil
	}
	if !hostPattern.MatchString(s) {
		return "", errors.New(`want a name, "*.suffix", an address or a CIDR, without scheme and port`)
	}
	return s, nil
}

// signingSecret is a Standard Webhooks secret: whsec_ and base64 of as many bytes
// as that standard asks for.
func signingSecret(s string) (Secret, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Secret{}, nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
	if err != nil || len(key) < 24 || len(key) > 64 || !strings.HasPrefix(s, "whsec_") {
		return Secret{}, errors.New(`want "whsec_" and base64 of 24 to 64 bytes, as "echo whsec_$(openssl rand -base64 32)" prints it`)
	}
	return NewSecret(s), nil
}

// hookToken is a secret that is one segment of a URL's path.
func hookToken(s string) (Secret, error) {
	s = strings.TrimSpace(s)
	if len(s) > 256 || url.PathEscape(s) != s || strings.Trim(s, ".") == "" && s != "" {
		return Secret{}, errors.New("want at most 256 characters that a URL's path takes unescaped, such as letters, digits, - and _")
	}
	return NewSecret(s), nil
}
