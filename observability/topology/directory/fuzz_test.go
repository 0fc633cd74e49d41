package directory

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"portico.dev/portico/fleet"
)

// Whatever somebody writes is a region that can be asked, or one that says why it cannot.
func FuzzList(f *testing.F) {
	f.Add("eu", named, "https://vmauth.example.org/vm", "")
	f.Add("", `{"tls_config":{"ca":"x"}}`, "ftp://", "-----BEGIN CERTIFICATE-----")
	f.Add("mothership", `{"dial_timeout":"-1s","basic_auth":null}`, "http://[::1", "x")
	f.Fuzz(func(t *testing.T, name, how, endpoint, authority string) {
		cm := region("team", "eu", 1, set("regional_cluster_name", name), set(httpKey, how), set("read_metrics_endpoint", endpoint), set("ca_pem", authority))
		saw := Observed{Configs: []corev1.ConfigMap{cm}, Secrets: []corev1.Secret{secret("team", "theirs", "u", "reader", "p", "word")}}
		for _, l := range List(saw, Settings{Self: self}) {
			switch {
			case l.Name == "":
				t.Errorf("a region without a name: %+v", l)
			case l.Err != nil && !errors.Is(l.Err, fleet.ErrInvalid) && !errors.Is(l.Err, fleet.ErrNotYet):
				t.Errorf("an error of no kind: %v", l.Err)
			case l.Err == nil && (l.Login.User == "" || len(l.Login.Passwords) == 0):
				t.Errorf("a region that is asked by nobody: %+v", l)
			}
		}
	})
}
