package config

import (
	"encoding/base64"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/extractq/extractq/internal/address"
)

// RedisURL checks the address of a Redis, from the file or a flag. Its errors
// do not repeat the address, which may hold a password.
func RedisURL(s string) (string, error) { return address.Redis(s) }

// DataURL checks the address of the document store, from the file or a flag. A
// directory may be given without file://; a relative one is made absolute.
func DataURL(s string) (string, error) { return address.Data(s) }

// FileURL is the data URL of an absolute directory.
func FileURL(dir string) string { return address.File(dir) }

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
