package app

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/observability/fleetmetrics"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/pki"
)

// Metrics are for the collector and the administrator; that somebody has a certificate of the plane's
// authority is not enough.
func TestReaders(t *testing.T) {
	now := time.Now()
	authority, err := pki.NewAuthority("test", time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := pki.NewAuthority("test", time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(readers(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "told") })))
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: trusting(authority.CertificatePEM())}
	server.StartTLS()
	defer server.Close()
	tests := []struct {
		name, why string
		by        *pki.Authority
		as        string
		want      string
	}{
		{"Collector", "It is who asks.", authority, identity.Collector.User(), "told"},
		{"Admin", "A person may look.", authority, identity.Admin.User(), "told"},
		{"Program", "Other programs of the plane have no use for it.", authority, identity.HTTP.User(), "expected the client certificate"},
		{"Nobody", "The port is open to everybody on the machine.", nil, "", "expected the client certificate"},
		{"Stranger", "A name that another authority gave is none.", stranger, identity.Collector.User(), ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			by := &tls.Config{RootCAs: roots}
			if tc.by != nil {
				pair, err := tc.by.Issue(pki.Leaf{CommonName: tc.as, Usage: pki.Client, Validity: time.Hour}, now)
				if err != nil {
					t.Fatal(err)
				}
				own, err := tls.X509KeyPair(pair.Certificate, pair.Key)
				if err != nil {
					t.Fatal(err)
				}
				by.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
			}
			res, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: by}}).Get(server.URL)
			if err != nil {
				if tc.want != "" {
					t.Fatalf("%s\nit is refused: %v", tc.why, err)
				}
				return
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil || tc.want == "" || !strings.Contains(string(text), tc.want) {
				t.Errorf("%s\nit answers %s %q, %v; want %q", tc.why, res.Status, text, err, tc.want)
			}
		})
	}
}

// The address of vmauth's metrics holds the plane's password, which an error must not tell.
func TestGetHidesAddress(t *testing.T) {
	for _, address := range []string{"https://127.0.0.1:1/metrics?authKey=hush", "https://[?authKey=hush"} {
		if _, err := get(t.Context(), http.DefaultClient, address); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("get(%q) = %v; want an error without the password", address, err)
		}
	}
}

// A cluster that is silent is remembered as long as it is there; one that has another tenant, or sends to
// another region, is not silent as the one before.
func TestRemembered(t *testing.T) {
	k := &known{newest: map[types.NamespacedName]arrival{}}
	came := func(region, tenant, cluster string, at float64) {
		k.remember(region, store.Answer{Series: []store.Series{{
			Labels:  labels.FromStrings("cluster", cluster, "clusterNamespace", "n", "tenant", tenant),
			Samples: []store.Sample{{At: 5000, Value: at}},
		}}})
	}
	came("eu", "red", "a", 100)
	came("us", "blue", "a", 200)
	came("eu", "red", "a", 150)
	came("eu", "red", "gone", 100)
	k.remember("eu", store.Answer{})
	d := kcm.ClusterDeployment{}
	d.Namespace, d.Name = "n", "a"
	s := &fleetmetrics.Snapshot{Clusters: []kcm.ClusterDeployment{d}}
	want := []fleetmetrics.Arrival{{
		Of:     fleetmetrics.Owner{NamespacedName: types.NamespacedName{Namespace: "n", Name: "a"}, Tenant: "blue"},
		Region: "us", Signal: "metrics", Newest: time.UnixMilli(200_000),
	}}
	if diff := cmp.Diff(want, k.remembered(s)); diff != "" {
		t.Errorf("remembered (-want +got):\n%s", diff)
	}
}
