package provider

import (
	"bytes"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"portico.dev/portico/pki"
)

// CheckKubeconfig says why a kubeconfig must be made anew to lead leaf to the server, whose authority
// is a, and is empty if it will do; has is the user's certificate, as far as it can be read.
func CheckKubeconfig(file []byte, server string, a *pki.Authority, leaf pki.Leaf, now time.Time) (why string, has pki.Pair) {
	if len(file) == 0 {
		return "missing", pki.Pair{}
	}
	cfg, err := clientcmd.RESTConfigFromKubeConfig(file)
	if err != nil {
		return "unreadable", pki.Pair{}
	}
	if cfg.Host != server || !bytes.Equal(cfg.CAData, a.CertificatePEM()) {
		return "made for another server", pki.Pair{}
	}
	has = pki.Pair{Certificate: cfg.CertData, Key: cfg.KeyData}
	return a.Check(has, leaf, now), has
}
