package serve

import (
	"net"
	"net/netip"
	"strings"
)

// IsLoopback reports whether an address or the Host of a request, with or without a port,
// is this machine's own.
func IsLoopback(host string) bool {
	host = Hostname(host)
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// Hostname is a host without its port and brackets.
func Hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}
