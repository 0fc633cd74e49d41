package deployment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/adopted"
	"portico.dev/portico/clusters/capi"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

//lint:file-ignore SA1019 k0rdent's users still write the deprecated fields

// look reads one part of what is observed. It changes nothing but the part of saw that is its
// own, and may read what earlier looks have put there.
type look func(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) error

// observe reads everything that the decision rests on. For a ClusterDeployment that goes, that
// is little: what creating needed may be gone already, and nobody shall miss it.
func (c *Controller) observe(ctx context.Context, d *kcm.ClusterDeployment) (Observed, error) {
	saw := Observed{Now: c.Clock()}
	looks := []look{c.seeRelease, c.seeCluster, c.seeAdopted, c.seeServiceSets}
	if d.DeletionTimestamp.IsZero() {
		looks = append(looks, c.seeTemplate, c.seeParent, c.seeChart, c.seeUpgrades, c.seeCredential, c.seeAuthentication, c.seeAuditPolicy, c.seeRendering)
	} else {
		looks = append(looks, c.seeInfrastructure, c.seeCloud)
	}
	for _, see := range looks {
		if err := see(ctx, d, &saw); err != nil {
			return Observed{}, err
		}
	}
	return saw, nil
}

func (c *Controller) seeRelease(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) (err error) {
	saw.Release, err = c.Releases.Observe(ctx, d.Namespace, d.Name)
	return err
}

func (c *Controller) seeCluster(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) (err error) {
	saw.Cluster, err = capi.Find(ctx, c.Kube, client.ObjectKeyFromObject(d))
	return err
}

func (c *Controller) seeAdopted(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) (err error) {
	saw.Adopted, err = adopted.Find(ctx, c.Kube, client.ObjectKeyFromObject(d))
	return err
}

// stale says whether what a ServiceSet reports is about an older wish. Of other adapters than ours
// k0rdent's contract asks neither for the condition nor for the generation in it.
func stale(s *kcm.ServiceSet) bool {
	reported := control.Find(s.Status.Conditions, kcm.ServicesInReadyStateCondition)
	if ours := s.Labels[kcm.AdapterLabel] == kcm.AdapterBuiltIn; !ours && (reported == nil || reported.ObservedGeneration == 0) {
		return false
	}
	return reported == nil || reported.ObservedGeneration != s.Generation
}

func (c *Controller) seeServiceSets(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) error {
	var list kcm.ServiceSetList
	if err := c.Kube.List(ctx, &list, client.InNamespace(d.Namespace), client.MatchingFields{byCluster: d.Name}); err != nil {
		return fmt.Errorf("listing ServiceSets: %w", err)
	}
	for _, s := range list.Items {
		saw.ServiceSets = append(saw.ServiceSets, ServiceSet{
			Name: s.Name, Deleting: !s.DeletionTimestamp.IsZero(), Wanted: s.Spec.Services, States: s.Status.Services,
			Stale: stale(&s),
		})
	}
	slices.SortFunc(saw.ServiceSets, func(a, b ServiceSet) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func (c *Controller) seeTemplate(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) error {
	t, err := found(ctx, c.Kube, beside(d, d.Spec.Template), &kcm.ClusterTemplate{})
	if err != nil || t == nil {
		return err
	}
	saw.Template = &Template{
		Valid: t.Status.Valid, Problem: t.Status.ValidationError,
		KubernetesVersion: t.Status.KubernetesVersion, Providers: slices.Sorted(slices.Values(t.Status.Providers)), Contracts: t.Status.ProviderContracts,
	}
	if ref := t.Status.ChartRef; ref != nil && ref.Kind == sourcev1.HelmChartKind {
		saw.Chart.source = chartOf(ref, d.Namespace)
	}
	return nil
}

func (c *Controller) seeParent(ctx context.Context, _ *kcm.ClusterDeployment, saw *Observed) error {
	m, err := found(ctx, c.Kube, types.NamespacedName{Name: kcm.ManagementName}, &kcm.Management{})
	if err == nil && m != nil {
		saw.Parent = &m.Status.ComponentsStatus
	}
	return err
}

func (c *Controller) seeChart(ctx context.Context, _ *kcm.ClusterDeployment, saw *Observed) error {
	if saw.Template == nil || !saw.Template.Valid || saw.Chart.source.Name == "" {
		return nil
	}
	source, err := found(ctx, c.Kube, saw.Chart.source, &sourcev1.HelmChart{})
	switch {
	case err != nil:
		return err
	case source == nil:
		saw.Chart.Problem = fmt.Sprintf("HelmChart %s does not exist", saw.Chart.source)
		return nil
	case source.Status.Artifact == nil:
		if ready := control.Find(source.Status.Conditions, fluxmeta.ReadyCondition); ready != nil && ready.Status == metav1.ConditionFalse {
			saw.Chart.Problem = ready.Message
		}
		return nil
	}
	chart, err := c.Charts.Get(ctx, source.Status.Artifact.Digest, func(ctx context.Context) ([]byte, error) {
		return c.Artifacts.Open(ctx, source.Status.Artifact)
	})
	switch {
	case errors.Is(err, fleet.ErrInvalid):
		saw.Chart.Problem = fleet.Sentence(err)
	case errors.Is(err, fleet.ErrNotYet):
		// The source has just replaced its artifact: its new status is on the way to us.
	case err != nil:
		return err
	default:
		saw.Chart.Name, saw.Chart.Version, saw.Chart.loaded = chart.Name(), chart.Version(), chart
	}
	return nil
}

func (c *Controller) seeUpgrades(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) error {
	var chains kcm.ClusterTemplateChainList
	if err := c.Kube.List(ctx, &chains, client.InNamespace(d.Namespace)); err != nil {
		return fmt.Errorf("listing ClusterTemplateChains: %w", err)
	}
	for _, chain := range chains.Items {
		for _, t := range chain.Spec.SupportedTemplates {
			if t.Name != d.Spec.Template {
				continue
			}
			for _, next := range t.AvailableUpgrades {
				saw.Upgrades = append(saw.Upgrades, next.Name)
			}
		}
	}
	slices.Sort(saw.Upgrades)
	saw.Upgrades = slices.Compact(saw.Upgrades)
	return nil
}

func (c *Controller) seeCredential(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) error {
	cred, err := found(ctx, c.Kube, beside(d, d.Spec.Credential), &kcm.Credential{})
	if err != nil || cred == nil {
		return err
	}
	saw.Credential = &Credential{Region: cred.Spec.Region, Accepted: map[string][]string{}}
	if cred.Spec.IdentityRef != nil {
		saw.Credential.Identity = *cred.Spec.IdentityRef
	}
	// What was found about another spec of the Credential says nothing about this one.
	if ready := control.Find(cred.Status.Conditions, kcm.CredentialReadyCondition); ready != nil && ready.ObservedGeneration == cred.Generation {
		if saw.Credential.Ready = cred.Status.Ready; !cred.Status.Ready {
			saw.Credential.Problem = ready.Message
		}
	}
	var interfaces kcm.ProviderInterfaceList
	if err := c.Kube.List(ctx, &interfaces); err != nil {
		return fmt.Errorf("listing ProviderInterfaces: %w", err)
	}
	for _, p := range interfaces.Items {
		provider := p.Labels[kcm.CAPIProviderLabel]
		kinds := append(saw.Credential.Accepted[provider], p.Spec.ClusterIdentityKinds...)
		for _, identity := range p.Spec.ClusterIdentities {
			kinds = append(kinds, identity.Kind)
		}
		if slices.Sort(kinds); len(kinds) > 0 {
			saw.Credential.Accepted[provider] = slices.Compact(kinds)
		}
	}
	return nil
}

func (c *Controller) seeAuthentication(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) (err error) {
	if name := d.Spec.ClusterAuth; name != "" {
		if saw.Authentication, err = c.authentication(ctx, beside(d, name)); err != nil {
			return err
		}
	}
	saw.Authentication.Stored, err = c.stored(ctx, d, AuthenticationDocument)
	return err
}

func (c *Controller) authentication(ctx context.Context, key types.NamespacedName) (Document, error) {
	auth, err := found(ctx, c.Kube, key, &kcm.ClusterAuthentication{})
	switch {
	case err != nil:
		return Document{}, err
	case auth == nil:
		return Document{Problem: fmt.Sprintf("ClusterAuthentication %q does not exist in namespace %q: create it, or name another in spec.clusterAuth", key.Name, key.Namespace)}, nil
	case auth.Spec.AuthenticationConfiguration == nil:
		return Document{Problem: fmt.Sprintf("ClusterAuthentication %q says nothing: set its spec.authenticationConfiguration", key.Name)}, nil
	case auth.Spec.CASecret == nil:
		return told(fmt.Sprintf("ClusterAuthentication %q", key.Name), *auth.Spec.AuthenticationConfiguration, "")
	}
	ref := auth.Spec.CASecret
	at := caSecretOf(ref, key.Namespace)
	secret, err := found(ctx, c.Live, at, &corev1.Secret{})
	if err != nil {
		return Document{}, err
	}
	if secret == nil || len(secret.Data[ref.Key]) == 0 {
		return Document{Problem: fmt.Sprintf("ClusterAuthentication %q takes its CA from Secret %s, key %q, which is not there", key.Name, at, ref.Key)}, nil
	}
	return told(fmt.Sprintf("ClusterAuthentication %q with the CA in Secret %s, key %q", key.Name, at, ref.Key), *auth.Spec.AuthenticationConfiguration, string(secret.Data[ref.Key]))
}

// told is the document, whose problem names where it comes from.
func told(from string, spec kcm.AuthenticationConfiguration, ca string) (Document, error) {
	doc, err := authenticationDocument(spec, ca)
	if doc.Problem != "" {
		doc.Problem = from + " is not valid: " + doc.Problem
	}
	return doc, err
}

func (c *Controller) seeAuditPolicy(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) (err error) {
	if name := d.Spec.AuditPolicy; name != "" {
		policy, err := found(ctx, c.Kube, beside(d, name), &kcm.ClusterAuditPolicy{})
		switch {
		case err != nil:
			return err
		case policy == nil:
			saw.AuditPolicy.Problem = fmt.Sprintf("ClusterAuditPolicy %q does not exist in namespace %q: create it, or name another in spec.auditPolicy", name, d.Namespace)
		default:
			if saw.AuditPolicy, err = auditDocument(policy.Spec.Policy); err != nil {
				return err
			}
		}
	}
	saw.AuditPolicy.Stored, err = c.stored(ctx, d, AuditDocument)
	return err
}

// stored is the text of a document as it is stored now. A document that is not referred to may
// still be there only as long as its condition is: most ClusterDeployments have none.
func (c *Controller) stored(ctx context.Context, d *kcm.ClusterDeployment, kind DocumentKind) (string, error) {
	at := places[kind]
	if reference(d, kind) == "" && control.Find(d.Status.Conditions, at.condition) == nil {
		return "", nil
	}
	key := beside(d, d.Name+at.suffix)
	if kind == AuthenticationDocument {
		secret, err := found(ctx, c.Live, key, &corev1.Secret{})
		if err != nil || secret == nil {
			return "", err
		}
		return string(secret.Data[at.key]), nil
	}
	configMap, err := found(ctx, c.Live, key, &corev1.ConfigMap{})
	if err != nil || configMap == nil {
		return "", err
	}
	return configMap.Data[at.key], nil
}

// seeRendering renders when everything that it takes is there, and once for the same input.
func (c *Controller) seeRendering(_ context.Context, d *kcm.ClusterDeployment, saw *Observed) error {
	if saw.Chart.loaded == nil || saw.Credential == nil {
		return nil
	}
	values, ours, err := Values(d, *saw)
	if err != nil {
		saw.Rendering = &Rendering{Problems: []string{fleet.Sentence(err)}}
		return nil
	}
	saw.Rendering = c.renders.get(client.ObjectKeyFromObject(d), wantedRelease(d, saw.Chart.loaded, values), ours)
	saw.Tries = c.attempts.of(client.ObjectKeyFromObject(d), saw.Rendering.Digest)
	return nil
}

func (c *Controller) seeInfrastructure(ctx context.Context, _ *kcm.ClusterDeployment, saw *Observed) (err error) {
	if saw.Cluster != nil {
		saw.InfrastructureBlocked, err = capi.Blocked(ctx, c.Kube, *saw.Cluster)
	}
	return err
}

// seeCloud looks at the child cluster itself. That it cannot be reached is a fact, not an error.
func (c *Controller) seeCloud(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) error {
	if !d.Spec.CleanupOnDeletion || len(saw.ServiceSets) > 0 || saw.Cluster == nil || saw.Cluster.Deleting {
		return nil
	}
	kubeconfig, err := c.kubeconfig(ctx, d)
	switch {
	case err != nil:
		return err
	case kubeconfig == nil:
		saw.Cloud = Cloud{Problem: "the cluster has no kubeconfig", Hopeless: true}
	default:
		saw.Cloud = c.Children.Look(ctx, kubeconfig)
	}
	return nil
}

// kubeconfig leads to the child cluster; it is nil while there is none.
func (c *Controller) kubeconfig(ctx context.Context, d *kcm.ClusterDeployment) ([]byte, error) {
	secret, err := found(ctx, c.Live, beside(d, d.Name+kcm.KubeconfigSecretSuffix), &corev1.Secret{})
	if err != nil || secret == nil {
		return nil, err
	}
	return secret.Data[kcm.KubeconfigSecretKey], nil
}

// found reads an object, or returns nil if it does not exist.
func found[T client.Object](ctx context.Context, reader client.Reader, key types.NamespacedName, obj T) (out T, err error) {
	if key.Name == "" {
		return out, nil
	}
	switch err := reader.Get(ctx, key, obj); {
	case apierrors.IsNotFound(err):
		return out, nil
	case err != nil:
		return out, fmt.Errorf("reading %s %s: %w", strings.TrimPrefix(fmt.Sprintf("%T", obj), "*"), key, err)
	}
	return obj, nil
}

func beside(d *kcm.ClusterDeployment, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: d.Namespace, Name: name}
}

func chartOf(ref *kcm.CrossNamespaceSourceReference, namespace string) types.NamespacedName {
	return types.NamespacedName{Namespace: cmp.Or(ref.Namespace, namespace), Name: ref.Name}
}

func caSecretOf(ref *kcm.SecretKeyReference, namespace string) types.NamespacedName {
	return types.NamespacedName{Namespace: cmp.Or(ref.Namespace, namespace), Name: ref.Name}
}
