package addons_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/clusters/hosted/addons"
)

func config() addons.Config {
	return addons.Config{ClusterDNS: netip.MustParseAddr("10.96.0.10"), ClusterDomain: "demo.local"}
}

func render(t *testing.T, c addons.Config) ([]client.Object, string) {
	t.Helper()
	objects, err := addons.Objects(c)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(objects)
	if err != nil {
		t.Fatal(err)
	}
	return objects, string(text)
}

// Whoever applies the objects in their order never names what is not there yet, and compares them
// by their bytes.
func TestObjects(t *testing.T) {
	objects, text := render(t, config())
	if _, again := render(t, config()); text != again {
		t.Error("the same configuration gives other objects")
	}
	seen := map[string]bool{}
	for _, o := range objects {
		kind := o.GetObjectKind().GroupVersionKind().Kind
		if kind == "" || o.GetName() == "" {
			t.Errorf("an object has no kind or no name: %v", o)
		}
		if seen[kind+o.GetNamespace()+o.GetName()] {
			t.Errorf("%s %s/%s is there twice: the second would take fields from the first", kind, o.GetNamespace(), o.GetName())
		}
		seen[kind+o.GetNamespace()+o.GetName()] = true
		if (kind == "Deployment" || kind == "DaemonSet") && !seen["ServiceAccount"+o.GetNamespace()+o.GetName()] {
			t.Errorf("%s %s comes before its account", kind, o.GetName())
		}
	}
}

func TestValues(t *testing.T) {
	outside := config()
	outside.Nameservers = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	for _, tc := range []struct {
		name, why  string
		config     addons.Config
		has, lacks []string
	}{
		{"Inside", "Without nameservers other names do not exist; they are not asked for in vain.", config(),
			[]string{"10.96.0.10", "demo.local", addons.CoreDNSImage, addons.VolumesImage, addons.Provisioner}, []string{"forward", "<no value>"}},
		{"Outside", "With nameservers all of them are asked.", outside, []string{"forward", "192.0.2.1", "2001:db8::1"}, []string{"<no value>"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, text := render(t, tc.config)
			for _, want := range tc.has {
				if !strings.Contains(text, want) {
					t.Errorf("%s\n%q is missing", tc.why, want)
				}
			}
			for _, not := range tc.lacks {
				if strings.Contains(text, not) {
					t.Errorf("%s\n%q should not be there", tc.why, not)
				}
			}
		})
	}
}

func TestIncomplete(t *testing.T) {
	for _, c := range []addons.Config{{ClusterDomain: "demo.local"}, {ClusterDNS: netip.MustParseAddr("10.96.0.10")}} {
		if _, err := addons.Objects(c); err == nil {
			t.Errorf("%+v gives objects although something is missing", c)
		}
	}
}
