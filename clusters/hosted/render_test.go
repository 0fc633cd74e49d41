package hosted

import (
	"errors"
	"strings"
	"testing"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	"portico.dev/portico/fleet"
)

func TestValid(t *testing.T) {
	for _, tc := range []struct {
		name, why, host, netns, pods, services string
		says                                   string // empty: it is valid
	}{
		{"Apart", "All ranges are apart.", "10.213.7.2", "portico-1a2b", "10.244.0.0/16", "10.96.0.0/16", ""},
		{"Unknown", "As long as there is no address there is nothing to overlap.", "", "", "10.213.0.0/16", "10.96.0.0/16", ""},
		{"Pods", "A pod with the address of a machine is never reached.", "10.213.7.2", "portico-1a2b", "10.192.0.0/11", "10.96.0.0/16",
			"spec.clusterNetwork.pods of Cluster demo: 10.192.0.0/11 overlaps 10.213.0.0/16"},
		{"Services", "Nor is a service, even with that of another cluster's machines.", "10.213.7.2", "portico-1a2b", "10.244.0.0/16", "10.213.9.0/24",
			"spec.clusterNetwork.services of Cluster demo: 10.213.9.0/24 overlaps 10.213.0.0/16"},
		{"NoMachines", "Without a network of its own the cluster has no real machines.", "127.0.0.1", "", "10.213.0.0/16", "127.0.1.0/24", ""},
		{"Each", "The program's own rules hold as well.", "10.213.7.2", "portico-1a2b", "10.96.0.0/16", "10.96.0.0/16", "must not overlap podCIDR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var p cp.HostedControlPlane
			p.Spec.Version = "v1.36.4"
			cluster := &Cluster{Name: "demo", Host: tc.host, Netns: tc.netns, PodCIDR: tc.pods, ServiceCIDR: tc.services, Domain: "cluster.local"}
			if tc.host != "" {
				cluster.Port = 6443
			}
			in := instance(&p, Observed{Cluster: cluster})
			err := errors.Join(valid(in), apart(in))
			if tc.says == "" {
				if err != nil {
					t.Errorf("%s\n%v", tc.why, err)
				}
				return
			}
			if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s\nerror %v, want %q", tc.why, err, tc.says)
			}
		})
	}
}

// A control plane must not be replaced because its object came back from a backup.
func TestDigestWithoutOwner(t *testing.T) {
	in := Instance{Owner: "u-1", Files: map[string][]byte{"pki/ca.crt": []byte("x")}}
	first, err := in.Digest()
	if err != nil {
		t.Fatal(err)
	}
	in.Owner = "u-2"
	if second, err := in.Digest(); err != nil || second != first {
		t.Errorf("another owner makes another digest: %s, %v, was %s", second, err, first)
	}
}
