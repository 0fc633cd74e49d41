package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/cli"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/pki"
	"portico.dev/portico/server/explain"
)

// Kubeconfig returns the administrator's kubeconfig of the plane, or of a cluster.
func (e *embedded) Kubeconfig(ctx context.Context, of cli.ClusterRef) ([]byte, error) {
	if of.Name == "" {
		return e.ownKubeconfig()
	}
	content, err := e.clusterKubeconfig(ctx, of)
	if err != nil {
		return nil, err
	}
	return named(content, explain.Context(of.Namespace, of.Name))
}

func (e *embedded) ownKubeconfig() ([]byte, error) {
	site := e.identities()
	client, err := os.ReadFile(site.Files(identity.Admin).Client)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no management plane in %s\n  start one: portico up", e.folder)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the administrator's certificate: %w", err)
	}
	authority, err := site.Authority(e.env.Now())
	if err != nil {
		return nil, err
	}
	k := pki.Kubeconfig{Cluster: "portico", Server: e.server(), Authority: authority.CertificatePEM(), User: identity.Admin.User(), Client: pki.ParseBundle(client)}
	return named(k.Bytes(), "portico")
}

// clusterKubeconfig reads the kubeconfig that the controllers use too, that of an adopted cluster
// included.
func (e *embedded) clusterKubeconfig(ctx context.Context, of cli.ClusterRef) ([]byte, error) {
	cfg, err := e.connect(identity.Admin)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the management API server: %w", err)
	}
	content, err := remote.Kubeconfig(ctx, c, types.NamespacedName(of))
	if errors.Is(err, fleet.ErrNotYet) || errors.Is(err, fleet.ErrInvalid) {
		return nil, fmt.Errorf("%s\n  see how it stands: portico why cluster %s -n %s", fleet.Sentence(err), of.Name, of.Namespace)
	}
	return content, err
}

// named gives the only cluster, user and context of a kubeconfig a name of ours, so that
// several can be merged.
func named(content []byte, name string) ([]byte, error) {
	c, err := clientcmd.Load(content)
	if err != nil {
		return nil, fmt.Errorf("reading kubeconfig of %s: %w", name, err)
	}
	current, ok := c.Contexts[c.CurrentContext]
	if !ok {
		return nil, fmt.Errorf("kubeconfig of %s has no current context", name)
	}
	cluster, user := c.Clusters[current.Cluster], c.AuthInfos[current.AuthInfo]
	if cluster == nil || user == nil {
		return nil, fmt.Errorf("kubeconfig of %s: cluster or user of its current context is missing", name)
	}
	out := api.NewConfig()
	out.Clusters[name], out.AuthInfos[name] = cluster, user
	out.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name, Namespace: current.Namespace}
	out.CurrentContext = name
	return clientcmd.Write(*out)
}
