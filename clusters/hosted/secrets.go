package hosted

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	"portico.dev/portico/clusters/bootstrap"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/pki"
)

// The Secrets of a cluster are called <cluster>-<purpose>, as Cluster API wants it.
const (
	purposeCA         = "ca"
	purposeProxy      = "proxy"
	purposeSA         = "sa"
	purposeKubeconfig = "kubeconfig"
	purposeBootstrap  = "bootstrap"

	clientValidity    = 365 * 24 * time.Hour
	authorityValidity = 10 * 365 * 24 * time.Hour
)

var purposes = []string{purposeBootstrap, purposeCA, purposeKubeconfig, purposeProxy, purposeSA}

// Secrets is how the Secrets of a cluster stand.
type Secrets struct {
	// Missing are the purposes of the authorities that do not exist.
	Missing []string `json:"missing,omitempty"`
	// Broken says which authority cannot be read, and why.
	Broken string `json:"broken,omitempty"`
	// Kubeconfig says why it has to be written; empty if it will do.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	// RenewAt is when the kubeconfig's certificate will be due.
	RenewAt time.Time `json:"renewAt,omitzero"`
	// Bootstrap says why the bootstrap data has to be written; empty if it will do.
	Bootstrap string `json:"bootstrap,omitempty"`
	// Ours are the names of existing Secrets that are ours to delete.
	Ours []string `json:"ours,omitempty"`
}

// authorities are what everything in a cluster trusts.
type authorities struct{ ca, proxy, sa pki.Pair }

func (a *authorities) of(purpose string) *pki.Pair {
	switch purpose {
	case purposeProxy:
		return &a.proxy
	case purposeSA:
		return &a.sa
	}
	return &a.ca
}

// clusterName is the name that the Secrets begin with. Deletion needs no Cluster: the label
// that Cluster API puts on the object is enough.
func clusterName(p *cp.HostedControlPlane, saw Observed) string {
	if saw.Cluster != nil {
		return saw.Cluster.Name
	}
	return p.Labels[clusterv1.ClusterNameLabel]
}

func (c *Controller) observeSecrets(ctx context.Context, p *cp.HostedControlPlane, saw *Observed) error {
	name := clusterName(p, *saw)
	if name == "" {
		return nil
	}
	found := map[string]map[string][]byte{}
	for _, purpose := range purposes {
		var s corev1.Secret
		err := c.Secrets.Get(ctx, client.ObjectKey{Namespace: p.Namespace, Name: name + "-" + purpose}, &s)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading Secret %s-%s: %w", name, purpose, err)
		}
		found[purpose] = s.Data
		if metav1.IsControlledBy(&s, p) {
			saw.Secrets.Ours = append(saw.Secrets.Ours, s.Name)
		}
	}
	judge(name, saw, found)
	return nil
}

// judge is the pure half of observeSecrets.
func judge(cluster string, saw *Observed, found map[string]map[string][]byte) {
	for _, purpose := range []string{purposeCA, purposeProxy, purposeSA} {
		data, ok := found[purpose]
		if !ok {
			saw.Secrets.Missing = append(saw.Secrets.Missing, purpose)
			continue
		}
		pair := pki.Pair{Certificate: data[corev1.TLSCertKey], Key: data[corev1.TLSPrivateKeyKey]}
		*saw.authorities.of(purpose) = pair
		if err := readable(purpose, pair); err != nil && saw.Secrets.Broken == "" {
			saw.Secrets.Broken = fmt.Sprintf("Secret %s-%s cannot be used: %v", cluster, purpose, err)
		}
	}
	if saw.Cluster == nil || saw.Cluster.Port == 0 || saw.Secrets.Broken != "" {
		return
	}
	saw.kubeconfig = found[purposeKubeconfig]["value"]
	saw.Secrets.Kubeconfig, saw.Secrets.RenewAt = judgeKubeconfig(*saw)
	if want, err := bootstrapData(*saw); err == nil && !bytes.Equal(found[purposeBootstrap][bootstrap.SecretKey], want) {
		saw.Secrets.Bootstrap = "missing or changed"
	}
}

func readable(purpose string, pair pki.Pair) error {
	if purpose == purposeSA {
		_, err := pki.PublicKeyPEM(pair.Key)
		return err
	}
	_, err := pki.ParseAuthority(pair)
	return err
}

// judgeKubeconfig says why the kubeconfig has to be written, and when it will be due if not.
func judgeKubeconfig(saw Observed) (why string, renewAt time.Time) {
	if len(saw.kubeconfig) == 0 {
		return "missing", time.Time{}
	}
	ca, err := pki.ParseAuthority(saw.authorities.ca)
	if err != nil {
		return "", time.Time{} // the authority is made first
	}
	why, has := provider.CheckKubeconfig(saw.kubeconfig, server(saw.Cluster), ca, admin(), saw.Now)
	return why, pki.RenewAt(has)
}

// admin is the user that Cluster API and the management plane are inside the child.
func admin() pki.Leaf {
	return pki.Leaf{CommonName: "kubernetes-admin", Organizations: []string{"system:masters"}, Usage: pki.Client, Validity: clientValidity}
}

func server(cluster *Cluster) string {
	return "https://" + hostPort(cluster)
}

// makeAuthorities makes the missing ones, all at once, and keeps them in saw for the steps
// after it. Creating, never updating: if somebody was faster the next pass reads theirs.
func (c *Controller) makeAuthorities(ctx context.Context, p *cp.HostedControlPlane, saw *Observed) error {
	errs := make([]error, len(saw.Secrets.Missing))
	var all sync.WaitGroup
	for n, purpose := range saw.Secrets.Missing {
		keep := saw.authorities.of(purpose)
		all.Go(func() { *keep, errs[n] = c.makeAuthority(ctx, p, saw, purpose) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (c *Controller) makeAuthority(ctx context.Context, p *cp.HostedControlPlane, saw *Observed, purpose string) (pki.Pair, error) {
	pair, err := newAuthority(saw.Cluster.Name, purpose, saw.Now)
	if err != nil {
		return pair, err
	}
	s := secret(p, saw.Cluster.Name, purpose)
	s.Data = map[string][]byte{corev1.TLSCertKey: pair.Certificate, corev1.TLSPrivateKeyKey: pair.Key}
	if err := c.Kube.Create(ctx, s); err != nil {
		return pki.Pair{}, fmt.Errorf("creating Secret %s: %w", s.Name, err)
	}
	return pair, nil
}

func newAuthority(cluster, purpose string, now time.Time) (pki.Pair, error) {
	if purpose == purposeSA {
		return pki.NewServiceAccountKey()
	}
	a, err := pki.NewAuthority(cluster+"-"+purpose, authorityValidity, now)
	if err != nil {
		return pki.Pair{}, err
	}
	return a.Pair()
}

func (c *Controller) writeKubeconfig(ctx context.Context, p *cp.HostedControlPlane, saw *Observed) error {
	ca, err := pki.ParseAuthority(saw.authorities.ca)
	if err != nil {
		return fmt.Errorf("reading authority %s-ca: %w", saw.Cluster.Name, err)
	}
	user := admin()
	pair, err := ca.Issue(user, saw.Now)
	if err != nil {
		return err
	}
	saw.kubeconfig = pki.Kubeconfig{
		Cluster: saw.Cluster.Name, Server: server(saw.Cluster), Authority: ca.CertificatePEM(),
		User: saw.Cluster.Name + "-admin", Client: pair,
	}.Bytes()
	return c.putSecret(ctx, p, purposeKubeconfig, saw)
}

func (c *Controller) writeBootstrap(ctx context.Context, p *cp.HostedControlPlane, saw *Observed) error {
	return c.putSecret(ctx, p, purposeBootstrap, saw)
}

// putSecret applies the Secret whole: these two are derived, so ours win.
func (c *Controller) putSecret(ctx context.Context, p *cp.HostedControlPlane, purpose string, saw *Observed) error {
	s := secret(p, saw.Cluster.Name, purpose)
	value := saw.kubeconfig
	if purpose == purposeBootstrap {
		var err error
		if value, err = bootstrapData(*saw); err != nil {
			return err
		}
	}
	s.Data = map[string][]byte{"value": value}
	return control.Apply(ctx, c.Kube, owner, s)
}

func bootstrapData(saw Observed) ([]byte, error) {
	dns, err := bootstrap.NameServer(saw.Cluster.ServiceCIDR)
	if err != nil {
		return nil, err
	}
	return bootstrap.Data{
		Server: server(saw.Cluster), CAData: saw.authorities.ca.Certificate, ClusterDNS: dns, ClusterDomain: saw.Cluster.Domain,
		PodCIDR: saw.Cluster.PodCIDR, ServiceCIDR: saw.Cluster.ServiceCIDR,
	}.Encode()
}

func secret(p *cp.HostedControlPlane, cluster, purpose string) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.Namespace, Name: cluster + "-" + purpose,
			Labels:          map[string]string{clusterv1.ClusterNameLabel: cluster},
			OwnerReferences: []metav1.OwnerReference{control.ControlledBy(p, cp.GroupVersion.WithKind("HostedControlPlane"))},
		},
		Type: clusterv1.ClusterSecretType,
	}
}

func (c *Controller) deleteSecrets(ctx context.Context, p *cp.HostedControlPlane, saw *Observed) error {
	for _, name := range saw.Secrets.Ours {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: name}}
		if err := c.Kube.Delete(ctx, s); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting Secret %s: %w", name, err)
		}
	}
	return nil
}
