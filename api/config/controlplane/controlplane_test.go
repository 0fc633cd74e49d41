package controlplane_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/api/config/controlplane"
	"portico.dev/portico/api/config/v1alpha1"
)

const head = "apiVersion: config.portico.dev/v1alpha1\nkind: ControlPlaneConfiguration\n"
const minimal = head + "name: dev\ndir: /data/dev\n"

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, why, file string
		errs            []string // parts of the error; none: the file is good
	}{
		{"Minimal", "Name and folder are all one must say.", minimal, nil},
		{"Hosted", "What a hosted control plane's controller writes.", minimal + `
bindAddress: 10.213.1.2
extraSANs: [dev.example.org, "*.example.org", "fd00::1"]
controllerManager: {controllers: ["*", -ttl-controller], extraArgs: {node-monitor-grace-period: 20s}}
apiServer: {audit: {policyFile: /data/policy.yaml}, encryptionConfigFile: /data/enc.yaml}
tuning: {gogc: 40, memoryLimit: 512Mi}
certificates: {validity: 240h}
`, nil},
		{"Unknown", "A misspelt field must not be ignored: the user meant something.", minimal + "etcd: {quotabytes: 1}\nprot: 1\n",
			[]string{`unknown field "etcd.quotabytes"`, `unknown field "prot"`}},
		{"Twice", "Of two values one would silently lose.", minimal + "port: 1\nport: 2\n", []string{`line 6: key "port" already set`}},
		{"WrongType", "The field is named, not only the type.", minimal + "port: https\n", []string{"ControlPlaneConfiguration.port"}},
		{"OtherKind", "A file of another program is not half understood.", "apiVersion: v1\nkind: Config\n", []string{"apiVersion: Unsupported value", "kind: Unsupported value"}},
		{"Empty", "All that is missing is told at once.", head, []string{"name: Required", "dir: Required"}},
		{"Addresses", "Each wrong address by its field.", minimal + "bindAddress: localhost\nport: 70000\nextraSANs: [ok, no/t]\n",
			[]string{"bindAddress: Invalid", "port: Invalid", "extraSANs[1]: Invalid"}},
		{"Overlap", "A pod with a service's address is never found.", minimal + "podCIDR: 10.96.128.0/20\n", []string{"serviceCIDR", "must not overlap podCIDR 10.96.128.0/20"}},
		{"HostBits", "10.96.0.1/16 is an address, not a range.", minimal + "serviceCIDR: 10.96.0.1/16\n", []string{"serviceCIDR: Invalid"}},
		{"RelativePaths", "The process has no working folder that one could count on.", minimal + "apiServer: {encryptionConfigFile: enc.yaml}\n", []string{"apiServer.encryptionConfigFile", "absolute"}},
		{"AuditWithoutPolicy", "A log path without a policy looks like auditing and is none.", minimal + "apiServer: {audit: {logPath: /a.log}}\n", []string{"apiServer.audit.policyFile: Required"}},
		{"Dashes", "Flags are named as in the file of kubeadm: without dashes.", minimal + "scheduler: {extraArgs: {--v: \"2\"}}\n", []string{"scheduler.extraArgs[--v]", "without leading dashes"}},
		{"OwnedFlag", "Two sources of one truth: the field wins, and says so.", minimal + "apiServer: {extraArgs: {secure-port: \"1\", oidc-issuer-url: x}}\n",
			[]string{"set port instead", "set apiServer.authenticationConfigFile instead"}},
		{"ShortAuthority", "An authority that ends before its leaves makes them useless.", minimal + "certificates: {authorityValidity: 1h}\n", []string{"certificates.authorityValidity"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := controlplane.Decode([]byte(c.file))
			if (err == nil) != (len(c.errs) == 0) {
				t.Fatalf("%s\nerror: %v", c.why, err)
			}
			for _, part := range c.errs {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%s\nerror %q lacks %q", c.why, err, part)
				}
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has more than one line: %q", err)
			}
		})
	}
}

// Whoever writes a file with Encode writes one that Decode reads as the same configuration:
// nothing is lost, and defaulting again changes nothing.
func TestEncodeDecode(t *testing.T) {
	first, err := controlplane.Decode([]byte(minimal + "apiServer: {audit: {policyFile: /p}}\ntuning: {memoryLimit: 512Mi}\n"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := controlplane.Encode(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := controlplane.Decode(data)
	if err != nil {
		t.Fatalf("%v in\n%s", err, data)
	}
	again, err := controlplane.Encode(second)
	if err != nil || string(again) != string(data) {
		t.Errorf("%v\nfirst:\n%s\nsecond:\n%s", err, data, again)
	}
	if !reflect.DeepEqual(controlplane.Default(second), second) {
		t.Error("defaulting twice is not defaulting once")
	}
}

func TestEncodeMinimal(t *testing.T) {
	data, err := controlplane.Encode(v1alpha1.ControlPlaneConfiguration{Name: "dev", Dir: "/data/dev"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(data), "apiVersion: config.portico.dev/v1alpha1\ndir: /data/dev\nkind: ControlPlaneConfiguration\nname: dev\n"; got != want {
		t.Errorf("what is not set is not written; got\n%s", got)
	}
}

func TestDefault(t *testing.T) {
	for _, c := range []struct {
		name, why string
		given     v1alpha1.ControlPlaneConfiguration
		got       func(v1alpha1.ControlPlaneConfiguration) any
		want      any
	}{
		{"AdvertiseWhatIsBound", "One address serves both, as a rule.", v1alpha1.ControlPlaneConfiguration{BindAddress: "10.213.1.2"},
			func(c v1alpha1.ControlPlaneConfiguration) any { return c.AdvertiseAddress }, "10.213.1.2"},
		{"AdvertiseNotUnspecified", "Nobody can connect to 0.0.0.0.", v1alpha1.ControlPlaneConfiguration{BindAddress: "0.0.0.0"},
			func(c v1alpha1.ControlPlaneConfiguration) any { return c.AdvertiseAddress }, "127.0.0.1"},
		{"IssuerFollowsDomain", "Tokens name the cluster's own domain.", v1alpha1.ControlPlaneConfiguration{ClusterDomain: "dev.local"},
			func(c v1alpha1.ControlPlaneConfiguration) any { return c.ServiceAccountIssuer }, "https://kubernetes.default.svc.dev.local"},
		{"NoAudit", "Without a policy there is no audit log to configure.", v1alpha1.ControlPlaneConfiguration{Dir: "/d"},
			func(c v1alpha1.ControlPlaneConfiguration) any { return c.APIServer.Audit }, v1alpha1.AuditConfiguration{}},
		{"AuditLog", "With a policy the log lies in the folder.", v1alpha1.ControlPlaneConfiguration{Dir: "/d", APIServer: v1alpha1.APIServerConfiguration{Audit: v1alpha1.AuditConfiguration{PolicyFile: "/p"}}},
			func(c v1alpha1.ControlPlaneConfiguration) any { return c.APIServer.Audit.LogPath }, "/d/audit.log"},
		{"Year", "Certificates last a year.", v1alpha1.ControlPlaneConfiguration{},
			func(c v1alpha1.ControlPlaneConfiguration) any { return c.Certificates.Validity.Duration }, 8760 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.got(controlplane.Default(c.given)); got != c.want {
				t.Errorf("%s\ngot %v, want %v", c.why, got, c.want)
			}
		})
	}
}
