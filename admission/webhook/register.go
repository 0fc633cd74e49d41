package webhook

import (
	"context"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// Options are what the handlers need.
type Options struct {
	// Reader reads other objects. A cache will do: rules are made for facts that may be old.
	Reader client.Reader
	// Live is asked for what Reader does not know. A cache lags: an object that was made a
	// moment ago, in the same delivery, is not missing. May be nil.
	Live client.Reader
	// Mapper knows which kinds are served.
	Mapper meta.RESTMapper
	// Scheme knows the kinds of k0rdent.mirantis.com and state.portico.dev.
	Scheme *runtime.Scheme
	// SystemNamespace is where templates for all, and kubeconfigs of regions, are.
	SystemNamespace string
	// AnyUpgrade lets the template of a cluster change to any other, not only along chains.
	AnyUpgrade bool
	// ParseValues says what is wrong with values that hold expressions. May be nil.
	ParseValues func(text string) error
	// CompileRule says what is wrong with the readiness rule of a StateManagementProvider. May
	// be nil.
	CompileRule func(rule string) error
	// Engines says what the engine that a spec chooses cannot do of it, with the engine's name.
	// It is asked about new and changed service specs that nothing else is wrong with. namespace
	// is where their templates are; paths begin at the object, with spec.serviceSpec. An error
	// means that it could not be told. May be nil.
	Engines func(ctx context.Context, namespace string, spec kcm.ServiceSpec) (field.ErrorList, error)
}

// Registry takes handlers; controller-runtime's webhook server is one.
type Registry interface {
	Register(path string, handler http.Handler)
}

// Register adds the handlers of all kinds to a server.
func Register(to Registry, o Options) {
	for _, k := range kinds(o) {
		if k.mutates() {
			to.Register(MutatePath(k.kind), &admission.Webhook{Handler: k.mutator, RecoverPanic: yes()})
		}
		to.Register(ValidatePath(k.kind), &admission.Webhook{Handler: k.validator, RecoverPanic: yes()})
	}
}

func yes() *bool {
	b := true
	return &b
}

// served is one kind with its handlers.
type served struct {
	kind, plural string
	// deletion is true if there are rules for deleting an object.
	deletion           bool
	mutator, validator admission.Handler
}

func (s served) mutates() bool { return s.mutator != nil }

// kinds lists every kind that has rules, in the order of the alphabet.
func kinds(o Options) []served {
	w := world{o}
	decoder := admission.NewDecoder(o.Scheme)
	return []served{
		serve(decoder, kcm.AccessManagementKind, "accessmanagements", w.accessManagement()),
		serve(decoder, kcm.ClusterAuditPolicyKind, "clusterauditpolicies", w.clusterAuditPolicy()),
		serve(decoder, kcm.ClusterAuthenticationKind, "clusterauthentications", w.clusterAuthentication()),
		serve(decoder, kcm.ClusterDeploymentKind, "clusterdeployments", w.clusterDeployment()),
		serve(decoder, kcm.ClusterIPAMClaimKind, "clusteripamclaims", w.clusterIPAMClaim()),
		serve(decoder, kcm.ClusterTemplateKind, "clustertemplates", w.clusterTemplate()),
		serve(decoder, kcm.ClusterTemplateChainKind, "clustertemplatechains", w.clusterTemplateChain()),
		serve(decoder, kcm.CredentialKind, "credentials", w.credential()),
		serve(decoder, kcm.ManagementKind, "managements", w.management()),
		serve(decoder, kcm.ManagementBackupKind, "managementbackups", w.managementBackup()),
		serve(decoder, kcm.MultiClusterServiceKind, "multiclusterservices", w.multiClusterService()),
		serve(decoder, statev1.NamespacedMultiClusterServiceKind, "namespacedmulticlusterservices", w.namespacedMultiClusterService()),
		serve(decoder, kcm.ProviderTemplateKind, "providertemplates", w.providerTemplate()),
		serve(decoder, kcm.RegionKind, "regions", w.region()),
		serve(decoder, kcm.ReleaseKind, "releases", w.release()),
		serve(decoder, statev1.RolloutKind, "rollouts", w.rollout()),
		serve(decoder, kcm.ServiceTemplateKind, "servicetemplates", w.serviceTemplate()),
		serve(decoder, kcm.ServiceTemplateChainKind, "servicetemplatechains", w.serviceTemplateChain()),
		serve(decoder, kcm.StateManagementProviderKind, "statemanagementproviders", w.stateManagementProvider()),
	}
}

// versionOf is the API version that a kind is judged in.
func versionOf(kind string) schema.GroupVersion {
	switch kind {
	case statev1.NamespacedMultiClusterServiceKind, statev1.RolloutKind:
		return statev1.GroupVersion
	}
	return kcm.GroupVersion
}

func serve[T any, P object[T]](decoder admission.Decoder, kind, plural string, r rules[T, P]) served {
	h := handler[T, P]{kind: kind, decoder: decoder, rules: r}
	s := served{kind: kind, plural: plural, deletion: r.deletion != nil, validator: admission.HandlerFunc(h.validate)}
	if r.defaults != nil {
		s.mutator = admission.HandlerFunc(h.mutate)
	}
	return s
}
