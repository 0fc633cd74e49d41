package bootstrap_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/clusters/bootstrap"
	"portico.dev/portico/fleet"
)

func TestRoundTrip(t *testing.T) {
	want := bootstrap.Data{Server: "https://10.213.1.2:6443", CAData: []byte("pem"), ClusterDNS: "10.96.0.10", ClusterDomain: "cluster.local", PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16"}
	value, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := bootstrap.Decode(value)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Decode(Encode(x)): %v (-want +got):\n%s", err, diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tc := range []struct{ name, why, value string }{
		{"NotJSON", "Bootstrap data of another provider, such as cloud-init, is not for our machines.", "#cloud-config"},
		{"NoServer", "A machine without a server could never join.", `{"caData":"cGVt"}`},
		{"NoAuthority", "A machine must not trust a server blindly.", `{"server":"https://x:1"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := bootstrap.Decode([]byte(tc.value)); !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("%s\nDecode(%s) = %v; want an error that is invalid", tc.why, tc.value, err)
			}
		})
	}
}

func TestNameServer(t *testing.T) {
	for _, tc := range []struct{ name, why, cidr, want string }{
		{"Default", "The tenth address, as everywhere.", "10.96.0.0/16", "10.96.0.10"},
		{"Unmasked", "What counts is the range, not the address it was written with.", "10.96.0.77/24", "10.96.0.10"},
		{"IPv6", "Ranges of IPv6 work alike.", "fd00::/112", "fd00::a"},
		{"Small", "The tenth address must be inside.", "10.96.0.0/29", ""},
		{"Junk", "Not a range.", "10.96.0.0", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := bootstrap.NameServer(tc.cidr)
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("%s\nNameServer(%s) = %q, %v; want %q", tc.why, tc.cidr, got, err, tc.want)
			}
		})
	}
}
