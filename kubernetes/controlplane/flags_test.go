package controlplane

import (
	"slices"
	"strings"
	"testing"

	"portico.dev/portico/api/config/controlplane"
	"portico.dev/portico/api/config/v1alpha1"
)

func decode(t *testing.T, more string) v1alpha1.ControlPlaneConfiguration {
	t.Helper()
	c, err := controlplane.Decode([]byte("apiVersion: config.portico.dev/v1alpha1\nkind: ControlPlaneConfiguration\nname: dev\ndir: /d\n" + more))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFlags(t *testing.T) {
	api := func(c v1alpha1.ControlPlaneConfiguration) flags { return apiServerFlags(c, "unix:///s") }
	for _, c := range []struct {
		name, why, config string
		flags             func(v1alpha1.ControlPlaneConfiguration) flags
		has, lacks        []string
	}{
		{"Loopback", "An Endpoints object refuses 127.0.0.1, so nobody may write one.", "", api,
			[]string{"--endpoint-reconciler-type=none", "--advertise-address=127.0.0.1"}, nil},
		{"Reachable", "Pods find the API server by the service kubernetes.default.", "bindAddress: 10.213.1.2", api,
			[]string{"--advertise-address=10.213.1.2", "--authorization-mode=Node,RBAC", "--kubelet-certificate-authority=/d/pki/ca.crt"}, []string{"--endpoint-reconciler-type"}},
		{"Anonymous", "Without a file of the user's, only health is public.", "", api,
			[]string{"--authentication-config=/d/authentication.yaml"}, []string{"--audit", "--encryption"}},
		{"Security", "The user's files are passed through.",
			"apiServer: {audit: {policyFile: /p}, encryptionConfigFile: /e, authenticationConfigFile: /a}", api,
			[]string{"--authentication-config=/a", "--encryption-provider-config=/e", "--encryption-provider-config-automatic-reload=true",
				"--audit-policy-file=/p", "--audit-log-path=/d/audit.log", "--audit-log-maxsize=100", "--audit-log-maxbackup=10", "--audit-log-maxage=0"}, nil},
		{"Extra", "A flag of the user's replaces ours; given twice, lists would add up.",
			"apiServer: {extraArgs: {enable-admission-plugins: \"NodeRestriction,AlwaysPullImages\", v: \"2\"}}", api,
			[]string{"--enable-admission-plugins=NodeRestriction,AlwaysPullImages", "--v=2"}, []string{"--enable-admission-plugins=NodeRestriction "}},
		{"Controllers", "The list is upstream's own notation.", "controllerManager: {controllers: [\"*\", -ttl-controller]}", controllerManagerFlags,
			[]string{"--controllers=*,-ttl-controller", "--allocate-node-cidrs=false"}, []string{"--cluster-cidr"}},
		{"NodeCIDRs", "Only who allocates needs to know the ranges.", "controllerManager: {allocateNodeCIDRs: true}", controllerManagerFlags,
			[]string{"--allocate-node-cidrs=true", "--cluster-cidr=10.244.0.0/16", "--service-cluster-ip-range=10.96.0.0/16"}, nil},
		{"Scheduler", "It has no port and no rival.", "", schedulerFlags, []string{"--leader-elect=false", "--secure-port=0"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := c.flags(decode(t, c.config)).args()
			if again := c.flags(decode(t, c.config)).args(); !slices.Equal(args, again) {
				t.Errorf("the same configuration must give the same command line, got\n%q\n%q", args, again)
			}
			line := strings.Join(args, " ") + " "
			for _, want := range c.has {
				if !strings.Contains(line, want+" ") {
					t.Errorf("%s\n%s is missing in %s", c.why, want, line)
				}
			}
			for _, not := range c.lacks {
				if strings.Contains(line, not) {
					t.Errorf("%s\n%s should not be in %s", c.why, not, line)
				}
			}
		})
	}
}
