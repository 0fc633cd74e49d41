package controlplane

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/api/config/v1alpha1"
	"portico.dev/portico/pki"
)

var birth = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// refreshAt opens the folder's certificates as a process that starts at that time does, and
// returns the contents of all files.
func refreshAt(t *testing.T, c v1alpha1.ControlPlaneConfiguration, now time.Time) map[string]string {
	t.Helper()
	s, err := openCertificates(c, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	due, err := s.refresh()
	if err != nil {
		t.Fatal(err)
	}
	if !due.After(now) {
		t.Errorf("at %s certificates are due again at %s", now, due)
	}
	files := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(c.Dir, "pki", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, layout(c.Dir).admin()) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(data)
	}
	return files
}

func changed(before, after map[string]string) []string {
	var names []string
	for name := range after {
		if before[name] != after[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// The life of a folder: what is made once stays, what is due is renewed, and nothing else is
// touched.
func TestCertificates(t *testing.T) {
	c := decode(t, "")
	c.Dir = t.TempDir()
	files := refreshAt(t, c, birth)
	all := []string{"admin.pem", "apiserver-kubelet-client.pem", "apiserver.pem", "controller-manager.pem", "front-proxy-client.pem", "kubeconfig", "scheduler.pem"}
	moved := c
	moved.AdvertiseAddress = "10.213.1.2"

	for _, step := range []struct {
		name, why string
		config    v1alpha1.ControlPlaneConfiguration
		at        time.Time
		changed   []string
	}{
		{"Restart", "A restart makes nothing new.", c, birth.Add(time.Hour), nil},
		{"Month8", "Two thirds of the year are over: still good.", c, birth.AddDate(0, 8, 0), nil},
		{"Month10", "Renewed before they end; authorities and the service account key stay for ever.", c, birth.AddDate(0, 10, 0), all},
		{"Again", "Renewed once, not each time.", c, birth.AddDate(0, 10, 1), nil},
		{"NewAddress", "A new address is a new server certificate and a new kubeconfig, nobody else's.", moved, birth.AddDate(0, 10, 2), []string{"apiserver.pem", "kubeconfig"}},
	} {
		after := refreshAt(t, step.config, step.at)
		if got := changed(files, after); !slices.Equal(got, step.changed) {
			t.Errorf("%s: %s\nchanged %q, want %q", step.name, step.why, got, step.changed)
		}
		files = after
	}
}

// In an authority's last year its leaves end with it; nobody spins to renew them.
func TestAuthorityEnds(t *testing.T) {
	c := decode(t, "certificates: {authorityValidity: 8760h}\n")
	c.Dir = t.TempDir()
	files := refreshAt(t, c, birth)
	if got := changed(files, refreshAt(t, c, birth.AddDate(0, 11, 0))); len(got) != 0 {
		t.Errorf("renewed without need: %q", got)
	}
}

// Authorities that are there are used: the controllers keep them in Secrets and put them here.
func TestGivenAuthority(t *testing.T) {
	c := decode(t, "")
	c.Dir = t.TempDir()
	given, err := pki.NewAuthority("theirs", 10*365*24*time.Hour, birth)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := given.Pair()
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, "ca.crt", pair.Certificate)
	put(t, c, "ca.key", pair.Key)
	files := refreshAt(t, c, birth)
	if files["ca.crt"] != string(pair.Certificate) {
		t.Error("the given authority was replaced")
	}
	for _, l := range leaves(c) {
		reason := given.Check(pki.ParseBundle([]byte(files[l.file+".pem"])), l.Leaf, birth)
		if (reason == "") != (l.authority == "ca") {
			t.Errorf("%s: under the given authority it should be signed: %t, but %q", l.file, l.authority == "ca", reason)
		}
	}
}

func TestAuthorityWithoutKey(t *testing.T) {
	c := decode(t, "")
	c.Dir = t.TempDir()
	refreshAt(t, c, birth)
	if err := os.Remove(layout(c.Dir).pki("ca.key")); err != nil {
		t.Fatal(err)
	}
	_, err := openCertificates(c, func() time.Time { return birth })
	if err == nil || !strings.Contains(err.Error(), "ca.crt is there without ca.key") {
		t.Errorf("a new authority would lock every node out; error: %v", err)
	}
}

// A crash between the two files of an authority is repaired: the key decides.
func TestKeyWithoutAuthority(t *testing.T) {
	c := decode(t, "")
	c.Dir = t.TempDir()
	before := refreshAt(t, c, birth)
	if err := os.Remove(layout(c.Dir).pki("ca.crt")); err != nil {
		t.Fatal(err)
	}
	after := refreshAt(t, c, birth)
	if after["ca.key"] != before["ca.key"] || after["apiserver.pem"] != before["apiserver.pem"] {
		t.Errorf("changed: %q; want the authority's certificate and what quotes it", changed(before, after))
	}
}

func put(t *testing.T, c v1alpha1.ControlPlaneConfiguration, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(layout(c.Dir).pki(""), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := pki.WriteFile(layout(c.Dir).pki(name), data); err != nil {
		t.Fatal(err)
	}
}
