package pki

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// Kubeconfig describes a kubeconfig file with one cluster and one user.
type Kubeconfig struct {
	// Cluster names cluster and context.
	Cluster string
	// Server is the URL of the API server.
	Server string
	// Authority is the PEM certificate that the server's must be signed by.
	Authority []byte
	// User names the user.
	User string
	// Client is the user's certificate and key, written into the file. Empty if ClientFile is set.
	Client Pair
	// ClientFile is the path of the user's certificate and key (a Bundle). Clients that run for
	// long read it again when it changes.
	ClientFile string
}

// Bytes is the file. The same Kubeconfig gives the same bytes.
func (k Kubeconfig) Bytes() []byte {
	var b strings.Builder
	line := func(form string, args ...any) { fmt.Fprintf(&b, form+"\n", args...) }
	context := k.User + "@" + k.Cluster
	line("apiVersion: v1")
	line("kind: Config")
	line("clusters:")
	line("- name: %s", quoted(k.Cluster))
	line("  cluster:")
	line("    server: %s", quoted(k.Server))
	line("    certificate-authority-data: %s", base64.StdEncoding.EncodeToString(k.Authority))
	line("users:")
	line("- name: %s", quoted(k.User))
	line("  user:")
	if k.ClientFile != "" {
		line("    client-certificate: %s", quoted(k.ClientFile))
		line("    client-key: %s", quoted(k.ClientFile))
	} else {
		line("    client-certificate-data: %s", base64.StdEncoding.EncodeToString(k.Client.Certificate))
		line("    client-key-data: %s", base64.StdEncoding.EncodeToString(k.Client.Key))
	}
	line("contexts:")
	line("- name: %s", quoted(context))
	line("  context:")
	line("    cluster: %s", quoted(k.Cluster))
	line("    user: %s", quoted(k.User))
	line("current-context: %s", quoted(context))
	return []byte(b.String())
}

// quoted is a JSON string, which is a YAML string too.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // no string fails to encode
	}
	return string(b)
}
