package guest

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProxyEnvironment(t *testing.T) {
	c := Config{
		IP: netip.MustParseAddr("10.213.7.10"), ClusterCIDR: netip.MustParsePrefix("10.244.0.0/16"),
		ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"), ClusterDomain: "cluster.local",
	}
	const own = "localhost,127.0.0.1,10.213.7.0/24,10.244.0.0/16,10.96.0.0/16,.svc,.cluster.local"
	tests := []struct {
		why   string
		proxy Proxy
		want  []string
	}{
		{"Without a proxy there is nothing to make an exception from.", Proxy{None: ".example.com"}, nil},
		{"The cluster's own never goes to a proxy.", Proxy{HTTPS: "http://proxy:1"}, []string{"HTTPS_PROXY=http://proxy:1", "NO_PROXY=" + own}},
		{"The host's exceptions stay.", Proxy{HTTP: "proxy:1", HTTPS: "proxy:2", None: ".example.com"},
			[]string{"HTTP_PROXY=proxy:1", "HTTPS_PROXY=proxy:2", "NO_PROXY=.example.com," + own}},
	}
	for _, tt := range tests {
		c.Proxy = tt.proxy
		if diff := cmp.Diff(tt.want, proxyEnvironment(c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.why, diff)
		}
	}
}
