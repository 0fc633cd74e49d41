package app

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	infrav1 "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/templates"
)

// What stores serve by is made once, for the names under which they are reached, and anew before its end; who has
// signed it stays, since children trust it.
func TestIssueForRegion(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	names := []string{topology.Door, templates.Telemetry}
	issue := func(had topology.Stores, names []string, now time.Time) (topology.Stores, time.Time) {
		t.Helper()
		made, again, err := issueForRegion(had, names, now)
		if err != nil {
			t.Fatal(err)
		}
		return made, again
	}
	first, again := issue(topology.Stores{Password: "kept"}, names, now)
	if first.Password != "kept" || !again.After(now) {
		t.Errorf("made %+v, to be looked at again at %s", first, again)
	}
	if second, _ := issue(first, names, now.Add(time.Hour)); !cmp.Equal(first, second) {
		t.Error("what will do is made anew")
	}
	later, _ := issue(first, names, again.Add(time.Minute))
	renamed, _ := issue(first, []string{topology.Door}, now)
	for why, s := range map[string]topology.Stores{"due": later, "renamed": renamed} {
		if cmp.Equal(s.Certificate, first.Certificate) || !cmp.Equal(s.Authority, first.Authority) {
			t.Errorf("%s: the certificate stays, or its authority does not", why)
		}
	}
	if old, _ := issue(first, names, now.Add(regionAuthorityValidity)); cmp.Equal(old.Authority, first.Authority) {
		t.Error("an authority at its end signs on")
	}
	pair, err := tls.X509KeyPair(first.Certificate, first.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(first.Authority)
	// A child reaches it under the address of its own network, whichever that is.
	for _, name := range []string{topology.Door, "10.213.1.1", "10.213.254.1"} {
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now.Add(time.Hour)}); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	if got := everywhere([]string{"vmauth.eu.example.org"}); !slices.Equal(got, []string{"vmauth.eu.example.org"}) {
		t.Errorf("a region elsewhere has the names %v", got)
	}
}

func TestHereOf(t *testing.T) {
	at := func(index int32, mode infrav1.NetworkMode) *infrav1.LocalCluster {
		l := &infrav1.LocalCluster{}
		l.Spec.Network, l.Status.Network.Index = mode, index
		return l
	}
	if got, want := hereOf(at(3, infrav1.NetworkIsolated)), (topology.Here{Read: "https://10.213.3.1:19003", Write: "https://" + templates.Telemetry + ":19003"}); got != want {
		t.Errorf("with a network it is at %+v, want %+v", got, want)
	}
	if got := hereOf(at(0, infrav1.NetworkIsolated)); got.Pending == "" || got.Read != "" {
		t.Errorf("before it has one it is at %+v", got)
	}
	if got := hereOf(at(0, infrav1.NetworkHost)); got != (topology.Here{}) {
		t.Errorf("without containers it is at %+v", got)
	}
}
