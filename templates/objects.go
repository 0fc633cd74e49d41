package templates

import (
	"maps"
	"strings"
	"time"

	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// Versions of the bundled charts. A test compares them with the charts.
const (
	ClusterChartVersion  = "1.0.0"
	ProviderChartVersion = "1.0.0"
	PodinfoVersion       = "6.9.2"
	CollectorsVersion    = "1.0.0"
	PropagationVersion   = "1.0.0"
	StorageVersion       = "1.0.0"
)

// Repository is the path in the registry below which the charts are.
const Repository = "charts"

// LocalCredential is the Credential with which clusters on this computer can be made at once.
const LocalCredential = "local"

// Params is what the objects need to know of the management plane.
type Params struct {
	// Namespace is the system namespace.
	Namespace string
	// Version is Portico's own.
	Version string
	// Registry is host and port of the registry that serves the charts.
	Registry string
	// CA is the certificate, in PEM form, of the authority behind the registry's certificate.
	CA []byte
}

// ReleaseName is the name of the Release of a version, as k0rdent makes it: v1.2.3 is kcm-1-2-3.
func ReleaseName(version string) string { return "kcm-" + Dashed(strings.TrimPrefix(version, "v")) }

// Objects returns all objects that a management plane has from the start, in the order in which
// they refer to each other. Each carries its apiVersion and kind.
func Objects(p Params) []client.Object {
	objects := repository(p)
	objects = append(objects, providerTemplates()...)
	objects = append(objects, clusterTemplates(p)...)
	objects = append(objects, serviceTemplate(p, "podinfo", PodinfoVersion), serviceTemplate(p, "kof-collectors", CollectorsVersion), serviceTemplate(p, "kof-propagation", PropagationVersion),
		serviceTemplate(p, "kof-storage", StorageVersion), regionalService(), childService(p))
	objects = append(objects, singletons(p)...)
	return append(objects, engineProviders(p)...)
}

// caSecret holds the authority of our own registry.
const caSecret = kcm.TemplateRepositoryName + "-ca"

func repository(p Params) []client.Object {
	return []client.Object{
		kinded(&corev1.Secret{
			ObjectMeta: named(p.Namespace, caSecret),
			Type:       corev1.SecretTypeOpaque,
			Data:       map[string][]byte{"ca.crt": p.CA},
		}, corev1.SchemeGroupVersion.WithKind("Secret")),
		kinded(&sourcev1.HelmRepository{
			ObjectMeta: managed(p.Namespace, kcm.TemplateRepositoryName),
			Spec: sourcev1.HelmRepositorySpec{
				Type:          sourcev1.HelmRepositoryTypeOCI,
				URL:           sourcev1.OCIRepositoryPrefix + p.Registry + "/" + Repository,
				Interval:      metav1.Duration{Duration: chartInterval},
				CertSecretRef: &fluxmeta.LocalObjectReference{Name: caSecret},
			},
		}, sourcev1.GroupVersion.WithKind(sourcev1.HelmRepositoryKind)),
	}
}

// chartInterval is how often the registry is asked whether a version has other content.
const chartInterval = 10 * time.Minute

func chart(name, version string) kcm.HelmSpec {
	return kcm.HelmSpec{ChartSpec: &kcm.HelmChartSpec{
		Chart:             name,
		Version:           version,
		Interval:          metav1.Duration{Duration: chartInterval},
		ReconcileStrategy: sourcev1.ReconcileStrategyChartVersion,
		SourceRef: kcm.LocalHelmChartSourceReference{
			APIVersion: sourcev1.GroupVersion.String(),
			Kind:       sourcev1.HelmRepositoryKind,
			Name:       kcm.TemplateRepositoryName,
		},
	}}
}

// providerCharts are the names of the charts behind ProviderTemplates.
func providerCharts() []string { return []string{"kcm", "cluster-api", "hosted", "local"} }

// providerTemplate is the name of the ProviderTemplate of a chart.
func providerTemplate(chart string) string { return chart + "-" + Dashed(ProviderChartVersion) }

func providerTemplates() []client.Object {
	var objects []client.Object
	for _, name := range providerCharts() {
		objects = append(objects, kinded(&kcm.ProviderTemplate{
			ObjectMeta: named("", providerTemplate(name)),
			Spec:       kcm.ProviderTemplateSpec{Helm: chart(name, ProviderChartVersion)},
		}, kcm.GroupVersion.WithKind("ProviderTemplate")))
	}
	return objects
}

func clusterTemplates(p Params) []client.Object {
	var objects []client.Object
	for _, name := range []string{"local-hosted", "adopted-cluster"} {
		objects = append(objects, kinded(&kcm.ClusterTemplate{
			ObjectMeta: named(p.Namespace, name+"-"+Dashed(ClusterChartVersion)),
			Spec:       kcm.ClusterTemplateSpec{Helm: chart(name, ClusterChartVersion)},
		}, kcm.GroupVersion.WithKind("ClusterTemplate")))
	}
	return objects
}

func serviceTemplate(p Params, name, version string) client.Object {
	spec := chart(name, version)
	return kinded(&kcm.ServiceTemplate{
		ObjectMeta: named(p.Namespace, name+"-"+Dashed(version)),
		Spec:       kcm.ServiceTemplateSpec{Helm: &spec},
	}, kcm.GroupVersion.WithKind("ServiceTemplate"))
}

// singletons are the Release, the Management that runs it, and what else there is one of.
func singletons(p Params) []client.Object {
	local := named(p.Namespace, LocalCredential)
	return []client.Object{
		kinded(&kcm.Release{
			ObjectMeta: named("", ReleaseName(p.Version)),
			Spec: kcm.ReleaseSpec{
				Version: p.Version,
				KCM:     kcm.CoreProviderTemplate{Template: providerTemplate("kcm")},
				CAPI:    kcm.CoreProviderTemplate{Template: providerTemplate("cluster-api")},
				Providers: []kcm.NamedProviderTemplate{
					{Name: "hosted", CoreProviderTemplate: kcm.CoreProviderTemplate{Template: providerTemplate("hosted")}},
					{Name: "local", CoreProviderTemplate: kcm.CoreProviderTemplate{Template: providerTemplate("local")}},
				},
			},
		}, kcm.GroupVersion.WithKind("Release")),
		kinded(&kcm.Management{
			ObjectMeta: named("", kcm.ManagementName),
			Spec:       kcm.ManagementSpec{Release: ReleaseName(p.Version), Providers: []kcm.Provider{{Name: "hosted"}, {Name: "local"}}},
		}, kcm.GroupVersion.WithKind("Management")),
		kinded(&kcm.AccessManagement{ObjectMeta: named("", kcm.AccessManagementName)}, kcm.GroupVersion.WithKind("AccessManagement")),
		stateManagementProvider(p),
		kinded(&corev1.Secret{
			ObjectMeta: local,
			Type:       corev1.SecretTypeOpaque,
			// Machines on this computer need no identity, but every Credential points to one.
			StringData: map[string]string{"note": "nobody has to sign in to this computer"},
		}, corev1.SchemeGroupVersion.WithKind("Secret")),
		kinded(&kcm.Credential{
			ObjectMeta: local,
			Spec: kcm.CredentialSpec{
				Description: "clusters on this computer",
				IdentityRef: &kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: p.Namespace, Name: LocalCredential},
			},
		}, kcm.GroupVersion.WithKind("Credential")),
	}
}

// stateManagementProvider offers the engine that is the plane's own.
func stateManagementProvider(p Params) client.Object {
	return provider(p, kcm.DefaultStateManagementProviderName, nil)
}

// engineProviders offer each engine by its name.
func engineProviders(p Params) []client.Object {
	var objects []client.Object
	for _, engine := range []string{"direct", "flux", "sveltos"} {
		objects = append(objects, provider(p, "portico-"+engine, map[string]string{statev1.EngineLabel: engine}))
	}
	return objects
}

// provider offers engines that Portico has at work, those with the labels. The kind wants an object
// by which one can see that the engine is there; for these it is the Management itself. Nothing
// else is waited for, not even the kinds of Flux and Sveltos: Portico brings them along when the
// first service asks for the engine, and that one would wait for its provider.
func provider(p Params, name string, labels map[string]string) client.Object {
	selector := map[string]string{kcm.AdapterLabel: kcm.AdapterBuiltIn}
	maps.Copy(selector, labels)
	adapter := kcm.ResourceReference{
		APIVersion: kcm.GroupVersion.String(), Kind: "Management", Name: kcm.ManagementName,
		Namespace: p.Namespace, ReadinessRule: "true",
	}
	return kinded(&kcm.StateManagementProvider{
		ObjectMeta: named("", name),
		Spec: kcm.StateManagementProviderSpec{
			Selector:        &metav1.LabelSelector{MatchLabels: selector},
			Adapter:         adapter,
			Provisioner:     []kcm.ResourceReference{},
			ProvisionerCRDs: []kcm.ProvisionerCRD{},
		},
	}, kcm.GroupVersion.WithKind("StateManagementProvider"))
}

// named is the metadata of an object of ours, which belongs into a backup.
func named(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name,
		Labels: map[string]string{kcm.ComponentLabel: kcm.ComponentKCM},
	}
}

// managed is named with the label without which k0rdent's Flux would not look at a source.
func managed(namespace, name string) metav1.ObjectMeta {
	meta := named(namespace, name)
	meta.Labels[kcm.ManagedLabel] = kcm.LabelTrue
	return meta
}

// kinded gives a typed object the kind that applying it needs.
func kinded[T client.Object](obj T, kind schema.GroupVersionKind) client.Object {
	obj.GetObjectKind().SetGroupVersionKind(kind)
	return obj
}
