package app

import (
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

// Several kubeconfigs can be merged, since nothing in one bears a name that another has.
func TestNamed(t *testing.T) {
	const content = `
apiVersion: v1
kind: Config
current-context: used
contexts:
- {name: used, context: {cluster: kubernetes, user: admin, namespace: shop}}
- {name: other, context: {cluster: kubernetes, user: nobody}}
clusters: [{name: kubernetes, cluster: {server: "https://10.0.0.1:6443"}}]
users: [{name: admin, user: {token: t}}, {name: nobody, user: {}}]
`
	out, err := named([]byte(content), "portico-team-a.demo")
	if err != nil {
		t.Fatal(err)
	}
	c, err := clientcmd.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	const name = "portico-team-a.demo"
	if len(c.Contexts) != 1 || len(c.Clusters) != 1 || len(c.AuthInfos) != 1 || c.CurrentContext != name {
		t.Fatalf("named =\n%s\nwant the current context alone", out)
	}
	if c.Clusters[name].Server != "https://10.0.0.1:6443" || c.AuthInfos[name].Token != "t" || c.Contexts[name].Namespace != "shop" {
		t.Errorf("named =\n%s\nwant all of it under the name %s", out, name)
	}
}
