package localmachine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/bootstrap"
	"portico.dev/portico/pki"
)

func authority(t *testing.T, now time.Time) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority("demo-ca", 10*validity, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCredentials(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	m := someMachine(1, infra.MachineReal)
	g, err := nth(m, in("10.244.0.0/16"), 0)
	if err != nil {
		t.Fatal(err)
	}
	record(m, g)
	saw := in("10.244.0.0/16")
	saw.Now, saw.authority = now, authority(t, now)
	saw.data = bootstrap.Data{Server: "https://10.213.3.2:6443"}
	if got := judge(m, saw); got.Due != "missing" || !got.RenewAt.IsZero() {
		t.Errorf("a new machine's credentials are %+v; want missing", got)
	}
	if saw.files, err = issue(m, saw); err != nil {
		t.Fatal(err)
	}
	fresh := saw

	t.Run("Fresh", func(t *testing.T) {
		got := judge(m, fresh)
		if due := now.Add(validity / 4 * 3); got.Due != "" || got.RenewAt.Before(due.Add(-time.Hour)) || got.RenewAt.After(due.Add(time.Hour)) {
			t.Errorf("just issued they are %+v; want good until about %s", got, due)
		}
		again, err := issue(m, fresh)
		if diff := cmp.Diff(fresh.files, again); err != nil || diff != "" {
			t.Errorf("good ones were issued again: %v (-was +is):\n%s", err, diff)
		}
	})
	for _, tc := range []struct {
		name, why string
		change    func(m *infra.LocalMachine, saw *Observed)
	}{
		{"Old", "After three quarters of their life they are due.", func(_ *infra.LocalMachine, saw *Observed) { saw.Now = now.Add(validity / 10 * 8) }},
		{"OtherServer", "The API server moved.", func(_ *infra.LocalMachine, saw *Observed) { saw.data.Server = "https://10.213.9.2:6443" }},
		{"OtherAuthority", "The authority was replaced.", func(_ *infra.LocalMachine, saw *Observed) { saw.authority = authority(t, now) }},
		{"OtherAddress", "The serving certificate is for an address.", func(m *infra.LocalMachine, _ *Observed) { m.Status.Addresses[1].Address = "10.213.3.77" }},
		{"FileLost", "One file is missing.", func(_ *infra.LocalMachine, saw *Observed) { saw.files.KubeProxyKubeconfig = nil }},
		{"FileBroken", "One file was cut off.", func(_ *infra.LocalMachine, saw *Observed) { saw.files.KubeletKubeconfig = []byte("{") }},
		{"CALost", "The authority's certificate is missing.", func(_ *infra.LocalMachine, saw *Observed) { saw.files.CA = nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, saw := m.DeepCopy(), fresh
			tc.change(m, &saw)
			if judge(m, saw).Due == "" {
				t.Fatalf("%s They are not due, though.", tc.why)
			}
			var err error
			if saw.files, err = issue(m, saw); err != nil {
				t.Fatal(err)
			}
			if due := judge(m, saw).Due; due != "" {
				t.Errorf("%s Issued anew they still are %s.", tc.why, due)
			}
		})
	}
}
