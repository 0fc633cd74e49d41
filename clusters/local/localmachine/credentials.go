package localmachine

import (
	"bytes"
	"time"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/machine"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/pki"
)

// validity is how long a machine's certificates live; they are renewed a quarter before.
const validity = 365 * 24 * time.Hour

// Credentials is how the certificates of a machine stand.
type Credentials struct {
	// Due says why they have to be issued; empty if they will do.
	Due string `json:"due,omitempty"`
	// RenewAt is when they will be due.
	RenewAt time.Time `json:"renewAt,omitzero"`
}

// The users that a machine's programs are in its cluster.
func kubelet(m *infra.LocalMachine) pki.Leaf {
	return pki.Leaf{CommonName: "system:node:" + m.Name, Organizations: []string{"system:nodes"}, Usage: pki.Client, Validity: validity}
}

func kubeProxy() pki.Leaf {
	return pki.Leaf{CommonName: "system:kube-proxy", Usage: pki.Client, Validity: validity}
}

// serving is kubelet as the API server reaches it.
func serving(m *infra.LocalMachine, ip string) pki.Leaf {
	l := kubelet(m)
	l.Usage, l.Names = pki.Server, []string{m.Name, ip}
	return l
}

// judge says how the certificates in the machine's folder stand.
func judge(m *infra.LocalMachine, saw Observed) Credentials {
	var out Credentials
	note := func(why string, p pki.Pair) {
		if out.Due == "" {
			out.Due = why
		}
		if at := pki.RenewAt(p); out.RenewAt.IsZero() || at.Before(out.RenewAt) {
			out.RenewAt = at
		}
	}
	for _, u := range users(m, &saw.files) {
		note(provider.CheckKubeconfig(*u.file, saw.data.Server, saw.authority, u.leaf, saw.Now))
	}
	served := pki.Pair{Certificate: saw.files.KubeletCert, Key: saw.files.KubeletKey}
	note(saw.authority.Check(served, serving(m, granted(m).IP.String()), saw.Now), served)
	if out.Due == "" && !bytes.Equal(saw.files.CA, saw.authority.CertificatePEM()) {
		out.Due = "signed by another authority"
	}
	if out.Due != "" {
		out.RenewAt = time.Time{}
	}
	return out
}

// user is a program of a machine and the file with its kubeconfig.
type user struct {
	leaf pki.Leaf
	file *[]byte
}

func users(m *infra.LocalMachine, files *machine.Files) []user {
	return []user{{kubelet(m), &files.KubeletKubeconfig}, {kubeProxy(), &files.KubeProxyKubeconfig}}
}

// issue returns the machine's files: those that will do as they are, the others made anew.
func issue(m *infra.LocalMachine, saw Observed) (machine.Files, error) {
	files := saw.files
	files.CA = saw.authority.CertificatePEM()
	for _, u := range users(m, &files) {
		if why, _ := provider.CheckKubeconfig(*u.file, saw.data.Server, saw.authority, u.leaf, saw.Now); why == "" {
			continue
		}
		pair, err := saw.authority.Issue(u.leaf, saw.Now)
		if err != nil {
			return machine.Files{}, err
		}
		*u.file = pki.Kubeconfig{
			Cluster: saw.Cluster.Name, Server: saw.data.Server, Authority: files.CA, User: u.leaf.CommonName, Client: pair,
		}.Bytes()
	}
	leaf := serving(m, granted(m).IP.String())
	served := pki.Pair{Certificate: files.KubeletCert, Key: files.KubeletKey}
	if saw.authority.Check(served, leaf, saw.Now) != "" {
		var err error
		if served, err = saw.authority.Issue(leaf, saw.Now); err != nil {
			return machine.Files{}, err
		}
	}
	files.KubeletCert, files.KubeletKey = served.Certificate, served.Key
	return files, nil
}
