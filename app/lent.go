package app

import (
	"context"
	"fmt"
	"os"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	sveltosv1 "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/install"
	"portico.dev/portico/pki"
)

// lentKey is the key of the kubeconfig in the Secrets of lentAccess.
const lentKey = "kubeconfig"

// lentAccess writes the kubeconfig of the user portico:services, who installs services on the
// management cluster itself, into Secrets: programs of engines reach every cluster by a Secret. They
// are written when an engine first needs one, and anew when the certificate is another one.
type lentAccess struct {
	kubeconfig func() ([]byte, error)

	mu    sync.Mutex
	given map[client.ObjectKey]client.Client
}

func newLentAccess(kubeconfig func() ([]byte, error)) *lentAccess {
	return &lentAccess{kubeconfig: kubeconfig, given: map[client.ObjectKey]client.Client{}}
}

// give makes the Secret hold the kubeconfig. Giving twice is giving once.
func (l *lentAccess) give(ctx context.Context, kube client.Client, at client.ObjectKey) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.given[at] = kube
	return l.write(ctx, kube, at)
}

// renew writes all Secrets anew.
func (l *lentAccess) renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, kube := range l.given {
		if err := l.write(ctx, kube, at); err != nil {
			return err
		}
	}
	return nil
}

func (l *lentAccess) write(ctx context.Context, kube client.Client, at client.ObjectKey) error {
	content, err := l.kubeconfig()
	if err != nil {
		return err
	}
	return install.Impose(ctx, kube, &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name},
		Data:       map[string][]byte{lentKey: content},
	})
}

// lentKubeconfig is that of the user portico:services, complete in itself.
func (e *embedded) lentKubeconfig() ([]byte, error) {
	site := e.identities()
	authority, err := site.Authority(e.env.Now())
	if err != nil {
		return nil, err
	}
	client, err := os.ReadFile(site.Files(identity.Services).Client)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate of %s: %w", identity.Services.Name, err)
	}
	k := pki.Kubeconfig{
		Cluster: "portico", Server: e.server(), Authority: authority.CertificatePEM(),
		User: identity.Services.User(), Client: pki.ParseBundle(client),
	}
	return k.Bytes(), nil
}

// joinItself makes the management cluster one of Sveltos' clusters, under the name that Sveltos
// knows it by. Its status is written by whoever looks after adopted clusters.
func (p *plane) joinItself(ctx context.Context, kube client.Client) error {
	at := client.ObjectKey{Namespace: kcm.SelfClusterNamespace, Name: kcm.SelfClusterName}
	secret := client.ObjectKey{Namespace: at.Namespace, Name: at.Name + sveltosv1.KubeconfigSecretSuffix}
	if err := p.lent.give(ctx, kube, secret); err != nil {
		return err
	}
	return install.Impose(ctx, kube, &sveltosv1.SveltosCluster{
		TypeMeta:   metav1.TypeMeta{APIVersion: sveltosv1.GroupVersion.String(), Kind: "SveltosCluster"},
		ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name},
	})
}
