// Package guard makes requests to addresses from outside, and keeps
// them away from the inside: loopback, private and link-local networks, the
// metadata services of clouds, and whatever else is no public address.
//
// A name is judged by the address that is really dialled, again at every
// redirect: what it resolved to a moment before says nothing. Proxies of the
// environment are not used, because behind one that address is not known.
//
// Nothing that a URL may hide, which is its credentials and its query, appears
// in an error.
package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Guard decides which addresses may be reached. Make one with New; it is safe
// for concurrent use.
type Guard struct {
	// Resolver finds the addresses of names; nil is the system's. It is set
	// before the first use.
	Resolver *net.Resolver

	setting  string
	names    []string // Exact, or a suffix that begins with a dot.
	prefixes []netip.Prefix
	public   *ssrf.Guardian
}

// Blocked says that a host was not reached because its address is internal.
type Blocked struct {
	// Host is what was asked for, IP what it turned out to be.
	Host string
	IP   netip.Addr
	// Setting is the key in the configuration that would allow it.
	Setting string
}

// Error says what to do.
func (b *Blocked) Error() string {
	where := b.Host
	if where != b.IP.String() {
		where += " (" + b.IP.String() + ")"
	}
	return fmt.Sprintf("%s is an internal address: allow it with %s if it is meant", where, b.Setting)
}

// New returns a guard that lets the hosts of allow through nevertheless: names,
// *.suffix, addresses and CIDRs. setting is the key they come from, for errors.
func New(setting string, allow []string) (*Guard, error) {
	g := &Guard{setting: setting, public: ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())}
	for _, s := range allow {
		s = strings.ToLower(s)
		if p, err := netip.ParsePrefix(s); err == nil {
			g.prefixes = append(g.prefixes, p.Masked())
			continue
		}
		if ip, err := netip.ParseAddr(s); err == nil {
			ip = ip.Unmap()
			g.prefixes = append(g.prefixes, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		if s == "" || strings.ContainsAny(s, "/:@ ") {
			return nil, fmt.Errorf(`%s: %q is not a name, "*.suffix", an address or a CIDR`, setting, s)
		}
		g.names = append(g.names, strings.TrimPrefix(s, "*"))
	}
	return g, nil
}

// allowsName reports whether everything under the name may be reached.
func (g *Guard) allowsName(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, n := range g.names {
		if n == host || strings.HasPrefix(n, ".") && strings.HasSuffix(host, n) {
			return true
		}
	}
	return false
}

// judge is the verdict on one address that a host stands for.
func (g *Guard) judge(host string, ip netip.Addr) error {
	ip = ip.WithZone("").Unmap()
	for _, p := range g.prefixes {
		if p.Contains(ip) {
			return nil
		}
	}
	if g.public.SafeAddr(ip) != nil {
		return &Blocked{Host: host, IP: ip, Setting: g.setting}
	}
	return nil
}

// Check judges a URL that another process will fetch: the host itself where it is
// an address, and what it resolves to here. A name that does not resolve here is
// let through: it may resolve there, and it cannot be internal.
func (g *Guard) Check(ctx context.Context, rawURL string) error {
	u, err := Parse(rawURL)
	if err != nil {
		return err
	}
	host := u.Hostname()
	if g.allowsName(host) {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return g.judge(host, ip)
	}
	resolver := g.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	ips, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return ctx.Err()
	}
	for _, ip := range ips {
		if err := g.judge(host, ip); err != nil {
			return err
		}
	}
	return nil
}

// CheckLiteral judges a URL as far as it can be without asking for a name: its
// form, and its host where that is an address or localhost.
func (g *Guard) CheckLiteral(rawURL string) error {
	u, err := Parse(rawURL)
	if err != nil {
		return err
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if g.allowsName(host) {
		return nil
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return g.judge(host, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return g.judge(host, ip)
	}
	return nil
}

// Parse reads an http or https URL.
func Parse(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	// The library's error repeats the URL.
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("it is not a URL of the form http://… or https://…")
	}
	return u, nil
}

// Redact is a URL that can be shown: without credentials, query and fragment.
func Redact(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "the URL"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}

// maxRedirects is how many are followed.
const maxRedirects = 5

// Client returns an HTTP client that reaches no internal address. timeout bounds
// a whole request, body included; 0 leaves that to the context.
func (g *Guard) Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:   timeout,
		Transport: g.Transport(),
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			r.Header.Del("Referer") // It would give a signed query to the next host.
			return nil
		},
	}
}

// Transport returns an HTTP transport that connects to no internal address.
// The caller may change all of it but how it dials.
func (g *Guard) Transport() *http.Transport {
	return &http.Transport{
		DialContext:            g.dial,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConns:           64, // Of all hosts together; the hosts come from outside.
		MaxIdleConnsPerHost:    4,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // The bytes are wanted as they are.
	}
}

// dial connects to an address unless it is internal.
func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 10 * time.Second, Resolver: g.Resolver}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if !g.allowsName(host) {
		d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return g.judge(host, at.Addr())
		}
	}
	return d.DialContext(ctx, network, address)
}
