package hosted

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"portico.dev/portico/clusters/bootstrap"
	"portico.dev/portico/pki"
)

var now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// secretsOf are the Secrets of a cluster in good order.
func secretsOf(t *testing.T, saw Observed) map[string]map[string][]byte {
	t.Helper()
	found := map[string]map[string][]byte{}
	for _, purpose := range []string{purposeCA, purposeProxy, purposeSA} {
		pair, err := newAuthority("demo", purpose, now)
		if err != nil {
			t.Fatal(err)
		}
		found[purpose] = map[string][]byte{corev1.TLSCertKey: pair.Certificate, corev1.TLSPrivateKeyKey: pair.Key}
		*saw.authorities.of(purpose) = pair
	}
	found[purposeKubeconfig] = map[string][]byte{"value": kubeconfigFor(t, saw, now)}
	data, err := bootstrapData(saw)
	if err != nil {
		t.Fatal(err)
	}
	found[purposeBootstrap] = map[string][]byte{bootstrap.SecretKey: data}
	return found
}

func kubeconfigFor(t *testing.T, saw Observed, issued time.Time) []byte {
	t.Helper()
	ca, err := pki.ParseAuthority(saw.authorities.ca)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(admin(), issued)
	if err != nil {
		t.Fatal(err)
	}
	return pki.Kubeconfig{
		Cluster: "demo", Server: server(saw.Cluster), Authority: ca.CertificatePEM(), User: "demo-admin", Client: pair,
	}.Bytes()
}

func TestJudge(t *testing.T) {
	type secrets = map[string]map[string][]byte
	for _, tc := range []struct {
		name, why string
		change    func(found secrets, saw *Observed)
		want      Secrets
	}{
		{"Good", "Nothing has to be written.", func(secrets, *Observed) {}, Secrets{}},
		{"None", "Without any, all three authorities are missing, and what follows from them is written after them.",
			func(found secrets, _ *Observed) { clear(found) },
			Secrets{Missing: []string{"ca", "proxy", "sa"}, Kubeconfig: "missing", Bootstrap: "missing or changed"}},
		{"OneMissing", "Each authority is judged by itself.",
			func(found secrets, _ *Observed) { delete(found, purposeProxy) }, Secrets{Missing: []string{"proxy"}}},
		{"Broken", "The first that cannot be used is named, and nothing is derived from it.",
			func(found secrets, _ *Observed) {
				found[purposeCA][corev1.TLSPrivateKeyKey] = found[purposeProxy][corev1.TLSPrivateKeyKey]
				found[purposeSA][corev1.TLSPrivateKeyKey] = nil
			},
			Secrets{Broken: "Secret demo-ca cannot be used: the key does not belong to certificate CN=demo-ca"}},
		{"NoAddress", "Until the address is known there is nothing to write.",
			func(found secrets, saw *Observed) { saw.Cluster.Port = 0; delete(found, purposeKubeconfig) }, Secrets{}},
		{"Moved", "What names the old address is written again.",
			func(_ secrets, saw *Observed) { saw.Cluster.Port = 7443 },
			Secrets{Kubeconfig: "made for another server", Bootstrap: "missing or changed"}},
		{"Unreadable", "So is what nobody can read.",
			func(found secrets, _ *Observed) { found[purposeKubeconfig]["value"] = []byte("{") }, Secrets{Kubeconfig: "unreadable"}},
		{"Due", "The certificate is renewed in its last quarter.",
			func(_ secrets, saw *Observed) { saw.Now = now.Add(300 * 24 * time.Hour) }, Secrets{Kubeconfig: "due"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			saw := Observed{Now: now, Cluster: &Cluster{Name: "demo", Host: "10.213.1.2", Port: 6443, PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", Domain: "cluster.local"}}
			filled := saw
			found := secretsOf(t, filled)
			cluster := *saw.Cluster
			saw.Cluster = &cluster
			tc.change(found, &saw)
			judge("demo", &saw, found)
			got := saw.Secrets
			got.RenewAt = time.Time{} // pki's tests are about it
			if strings.HasPrefix(got.Kubeconfig, "due") {
				got.Kubeconfig = "due" // and then since when
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}
