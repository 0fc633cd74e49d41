package adopted

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubeconfig"
)

// sveltosManager is the Deployment by which one sees that Sveltos' manager is there.
const sveltosManager = "sveltoscluster-manager"

// Observed is what a decision about a SveltosCluster rests on.
type Observed struct {
	// Sveltos says that Sveltos' own manager looks after SveltosClusters.
	Sveltos bool `json:"sveltos,omitempty"`
	// Problem is why the kubeconfig cannot be used; empty if it can.
	Problem string `json:"problem,omitempty"`
	// Digest is the kubeconfig's.
	Digest string `json:"digest,omitempty"`
	// Link is how the connection stands; nil if none is kept.
	Link *Link `json:"link,omitempty"`

	config *rest.Config
}

// Link is how the connection to a cluster stands.
type Link struct {
	// Digest is that of the kubeconfig that it was made with.
	Digest string `json:"digest"`
	// Tried says whether the cluster was asked yet, Answered whether it did when it was
	// asked last.
	Tried    bool `json:"tried,omitempty"`
	Answered bool `json:"answered,omitempty"`
	// Failures is how often in a row it did not, Problem why.
	Failures int    `json:"failures,omitempty"`
	Problem  string `json:"problem,omitempty"`
	// Version is the Kubernetes version that it answered with.
	Version string `json:"version,omitempty"`
}

func (c *Controller) observe(ctx context.Context, s *sveltos.SveltosCluster) (Observed, error) {
	saw := Observed{Link: c.links.see(client.ObjectKeyFromObject(s))}
	deployments := &metav1.PartialObjectMetadataList{}
	deployments.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	if err := c.Kube.List(ctx, deployments, client.MatchingFields{byName: sveltosManager}); err != nil {
		return saw, fmt.Errorf("looking for the Deployment %s: %w", sveltosManager, err)
	}
	saw.Sveltos = len(deployments.Items) > 0
	if saw.Sveltos || !s.DeletionTimestamp.IsZero() || unsupported(s) != "" {
		return saw, nil
	}
	return saw, c.seeKubeconfig(ctx, s, &saw)
}

// seeKubeconfig reads the kubeconfig. That it is not there, or is none, is a fact and no error.
func (c *Controller) seeKubeconfig(ctx context.Context, s *sveltos.SveltosCluster, saw *Observed) error {
	key := client.ObjectKey{Namespace: s.Namespace, Name: secretOf(s)}
	var secret corev1.Secret
	err := c.Live.Get(ctx, key, &secret)
	if apierrors.IsNotFound(err) {
		saw.Problem = fmt.Sprintf("Secret %s with the kubeconfig does not exist: create it, or name another in spec.kubeconfigName", key)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Secret %s: %w", key, err)
	}
	field := s.Spec.KubeconfigKeyName
	if field == "" && len(secret.Data) > 0 {
		field = slices.Min(slices.Collect(maps.Keys(secret.Data)))
	}
	data, there := secret.Data[field]
	if !there {
		saw.Problem = fmt.Sprintf("Secret %s holds no kubeconfig under the key %q: put it there, or name another key in spec.kubeconfigKeyName", key, field)
		return nil
	}
	if saw.config, err = kubeconfig.Read(data); err != nil {
		saw.Problem = fmt.Sprintf("Secret %s, key %q: %s", key, field, fleet.Sentence(err))
		return nil
	}
	sum := sha256.Sum256(data)
	saw.Digest = hex.EncodeToString(sum[:])
	return nil
}

// secretOf is the name of the Secret with the kubeconfig, by Sveltos' convention.
func secretOf(s *sveltos.SveltosCluster) string {
	return cmp.Or(s.Spec.KubeconfigName, s.Name+sveltos.KubeconfigSecretSuffix)
}
