package partners

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
)

// special are the networks that no partner on the internet has (RFC 6890 and the IANA registries of special-purpose
// addresses), beside those that netip tells: loopback, private, link-local, multicast and unspecified addresses. The
// addresses at which clouds serve metadata to their machines are link-local, private or among these.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),    // shared address space (CGNAT)
	netip.MustParsePrefix("168.63.129.16/32"), // metadata of one cloud, at a public address
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("fec0::/10"),
}

// Networks that carry an IPv4 address in an IPv6 one, with the octet at which it begins.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64 (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4 (RFC 3056)
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible (RFC 4291 §2.5.5.1)
}

// isPublic reports whether a is an address that a partner on the internet may have.
func isPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	if slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return false
	}
	for _, e := range embedding {
		if e.prefix.Contains(a) {
			octets := a.As16()
			return isPublic(netip.AddrFrom4([4]byte(octets[e.at : e.at+4])))
		}
	}
	return true
}

// MayDial is an error if address, an IP address with its port, is not public and not in NodeConfig.PrivateNetworks. It is to
// be asked of the address that a name was resolved to, at each dialling: names may lead elsewhere the next time.
func (r *Registry) MayDial(address string) error {
	host, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q is not an IP address with a port", address)
	}
	a := host.Addr().Unmap().WithZone("")
	if isPublic(a) || slices.ContainsFunc(r.data.Load().networks, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return nil
	}
	return fmt.Errorf("address %s is not public and is refused; set allow_private_endpoint in the agreement, or add its network to node.private_networks", a)
}

// Control is net.Dialer.Control for connections to places that somebody else named, with MayDial.
func (r *Registry) Control(_, address string, _ syscall.RawConn) error { return r.MayDial(address) }

// AllowsPrivate reports whether an agreement with partner names endpoint and allows it to be at any address.
func (r *Registry) AllowsPrivate(partner, endpoint string) bool {
	return slices.ContainsFunc(r.data.Load().agreements, func(a Agreement) bool {
		return a.Partner == partner && a.AllowPrivateEndpoint && slices.Contains([]string{a.Endpoint, a.AckEndpoint, a.ErrorEndpoint}, endpoint)
	})
}

// PublicOnly is net.Dialer.Control for connections to places that users of the node named: NodeConfig.PrivateNetworks are for partners, and not
// for them to look around in.
func PublicOnly(_, address string, _ syscall.RawConn) error {
	host, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q is not an IP address with a port", address)
	}
	if !isPublic(host.Addr()) {
		return fmt.Errorf("address %s is not public and is refused", host.Addr().Unmap().WithZone(""))
	}
	return nil
}

// ParseNetwork reads 10.1.0.0/16, or 10.1.0.7 for that address alone.
func ParseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return a.Prefix(a.BitLen())
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q is no address and no network such as 10.1.0.0/16", text)
	}
	return network, nil
}

func (k *checker) networks(key string, list []string) {
	for i, text := range list {
		if _, err := ParseNetwork(text); err != nil {
			k.add(item(key, i), "%v", err)
		}
	}
}

func (n NodeConfig) networks() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range n.PrivateNetworks {
		if p, err := ParseNetwork(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// privateEndpoints warns of endpoints at which deliveries would be refused, as far as their URLs show it.
func (k *checker) privateEndpoints(at string, a AgreementConfig, networks []netip.Prefix) {
	if a.AllowPrivateEndpoint {
		return
	}
	for _, e := range endpoints(a) {
		u, err := url.Parse(e.url)
		if err != nil {
			continue
		}
		host := u.Hostname()
		if host == "localhost" {
			host = "127.0.0.1"
		}
		ip, err := netip.ParseAddr(host)
		if err != nil || isPublic(ip) || slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) }) {
			continue
		}
		k.add(at+"."+e.key, "%s is not a public address, so nothing will be sent there; set allow_private_endpoint: true, or add its network to node.private_networks",
			u.Host)
	}
}
