package guard

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// A URL that passes, and whose host is an address, names no address of the inside; and no
// error and no redacted URL has its password or its query.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"http://127.0.0.1/", "http://[::1]:80/", "http://[::ffff:10.0.0.1]/", "http://169.254.169.254./latest", "https://user:geheim@10.1.2.3/?sig=geheim",
		"http://[fe80::1%25eth0]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://0/", "http://0x7f.1/", "http://LOCALHOST./", "ftp://8.8.8.8/", "//127.0.0.1", "http://[::127.0.0.1]/",
	} {
		f.Add(s)
	}
	g, err := New("fetch.allow_hosts", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if u, err := url.Parse(Redact(raw)); err == nil && (u.User != nil || u.RawQuery != "" || u.Fragment != "") {
			t.Errorf("Redact(%q) = %q", raw, Redact(raw))
		}
		if g.CheckLiteral(raw) != nil {
			return
		}
		u, err := Parse(raw)
		if err != nil {
			t.Fatalf("CheckLiteral takes %q, Parse does not: %v", raw, err)
		}
		host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
		if host == "localhost" {
			t.Errorf("%q passes", raw)
		}
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return
		}
		// The library that judges is not asked here.
		std := net.IP(ip.Unmap().WithZone("").AsSlice())
		if std.IsLoopback() || std.IsPrivate() || std.IsLinkLocalUnicast() || std.IsLinkLocalMulticast() || std.IsUnspecified() || std.IsMulticast() {
			t.Errorf("%q passes", raw)
		}
	})
}
